"""print-station chip: what it makes of cards; over a chip station in memory."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.commands import chip
from controller.errors import CardWrong, ConfigError, DeviceRefused
from controller.model import ChipFile
from controller.setup import read_setup
from tests.fakes.chip import UID, FakeCard, FakeChipStation, Faults, contents, shipped

STATION = Path(__file__).parents[3] / "examples" / "station.toml"


@pytest.fixture(params=["ektp", "gp-scp03"])
def profile(request: pytest.FixtureRequest) -> ChipProfile:
    return shipped(request.param)


@pytest.fixture
def station(profile: ChipProfile) -> FakeChipStation:
    station = FakeChipStation(profile)
    station.card = FakeCard(profile)
    return station


def now() -> Deadline:
    return Deadline.after(1)


async def make(station: FakeChipStation, files: list[ChipFile], *, closed: bool = True) -> None:
    """A card as the station leaves it."""
    await station.identify(now())
    await station.write(files, now())
    if closed:
        await station.finish([], now())
    await station.release()


async def looked(station: FakeChipStation, profile: ChipProfile, *, sizes: bool = False, whose: bool = False) -> list[str]:
    said: list[str] = []
    await chip.look(station, profile, now(), said.append, sizes=sizes, whose=whose)
    return said


async def test_an_empty_blank_is_good(station: FakeChipStation, profile: ChipProfile) -> None:
    assert await looked(station, profile) == [f"chip {UID}", "GOOD: an empty blank"]


async def test_a_complete_card_is_good_and_nothing_tells_whose(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60))
    said = await looked(station, profile, sizes=True)
    assert said[1] == "GOOD: complete and closed, signed by the centre"
    assert said[2].startswith("  6FF1     60 bytes  SHA-256 ")
    assert len(said) == 8


async def test_whose_it_is_is_told_when_asked(station: FakeChipStation, profile: ChipProfile) -> None:
    fields = ",".join(f'"{value}"' for value in ["3171234567890123", *["-"] * 12, "SUTEJO, S.H."])
    await make(station, [ChipFile(0x6FF1, fields.encode())])
    assert (await looked(station, profile, whose=True))[-1] == "  3171234567890123  SUTEJO, S.H."


def test_biodata_that_makes_no_sense_names_nobody() -> None:
    assert chip.owner([ChipFile(0x6FF1, b"\xff\x00")]) == "the biodata cannot be read"


async def test_a_card_that_was_not_closed_is_not_good(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60), closed=False)
    with pytest.raises(DeviceRefused, match="read the life cycle: it is not as it must be"):
        await looked(station, profile)


async def test_a_reader_that_writes_leaves_the_blank_empty(station: FakeChipStation, profile: ChipProfile) -> None:
    said: list[str] = []
    await chip.wipe_test(station, profile, now(), said.append)
    assert said[1].startswith("GOOD: 3078 bytes written and read back in ")
    assert station.card is not None
    assert not any(any(cells) for fid, cells in station.card.memory.items() if fid != 0x6FF0)


async def test_a_card_that_holds_anything_else_is_not_touched(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60), closed=False)
    assert station.card is not None
    before = station.card.image()
    with pytest.raises(CardWrong, match="the card holds something else than this test: it was not touched"):
        await chip.wipe_test(station, profile, now(), print)
    assert station.card.image() == before


async def test_a_test_that_was_broken_off_is_made_good_by_the_next(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, chip.test_pattern(profile)[:2], closed=False)
    said: list[str] = []
    await chip.wipe_test(station, profile, now(), said.append)
    assert said[1].startswith("GOOD")


async def test_a_memory_that_fails_is_told(station: FakeChipStation, profile: ChipProfile) -> None:
    await station.identify(now())
    assert station.card is not None
    look = len(station.card.log)
    station.card.faults = Faults(answers={2 * look + 2: "6581"})
    with pytest.raises(DeviceRefused, match="6581, memory failure"):
        await chip.wipe_test(station, profile, now(), print)


def _arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    chip.configure(parser)
    return parser.parse_args([*words, "--config", str(STATION)])


@pytest.mark.parametrize("words", [("read", "--whose"), ("check", "--trace", "--unmasked")])
def test_nobody_but_the_counter_sees_whose_it_is(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert chip.run(_arguments(*words)) == 1
    assert "only members of the group ktp-counter may see whose a card is" in capsys.readouterr().err


def test_a_lane_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"--lane: name one of the lanes: 1\."):
        chip.run(_arguments("check", "--lane", "9"))


def test_a_blank_is_only_written_when_the_person_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _arguments("wipe-test")
    assert "--yes" in capsys.readouterr().err


def test_the_station_believes_the_signatures_that_its_file_names() -> None:
    setup = read_setup(STATION)
    assert isinstance(setup.signature, ContentSignature)
    assert setup.signature.fid == 0x6FF6
