"""requirements/*.txt: hashed, without an index address, and in step with pyproject.toml. `make lock` writes them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ("build", "runtime", "dev")
ADVICE = "requirements are out of step with pyproject.toml: run make lock"


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;]+)", lock_text(name), re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_every_pinned_package_has_a_hash(name: str) -> None:
    entries = re.split(r"^(?=\S)", lock_text(name), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_an_index(name: str) -> None:
    assert not re.search(r"://|--index|--extra-index|--find-links|@ file", lock_text(name))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("runtime", PROJECT["dependencies"]), ("dev", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])],
)
def test_the_lock_satisfies_pyproject(name: str, wanted: list[str]) -> None:
    locked = pins(name)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)], prereleases=True), ADVICE


def test_development_uses_the_versions_of_the_station() -> None:
    assert pins("runtime").items() <= pins("dev").items(), ADVICE


def test_gpio_hardware_is_never_needed() -> None:
    assert "lgpio" not in pins("dev")
