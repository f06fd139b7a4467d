"""Chip profiles from TOML; every mistake is reported at once."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from controller.chips.apdu import Command
from controller.chips.profile import find_profile, parse_profile
from controller.errors import ConfigError

SHIPPED = Path(__file__).parents[3] / "firmware_profiles" / "chips"

GOOD: dict[str, Any] = {
    "format": 1,
    "name": "tiny",
    "secure_channel": "none",
    "select": {"uid": "FFCA000000", "df": "00A40000027F0A", "file": "00A4000002{fid}"},
    "read": {"block_bytes": 248, "length_prefix_bytes": 2},
    "files": [{"fid": 0x6FF1, "name": "biodata", "max_bytes": 100, "personalised": True}],
    "invented": {"write_ins": 0xD6, "write_block_bytes": 240},
    "confidence": {"select": "C"},
}


def broken(path: str, value: object) -> list[str]:
    """The texts of what is wrong once the good table has `value` at `path`."""
    table = copy.deepcopy(GOOD)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = table
    for step in steps:
        place = place[step]
    place[last] = value
    with pytest.raises(ConfigError) as refusal:
        parse_profile(table, "tiny.toml")
    return [str(problem) for problem in refusal.value.problems]


def test_the_shipped_profile_tells_intake_what_a_record_must_bring() -> None:
    limits = {0x6FF1: 1024, 0x6FF2: 4096, 0x6FF3: 1024, 0x6FF4: 1024, 0x6FF5: 1024, 0x6FF6: 78}
    assert find_profile(SHIPPED, "ektp").max_bytes == limits


def test_a_file_is_selected_by_its_id() -> None:
    assert parse_profile(GOOD, "tiny.toml").select_file(0x6FF1) == Command(0x00, 0xA4, 0, 0, b"\x6f\xf1")


def test_a_file_the_chip_has_not_has_no_row() -> None:
    profile = parse_profile(GOOD, "tiny.toml")
    assert profile.row(0x6FF9) is None
    assert profile.row(0x6FF1) == profile.files[0]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("format", 2, "tiny.toml: format: Input should be 1"),
        ("secure_channel", "scp03", "tiny.toml: secure_channel: Input should be 'none'"),
        ("colour", "red", "tiny.toml: colour: is not known here"),
        ("select/uid", "FFC", "tiny.toml: select.uid: 'FFC' is not made of pairs of hex digits"),
        ("select/uid", 7, "tiny.toml: select.uid: must be a command in hex digits"),
        ("select/df", "00A4000005AA", "tiny.toml: select.df: Lc says 5 bytes, 1 follow"),
        ("select/file", "00A40000026FF1", "tiny.toml: select.file: must contain {fid} once"),
        ("read/block_bytes", 257, "tiny.toml: read.block_bytes: Input should be less than or equal to 256"),
        ("read/length_prefix_bytes", 4, "tiny.toml: read.length_prefix_bytes: Input should be 2"),
        ("files", [], "tiny.toml: files: lists 0 files; 1 to 64 are possible"),
        ("files", GOOD["files"] * 2, "tiny.toml: files: file ids listed more than once: 6FF1"),
        ("files/0/max_bytes", "100", "tiny.toml: files[0].max_bytes: Input should be a valid integer"),
        ("files/0/max_bytes", 32767, "tiny.toml: files[0].max_bytes: Input should be less than or equal to 32766"),
        ("files/0/personalised", 1, "tiny.toml: files[0].personalised: Input should be a valid boolean"),
        ("invented/write_block_bytes", 256, "tiny.toml: invented.write_block_bytes: Input should be less than or equal to 255"),
        ("confidence/select", "sure", "tiny.toml: confidence.select: String should match pattern '^[A-E]$'"),
    ],
)
def test_a_mistake_is_told_with_its_place(path: str, value: object, text: str) -> None:
    assert broken(path, value) == [text]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_profile({**GOOD, "format": 2, "read": {}, "files": [{"fid": 0}]}, "tiny.toml")
    places = {problem.place for problem in refusal.value.problems}
    assert {"tiny.toml: format", "tiny.toml: read.block_bytes", "tiny.toml: files[0].fid", "tiny.toml: files[0].name"} <= places


def test_a_missing_profile_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no such chip profile in .*; there are: ektp"):
        find_profile(SHIPPED, "../printers/evolis-primacy")


def test_a_profile_under_another_name_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "ektp.toml", tmp_path / "other.toml")
    with pytest.raises(ConfigError, match=r"other\.toml: name: 'ektp' is not the file's name"):
        find_profile(tmp_path, "other")


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.toml").write_text("format = ")
    with pytest.raises(ConfigError, match=r"torn\.toml: cannot be read: Invalid value"):
        find_profile(tmp_path, "torn")
