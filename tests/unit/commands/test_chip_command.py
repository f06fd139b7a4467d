"""print-station chip: what it makes of cards and of what goes wrong; over a chip station in memory."""

from __future__ import annotations

import argparse
import grp
import hashlib
import json
import os
from pathlib import Path

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.commands import chip
from controller.commands.chip_books import Known
from controller.commands.chip_findings import BAD, EMPTY, NOTHING, Finding, as_json, as_text, trouble
from controller.conditions import CONDITIONS
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.model import ChipFile
from controller.setup import read_setup
from tests.fakes.chip import UID, FakeCard, Faults, contents
from tests.fakes.chip_station import FakeChipStation

STATION = Path(__file__).parents[3] / "examples" / "station.toml"
FIELDS = ["3171234567890123", *["-"] * 12, "SUTEJO, S.H."]


def now() -> Deadline:
    return Deadline.after(1)


async def make(station: FakeChipStation, files: list[ChipFile], *, closed: bool = True) -> None:
    """A card as the station leaves it."""
    await station.identify(now())
    await station.write(files, now())
    if closed:
        await station.finish([], now())
    await station.release()


async def looked(station: FakeChipStation, profile: ChipProfile, said: Known = Known.NOTHING, *, whose: bool = False) -> Finding:
    return await chip.look(station, profile, lambda _uid: said, now(), whose=whose)


# check and read


async def test_an_empty_blank_is_never_to_be_handed_over_when_it_is_printed(
    station: FakeChipStation, profile: ChipProfile
) -> None:
    finding = await looked(station, profile)
    assert (finding.exit_code, finding.uid) == (EMPTY, UID)
    assert as_text(finding)[1].startswith("KOSONG: belum ada isi di chip: baik sebagai blangko; bila kartu ini sudah dicetak, ")
    assert as_text(finding)[2].endswith("good as a blank; when this card is printed, do not hand it over.")


async def test_a_complete_card_is_good_and_nothing_tells_whose(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, [ChipFile(0x6FF1, _biodata())])
    finding = await looked(station, profile)
    said = "\n".join(as_text(finding)) + json.dumps(as_json(finding))
    assert "    GOOD: the chip is complete and closed, signed by the centre; " in said
    assert f"  6FF1  {len(_biodata()):5} bytes\n" in said
    assert "3171234567890123" not in said
    assert "SUTEJO" not in said


async def test_no_digest_tells_who_knows_the_residents_whose_it_is(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, [ChipFile(0x6FF1, _biodata())])
    finding = await looked(station, profile)
    said = "\n".join(as_text(finding)) + json.dumps(as_json(finding))
    assert "sha" not in said.lower()
    assert hashlib.sha256(_biodata()).hexdigest()[:8] not in said


async def test_whose_it_is_is_told_when_asked(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, [ChipFile(0x6FF1, _biodata())])
    finding = await looked(station, profile, whose=True)
    assert as_text(finding)[-1] == "  3171234567890123  SUTEJO, S.H."
    assert (as_json(finding)["nik"], as_json(finding)["name"]) == ("3171234567890123", "SUTEJO, S.H.")
    digest = hashlib.sha256(_biodata()).hexdigest()[:16]
    assert as_json(finding)["files"][0] == {"file": "6FF1", "bytes": len(_biodata()), "sha256": digest}
    assert f"  6FF1  {len(_biodata()):5} bytes  SHA-256 {digest}…" in as_text(finding)


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"a\rb", b'"' * 20])
def test_biodata_that_makes_no_sense_names_nobody(content: bytes) -> None:
    assert chip.owner([ChipFile(0x6FF1, content)]) == ("?", "?")


def test_a_name_does_not_steer_the_terminal() -> None:
    assert chip.owner([ChipFile(0x6FF1, _biodata().replace(b"SUTEJO", b"\x1b[2JSUTEJO"))])[1] == "?[2JSUTEJO, S.H."


async def test_a_card_that_was_not_closed_is_not_good(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60), closed=False)
    finding = await looked(station, profile)
    assert (finding.code, finding.exit_code) == ("unfinished", BAD)
    assert finding.detail == "read the life cycle: it is not as it must be"


async def test_a_chip_with_other_keys_is_none_of_ours(station: FakeChipStation, profile: ChipProfile) -> None:
    station.card = FakeCard(profile, faults=Faults(answers=dict.fromkeys(range(1, 20), "6300")))
    finding = await looked(station, profile)
    assert (finding.code, finding.exit_code, finding.remarks) == ("strange", BAD, ("all_strange",))


async def test_an_empty_chip_that_is_closed_is_no_blank(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, [])
    assert (await looked(station, profile)).code == "closed_empty"


