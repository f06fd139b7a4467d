"""A configuration with mistakes: `check-config` names every one with its place, and `run` refuses with the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.commands.run import NEEDS_A_PERSON
from tools.rig import ROOT, Rig

EXAMPLE = (ROOT / "examples" / "station.toml").read_text(encoding="utf-8")
FIVE = {
    "max_remakes = 1": 'max_remakes = "often"\nmax_reject_in_row = 3',
    '"127.0.0.1:8631"': '"0.0.0.0:8631"',
    "bin_full = 12": "bin_full = 28",
    "baud = 9600": "",
    'port = "build/run/display"': "",
}
FIVE_OF_ANY_KIND = {
    "max_remakes = 1": "max_remakes = 9",
    'profile = "evolis-primacy"': 'profile = "evolis-primecy"',
    'lane 1 00 00", profile = "ektp"': 'lane 1 00 00", profile = "ektp2"',
    "bin_full = 12": "bin_full = 5",
    "0UVflsA/": "0UVf",
}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """For its commands; nothing runs."""
    return Rig(tmp_path)


def _broken(folder: Path, changes: dict[str, str]) -> Path:
    text = EXAMPLE
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "broken.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        (FIVE, ["station.max_remakes", "station.max_reject_in_row", "http.listen[1]", "lanes[0].pins.bin_full", "display.port"]),
        (
            FIVE_OF_ANY_KIND,
            ["station.max_remakes", "lanes[0].printer.profile", "lanes[0].reader.profile", "lanes[0].pins.bin_full",
             "centre_keys[0].public_key"],
        ),
    ],
)  # fmt: skip
def test_five_mistakes_are_all_said_with_their_places(
    rig: Rig, tmp_path: Path, changes: dict[str, str], places: list[str]
) -> None:
    path = _broken(tmp_path, changes)
    checked, run = rig.command("check-config", path), rig.command("run", "--config", path)
    assert (checked.returncode, checked.stdout, run.returncode, run.stdout) == (1, "", 1, "")
    for place in places:
        assert f"{path}: {place}" in checked.stderr
        assert place in run.stderr
    assert "Traceback" not in run.stderr


def test_an_unknown_key_names_the_nearest_one(rig: Rig, tmp_path: Path) -> None:
    checked = rig.command("check-config", _broken(tmp_path, FIVE))
    assert "kunci tidak dikenal; mungkin maksudnya 'max_rejects_in_row'" in checked.stderr
    assert "unknown key; did you mean 'max_rejects_in_row'" in checked.stderr


NO_CONFIGURATIONS = [(b"[station", "is not valid TOML"), (b"\xff", "cannot be read"), (None, "cannot be read")]


@pytest.mark.parametrize(("content", "said"), NO_CONFIGURATIONS)
def test_a_file_that_is_no_configuration(rig: Rig, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "other.toml"
    if content is not None:
        path.write_bytes(content)
    for command in (("check-config", path), ("run", "--config", path)):
        refused = rig.command(*command)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_state_folder_that_cannot_be_used_is_said(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    refused = rig.command("run", "--config", rig.config)
    assert refused.returncode == 1
    assert f"{tmp_path / 'state'}: cannot be used as the state folder" in refused.stderr


def test_a_foreign_database_is_left_alone(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "station.db").write_bytes(b"no database at all, " * 200)
    refused = rig.command("run", "--config", rig.config)
    assert (refused.returncode, "print-station store restore" in refused.stderr) == (NEEDS_A_PERSON, True)
    assert "Traceback" not in refused.stderr
    assert (tmp_path / "state" / "station.db").read_bytes() == b"no database at all, " * 200
