"""Chip profiles from TOML; every mistake is reported at once."""

from __future__ import annotations

import copy
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from controller.chips.apdu import Command
from controller.chips.profile import find_profile, parse_profile
from controller.chips.profile_tables import ChannelTable
from controller.errors import ConfigError, Problem

SHIPPED = Path(__file__).parents[3] / "firmware_profiles" / "chips"

GOOD: dict[str, Any] = {
    "format": 2,
    "name": "tiny",
    "channel": {"kind": "icao", "card_control": 0x6FF0},
    "select": {"uid": "FFCA000000", "file": "00A4000002{fid}"},
    "read": {"block_bytes": 208, "length_prefix_bytes": 2},
    "files": [
        {"fid": 0x6FF1, "name": "biodata", "max_bytes": 100, "personalised": True, "read": "channel"},
        {"fid": 0x6FF0, "name": "card control", "max_bytes": 51, "personalised": False, "read": "free"},
    ],
    "invented": {"write": "update binary", "block_bytes": 208},
    "steps": [
        {"phase": "open", "do": "authenticate"},
        {"phase": "fresh", "do": "measure"},
        {"phase": "write", "do": "write"},
        {"phase": "read", "do": "read"},
        {"phase": "verify", "do": "read"},
    ],
    "confidence": {part: {"level": "C", "source": "somebody"}
                   for part in ("channel", "select", "read", "files", "invented", "steps")},
}  # fmt: skip
SCP03 = {"kind": "scp03", "size": 8, "level": 0x33}


SURE = {"level": "C", "source": "somebody"}


def broken(path: str, value: object) -> list[str]:
    """The texts of what is wrong once the good table has `value` at `path`."""
    return [str(problem) for problem in problems(path, value)]


