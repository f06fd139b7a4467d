"""tools/apt-packages.txt: what bootstrap installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINES = [line for line in (ROOT / "tools/apt-packages.txt").read_text().splitlines() if not line.startswith("#")]
LAYOUTS = sorted((ROOT / "controller/cards/layouts").glob("*.toml"))


@pytest.mark.parametrize("line", LINES)
def test_every_package_has_a_reason(line: str) -> None:
    assert re.fullmatch(r"[a-z0-9.+-]+ +# \S.*", line)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda path: path.stem)
def test_the_fonts_of_every_layout_are_installed(layout: Path) -> None:
    fonts = tomllib.loads(layout.read_text())["fonts"].values()
    assert {font["package"] for font in fonts} <= {line.split()[0] for line in LINES}


def test_the_vpcd_driver_is_never_installed() -> None:
    assert not [line for line in LINES if line.startswith("vsmartcard")]


def test_no_print_service_is_ever_installed() -> None:
    assert not [line for line in LINES if line.startswith("cups")], "tools/bootstrap unpacks it: installed, it starts a service"
