"""print-station chip wipe-test: what it writes, what it never touches, and that it leaves a blank empty."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.commands import chip_wipe
from controller.commands.chip_books import Known
from controller.commands.chip_findings import BAD, GOOD, as_text
from controller.commands.chip_wipe import WipeTest
from controller.model import ChipFile
from tests.fakes.chip import OTHER_UID, FakeCard, Faults, contents
from tests.fakes.chip_station import FakeChipStation
from tests.unit.commands.test_chip_command import make, now


def the_test(station: FakeChipStation, profile: ChipProfile, said: Known = Known.NOTHING) -> WipeTest:
    return WipeTest(station, profile, lambda _uid: said, lambda: None)


def written(station: FakeChipStation) -> bool:
    """Whether anything is left on the chip besides its card control."""
    assert station.card is not None
    return any(any(cells) for fid, cells in station.card.memory.items() if fid != 0x6FF0)


async def test_a_reader_that_writes_leaves_the_blank_empty(station: FakeChipStation, profile: ChipProfile) -> None:
    finding = await the_test(station, profile).run(now())
    assert finding.exit_code == GOOD
    assert "this reader writes and reads as it must (3078 bytes, " in as_text(finding)[2]
    assert not written(station)


async def test_a_card_that_holds_anything_else_is_not_touched(station: FakeChipStation, profile: ChipProfile) -> None:
    await make(station, contents(profile, 60), closed=False)
    assert station.card is not None
    before = station.card.image()
    finding = await the_test(station, profile).run(now())
    assert (finding.code, finding.exit_code) == ("not_blank", BAD)
    assert station.card.image() == before


@pytest.mark.parametrize(
    ("said", "code"),
    [(Known.ISSUED, "not_blank"), (Known.OPEN, "open"), (Known.SPOILED, "spoiled"), (Known.DESTROYED, "destroyed"),
     (Known.UNREADABLE, "no_books")],
)  # fmt: skip
async def test_a_card_that_the_station_knows_is_not_touched_though_it_is_empty(
    station: FakeChipStation, profile: ChipProfile, said: Known, code: str
) -> None:
    finding = await the_test(station, profile, said).run(now())
    assert (finding.code, finding.remarks) == (code, ())
    assert station.card is not None
    assert station.card.written_bytes == 0


async def test_a_test_that_was_broken_off_by_a_power_cut_is_made_good_by_the_next(
    station: FakeChipStation, profile: ChipProfile
) -> None:
    await make(station, chip_wipe.pattern_of(profile)[:2], closed=False)
    assert (await the_test(station, profile).run(now())).exit_code == GOOD
    assert not written(station)


async def test_a_memory_that_fails_is_told_and_the_blank_is_emptied(station: FakeChipStation, profile: ChipProfile) -> None:
    await station.identify(now())
    assert station.card is not None
    look = len(station.card.log)
    station.card.faults = Faults(answers={2 * look + 4: "6581"})
    finding = await the_test(station, profile).run(now())
    assert (finding.code, finding.exit_code, finding.remarks) == ("no_write", BAD, ("emptied",))
    assert "6581, memory failure" in finding.detail
    assert not written(station)


class TakenAway(FakeChipStation):
    """The card is taken away while it is read back; `back` lies there afterwards."""

    back: FakeCard | None = None

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        self.card = self.back
        return await super().read(fids, deadline)


async def test_a_card_that_is_taken_away_and_does_not_come_back_is_said_to_be_full(profile: ChipProfile) -> None:
    station = TakenAway(profile)
    station.card = FakeCard(profile)
    finding = await the_test(station, profile).run(now())
    assert (finding.code, finding.remarks) == ("lost", ("left",))
    assert "    The test's pattern may still be on the chip: lay this blank down again and repeat wipe-test; " in (
        "\n".join(as_text(finding))
    )


async def test_another_card_that_comes_back_is_not_written(profile: ChipProfile) -> None:
    station = TakenAway(profile)
    station.card, station.back = FakeCard(profile), FakeCard(profile, uid=OTHER_UID)
    finding = await the_test(station, profile).run(now())
    assert finding.remarks == ("left",)
    assert station.back.written_bytes == 0


class MetTheStation(FakeChipStation):
    """The station gets hold of the chip after the test has read it back."""

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        read = await super().read(fids, deadline)
        await self.write([ChipFile(0x6FF1, b"of a resident")], deadline)
        return read


async def test_a_chip_that_the_station_wrote_meanwhile_is_not_overwritten(profile: ChipProfile) -> None:
    station = MetTheStation(profile)
    station.card = FakeCard(profile)
    finding = await the_test(station, profile).run(now())
    assert (finding.code, finding.remarks) == ("not_emptied", ("left",))
    await station.identify(now())
    assert await FakeChipStation.read(station, [0x6FF1], now()) == [ChipFile(0x6FF1, b"of a resident")]


async def test_a_chip_that_the_books_know_meanwhile_is_not_overwritten(station: FakeChipStation, profile: ChipProfile) -> None:
    said = iter((Known.NOTHING, Known.OPEN))
    test = WipeTest(station, profile, lambda _uid: next(said), lambda: None)
    finding = await test.run(now())
    assert (finding.code, finding.remarks) == ("not_emptied", ("left",))
    await station.identify(now())
    assert await station.read([0x6FF1], now()) == chip_wipe.pattern_of(profile)[:1]


class ReadsWrong(FakeChipStation):
    """What is read back is not what was written, and stays so."""

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        return [ChipFile(file.fid, file.content[::-1]) for file in await super().read(fids, deadline)]


async def test_a_blank_that_reads_wrong_is_emptied_all_the_same(profile: ChipProfile) -> None:
    station = ReadsWrong(profile)
    station.card = FakeCard(profile)
    finding = await the_test(station, profile).run(now())
    assert (finding.code, finding.remarks) == ("writes_wrong", ("emptied",))


class NeverReads(FakeChipStation):
    """Reading takes for ever, the first time."""

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        if not hasattr(self, "reads"):
            self.reads = True
            await asyncio.Event().wait()
        return await super().read(fids, deadline)


async def test_a_person_who_stops_the_test_gets_an_empty_blank(profile: ChipProfile) -> None:
    station = NeverReads(profile)
    station.card = FakeCard(profile)
    test = the_test(station, profile)
    task = asyncio.ensure_future(test.run(now()))
    async with asyncio.timeout(10):
        while not hasattr(station, "reads"):
            await asyncio.sleep(0)
    assert written(station)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert test.state == ("emptied",)
    assert not written(station)