def problems(path: str, value: object) -> list[Problem]:
    """What is wrong then."""
    table = copy.deepcopy(GOOD)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = table
    for step in steps:
        place = place[step]
    place[last] = value
    with pytest.raises(ConfigError) as refusal:
        parse_profile(table, "tiny.toml")
    return refusal.value.problems


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
        ("format", 1, "tiny.toml: format: Input should be 2"),
        ("channel/kind", "scp02", "tiny.toml: channel.kind: Input should be 'none', 'icao' or 'scp03'"),
        ("colour", "red", "tiny.toml: colour: is not known here"),
        ("select/uid", "FFC", "tiny.toml: select.uid: 'FFC' is not made of pairs of hex digits"),
        ("select/uid", 7, "tiny.toml: select.uid: must be a command in hex digits"),
        ("select/uid", "00A4000005AA", "tiny.toml: select.uid: Lc says 5 bytes, 1 follow"),
        ("select/file", "00A40000026FF1", "tiny.toml: select.file: must contain {fid} once"),
        ("read/block_bytes", 257, "tiny.toml: read.block_bytes: Input should be less than or equal to 255"),
        ("read/length_prefix_bytes", 4, "tiny.toml: read.length_prefix_bytes: Input should be 2"),
        ("files", [], "tiny.toml: files: lists 0 files; 1 to 64 are possible"),
        ("files", GOOD["files"] * 2, "tiny.toml: files: file ids listed more than once: 6FF1, 6FF0"),
        ("files/0/max_bytes", "100", "tiny.toml: files[0].max_bytes: Input should be a valid integer"),
        ("files/0/max_bytes", 32767, "tiny.toml: files[0].max_bytes: Input should be less than or equal to 32766"),
        ("files/0/personalised", 1, "tiny.toml: files[0].personalised: Input should be a valid boolean"),
        ("files/0/read", "anybody", "tiny.toml: files[0].read: Input should be 'free' or 'channel'"),
        ("invented/write", "magic", "tiny.toml: invented.write: Input should be 'update binary' or 'store data'"),
        ("confidence/select", "sure", "tiny.toml: confidence.select: Input should be a dictionary or an instance of Confidence"),
        ("confidence/select/level", "F", "tiny.toml: confidence.select.level: String should match pattern '^[A-E]$'"),
        ("steps/0/do", "guess", "tiny.toml: steps[0].do: Input should be 'send', 'authenticate', 'measure', 'write', 'read', "
                                "'stop if', 'require' or 'keys'"),
        ("steps/0/phase", "read", "tiny.toml: steps[0]: 'authenticate' has no place in phase 'read'"),
        ("steps/0/command", "00440000", "tiny.toml: steps[0]: 'authenticate' has no command"),
        ("steps/0", {"phase": "open", "do": "send"}, "tiny.toml: steps[0]: 'send' needs a command"),
        ("steps/0", {"phase": "lock", "do": "require", "command": "00440000"},
         "tiny.toml: steps[0]: 'require' needs path and value"),
        ("steps/0", {"phase": "lock", "do": "send", "command": "00440000", "path": [0x62], "value": "05"},
         "tiny.toml: steps[0]: 'send' has no path and value"),
        ("steps/1", {"phase": "write", "do": "write"},
         "tiny.toml: steps: needed exactly once: 'measure' (fresh), 'write' (write)"),
        ("steps", [], "tiny.toml: steps: 0 steps; 4 to 64 are possible"),
        ("steps/0", {"phase": "open", "do": "send", "command": "00440000"},
         "tiny.toml: steps[0]: 'send' needs a name: it is what a technician sees when the chip says no"),
        ("steps/4", {"phase": "verify", "do": "require", "name": "life", "command": "00440000", "path": [0x62], "value": "05"},
         "tiny.toml: steps: needed exactly once: 'read' (verify)"),
        # what one table says against another
        ("invented/block_bytes", 240, "tiny.toml: invented.block_bytes: 240; this channel holds 239"),
        ("read/block_bytes", 232, "tiny.toml: read.block_bytes: 232; this channel holds 231"),
        ("steps/0", {"phase": "open", "do": "send", "name": "go", "command": "00440000"},
         "tiny.toml: steps: channel 'icao' and 0 steps 'authenticate'"),
        ("channel/card_control", 0x6FF1, "tiny.toml: channel.card_control: is for 'icao', and names a file that is free to read"),
        ("channel", SCP03 | {"card_control": 0x6FF0},
         "tiny.toml: channel.card_control: is for 'icao', and names a file that is free to read"),
        ("invented/signature", 0x6FF0, "tiny.toml: invented.signature: is no personalised file"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(path: str, value: object, text: str) -> None:
    assert broken(path, value) == [text]


LOCK = {"phase": "lock", "do": "send", "name": "close", "command": "00440000"}
ASK = {"phase": "lock", "do": "stop if", "name": "life", "command": "00440000", "path": [0x62], "value": "05"}
PROOF = ASK | {"phase": "verify", "do": "require"}


@pytest.mark.parametrize(
    ("more", "texts"),
    [
        ([ASK, LOCK, PROOF], []),
        ([ASK, LOCK], ["tiny.toml: steps: there is a phase 'lock', and no 'require' in 'verify' that proves it"]),
        ([LOCK, ASK, PROOF],
         ["tiny.toml: steps: phase 'lock' must begin with 'stop if': after a power cut it is done again"]),
        ([ASK, {"phase": "lock", "do": "keys"}, PROOF], ["tiny.toml: keys: [keys] and a step 'keys' belong together"]),
    ],
)  # fmt: skip
def test_a_lock_is_repeatable_and_proven(more: list[dict[str, Any]], texts: list[str]) -> None:
    table = {**GOOD, "steps": [*GOOD["steps"], *more]}
    if not texts:
        assert parse_profile(table, "tiny.toml").locks
        return
    assert broken("steps", table["steps"]) == texts


def test_keys_are_for_scp03() -> None:
    table = {"version": 1, "block": "bare"}
    with pytest.raises(ConfigError) as refusal:
        parse_profile({**GOOD, "keys": table, "confidence": {**GOOD["confidence"], "keys": SURE}}, "tiny.toml")
    assert [str(problem) for problem in refusal.value.problems] == [
        "tiny.toml: keys: [keys] and a step 'keys' belong together", "tiny.toml: keys: is for 'scp03'",
    ]  # fmt: skip


def test_a_signature_file_must_hold_a_signature() -> None:
    files = [*GOOD["files"], {"fid": 0x6FF6, "name": "signature", "max_bytes": 71, "personalised": True, "read": "channel"}]
    with pytest.raises(ConfigError, match=r"invented\.signature: its file holds 71 bytes; a signature takes up to 72"):
        parse_profile({**GOOD, "files": files, "invented": {**GOOD["invented"], "signature": 0x6FF6}}, "tiny.toml")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("selct", "tiny.toml: confidence.selct: names no part of the profile"),
        ("select.uid_c", "tiny.toml: confidence.select.uid_c: names no part of the profile"),
        ("keys", "tiny.toml: confidence.keys: names no part of the profile"),
    ],
)
def test_a_row_of_confidence_that_names_nothing_is_a_mistake(row: str, text: str) -> None:
    assert broken("confidence", {**GOOD["confidence"], row: SURE}) == [text]