async def test_nothing_on_the_reader_is_told_with_what_it_may_be(station: FakeChipStation, profile: ChipProfile) -> None:
    station.card = None
    finding = await looked(station, profile)
    assert finding.exit_code == NOTHING
    assert "lay one card flat on the reader and try again. Still silent: its chip is dead" in as_text(finding)[1]


async def test_a_card_that_is_taken_away_is_not_called_bad(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60))
    assert station.card is not None
    station.card.faults = Faults(dies_at_apdu=len(station.card.log) + 20)
    finding = await looked(station, profile)
    assert (finding.code, finding.exit_code, finding.uid) == ("lost", NOTHING, UID)


@pytest.mark.parametrize(
    ("said", "code"),
    [(Known.ISSUED, "complete"), (Known.SPOILED, "spoiled"), (Known.OPEN, "open"), (Known.DESTROYED, "destroyed"),
     (Known.UNLISTED, "complete"), (Known.NO_BOOKS, "complete")],
)  # fmt: skip
async def test_a_complete_chip_is_judged_by_the_books_too(
    station: FakeChipStation, profile: ChipProfile, said: Known, code: str
) -> None:
    await make(station, contents(profile, 60))
    assert (await looked(station, profile, said)).code == code


@pytest.mark.parametrize(("said", "code"), [(Known.ISSUED, "unfinished"), (Known.SPOILED, "spoiled"), (Known.NOTHING, "empty")])
async def test_an_empty_chip_that_was_used_is_no_blank(
    station: FakeChipStation, profile: ChipProfile, said: Known, code: str
) -> None:
    assert (await looked(station, profile, said)).code == code


async def test_books_that_cannot_be_read_are_remarked(station: FakeChipStation, profile: ChipProfile) -> None:
    finding = await looked(station, profile, Known.UNREADABLE)
    assert "    Only the chip was looked at: the station's books cannot be read here." in as_text(finding)


@pytest.mark.parametrize("condition", ["reader_busy", "sam_busy"])
def test_what_a_running_station_holds_is_said_with_what_to_do(condition: str) -> None:
    said = as_text(trouble(DeviceAbsent(condition, "another program holds it"), None, "strange"))
    assert said[0].startswith("TIDAK DIPERIKSA: pembaca atau SAM dipakai program lain")
    assert said[1].endswith("stop it first (systemctl stop print-station), or use another reader.")
    assert said[2] == f"    [{condition}: another program holds it]"


def test_a_condition_that_no_row_knows_is_told_as_the_lane_would() -> None:
    finding = trouble(DeviceUnknown("reader_lost", "0x80100017"), UID, "unfinished")
    assert (finding.exit_code, as_json(finding)["en"]) == (NOTHING, CONDITIONS["reader_lost"].en)


# options


@pytest.mark.parametrize("words", [("read", "--whose"), ("check", "--trace", "--unmasked"), ("wipe-test", "--yes", "--unmasked")])
def test_nobody_but_the_counter_sees_whose_it_is(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert chip.run(_arguments(*words)) == NOTHING
    said = capsys.readouterr()
    assert "hanya anggota grup ktp-counter" in said.err
    assert "only members of the group ktp-counter may see whose a card is" in said.err
    assert said.out == ""


def test_who_is_in_the_group_may_see_it() -> None:
    assert chip.is_member(grp.getgrgid(os.getgid()).gr_name)
    assert not chip.is_member("no-such-group")


def test_the_group_of_the_counter_is_made_by_the_package() -> None:
    text = (STATION.parents[1] / "systemd" / "print-station.sysusers").read_text(encoding="utf-8")
    assert chip.ROLE_GROUP in [line.split()[1] for line in text.splitlines() if line.startswith("g ")]


def test_a_lane_that_does_not_exist_is_told_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert chip.run(_arguments("check", "--lane", "9")) == NOTHING
    assert "--lane: sebut salah satu jalur: 1.\n    name one of the lanes: 1.\n" in capsys.readouterr().err


def test_a_blank_is_only_written_when_the_person_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _arguments("wipe-test")
    assert "--yes" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "601", "soon"])
def test_a_wait_that_makes_no_sense_is_wrong_usage(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _arguments("check", "--wait", seconds)
    assert ended.value.code == 2
    assert "--wait" in capsys.readouterr().err


def test_a_missing_configuration_is_told_in_both_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert chip.run(_arguments("check", config=tmp_path / "station.toml")) == NOTHING
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_station_believes_the_signatures_that_its_file_names() -> None:
    setup = read_setup(STATION)
    assert setup.signature is not None
    assert setup.signature.fid == 0x6FF6


def _arguments(*words: str, config: Path = STATION) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    chip.configure(parser)
    return parser.parse_args([*words, "--config", str(config)])


def _biodata() -> bytes:
    return ",".join(f'"{value}"' for value in FIELDS).encode()