def test_a_part_that_nobody_vouches_for_is_a_mistake() -> None:
    rows = {part: row for part, row in GOOD["confidence"].items() if part != "read"}
    assert broken("confidence", rows) == ["tiny.toml: read: has no row in [confidence]: say how sure it is, and by whom"]


def test_a_row_may_speak_for_one_key() -> None:
    profile = parse_profile({**GOOD, "confidence": {**GOOD["confidence"], "select.uid": SURE | {"level": "E"}}}, "tiny.toml")
    assert profile.unproven == ("select.uid",)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("channel/kind", "scp02", "harus 'none', 'icao' atau 'scp03'"),
        ("read/block_bytes", 257, "paling besar 255"),
        ("files/0/max_bytes", "100", "harus bilangan bulat"),
        ("select/file", "00A40000026FF1", "harus memuat {fid} satu kali"),
        ("steps/0/phase", "read", "'authenticate' tidak boleh dalam fase 'read'"),
        ("invented/block_bytes", 240, "240; saluran ini memuat 239"),
        ("confidence/select/level", "F", "harus berbentuk ^[A-E]$"),
    ],
)
def test_a_mistake_is_told_in_indonesian_too(path: str, value: object, text: str) -> None:
    assert [problem.id for problem in problems(path, value)] == [text]


@pytest.mark.parametrize(
    ("channel", "most"),
    [
        ({"kind": "none"}, (255, 256)),
        ({"kind": "icao"}, (239, 231)),
        ({"kind": "scp03", "size": 8, "level": 0x01}, (247, 256)),
        ({"kind": "scp03", "size": 8, "level": 0x13}, (239, 248)),
        ({"kind": "scp03", "size": 8, "level": 0x33}, (239, 239)),
        ({"kind": "scp03", "size": 16, "level": 0x11}, (239, 240)),
        ({"kind": "scp03", "size": 16, "level": 0x33}, (223, 239)),
    ],
)
def test_what_fits_into_a_short_command_under_each_channel(channel: dict[str, Any], most: tuple[int, int]) -> None:
    assert ChannelTable(**channel).most_bytes == most


@pytest.mark.parametrize("name", ["ektp", "gp-scp03"])
def test_every_part_of_a_shipped_profile_says_how_sure_it_is(name: str) -> None:
    table = tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(table["confidence"]) == set(table) - {"format", "name", "confidence"}


def test_the_write_side_of_the_ektp_is_marked_as_invented() -> None:
    profile = find_profile(SHIPPED, "ektp")
    assert {profile.confidence[part].level for part in ("invented", "steps")} == {"E"}


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_profile({**GOOD, "format": 1, "read": {}, "files": [{"fid": 0}], "confidence": {}}, "tiny.toml")
    places = {problem.place for problem in refusal.value.problems}
    assert {
        "tiny.toml: format",
        "tiny.toml: read.block_bytes",
        "tiny.toml: files[0].fid",
        "tiny.toml: files[0].name",
        "tiny.toml: channel",
    } <= places


def test_a_missing_profile_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no such chip profile in .*; there are: ektp, gp-scp03"):
        find_profile(SHIPPED, "../printers/evolis-primacy")


def test_a_profile_under_another_name_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "ektp.toml", tmp_path / "other.toml")
    with pytest.raises(ConfigError, match=r"other\.toml: name: 'ektp' is not the file's name"):
        find_profile(tmp_path, "other")


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "torn.toml").write_text("format = ")
    with pytest.raises(ConfigError, match=r"torn\.toml: cannot be read: Invalid value"):
        find_profile(tmp_path, "torn")
