"""The desk reader: reads a card only while a question is open, weighs each once, and says where it belongs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from controller import desk_reader
from controller.clock import Deadline
from controller.desk_reader import DeskReader
from controller.jobs import journal, questions
from controller.jobs.evidence import LaneEvidence, Look, Phase
from controller.jobs.store import Store
from controller.model import StationSnapshot, Verdict
from controller.station import Station
from tests.fakes.chip import OTHER_UID, FakeCard, ektp, tells_only_its_uid
from tests.fakes.chip_station import FakeChipStation
from tests.fakes.full_disk import fill_disk, free_disk
from tests.fakes.interrupted import UID, ask_about, gone
from tests.fakes.lane import FILES
from tests.fakes.stock import fill

LIMIT_S = 10.0


class Reader(FakeChipStation):
    """Counts how often it is asked whether it is there."""

    checks = 0

    async def check(self) -> None:
        self.checks += 1
        await super().check()


@dataclass
class Bench:
    """A reader on the desk and what it says."""

    store: Store
    chip: Reader = field(default_factory=lambda: Reader(ektp()))
    station: Station = field(default_factory=lambda: Station("Contoh", ["1"]))
    changes: int = 0
    looks: int = 0  # how often a UID was asked for
    reads: int = 0  # commands that read the chip

    def __post_init__(self) -> None:
        self.news = asyncio.Event()
        self.station.listen(lambda _now: self.news.set())

    async def ask(self, phase: Phase = Phase.PRINTING, evidence: LaneEvidence | None = None, uid: str | None = UID) -> None:
        """A question comes up."""
        await self.store.transact(ask_about, phase, uid, evidence)

    def lay_down(self, card: FakeCard) -> None:
        """A card lies on the reader; each time its UID is asked for is counted."""
        card.wire = self._counted
        self.chip.card = card

    async def until(self, seen: Callable[[StationSnapshot], bool]) -> None:
        """Wait for the snapshot."""
        async with asyncio.timeout(LIMIT_S):
            while not seen(self.station.snapshot):
                self.news.clear()
                await self.news.wait()

    async def looked(self, times: int = 3) -> None:
        """The card that lies there is looked at so many times more."""
        async with asyncio.timeout(LIMIT_S):
            seen = self.looks
            while self.looks < seen + times:
                await asyncio.sleep(0.002)

    async def polled(self) -> None:
        """The reader is asked three times more, whatever lies on it."""
        async with asyncio.timeout(LIMIT_S):
            seen = self.chip.checks
            while self.chip.checks < seen + 6:  # a look asks twice
                await asyncio.sleep(0.002)

    def _counted(self, point: str) -> None:
        self.looks += point == "apdu CA"
        self.reads += point == "apdu B0"

    def changed(self) -> None:
        """The lanes are woken."""
        self.changes += 1


@pytest.fixture
async def bench(store: Store, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(desk_reader, "POLL_S", 0.002)  # a constant, not behaviour
    await store.transact(fill, "1", 5)
    return Bench(store)


@asynccontextmanager
async def reading(bench: Bench) -> AsyncIterator[None]:
    """The reader's task runs while the block does."""
    reader = DeskReader(bench.chip, bench.store, bench.station, 1, bench.changed)
    task = asyncio.create_task(reader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await reader.close()


async def _whole(uid: str = UID) -> FakeCard:
    card, writer = FakeCard(ektp(), uid), FakeChipStation(ektp())
    writer.card = card
    await writer.identify(Deadline.after(1))
    await writer.write(FILES, Deadline.after(1))
    return card


async def _verdict(bench: Bench) -> Verdict | None:
    return (await bench.store.read(journal.find, 1)).verdict


async def _empty(bench: Bench) -> None:
    """The reader has looked, and nothing lies there: the next card is one that somebody brings."""
    await bench.until(lambda now: now.desk_reader_up is True)


async def test_without_a_question_a_card_is_only_known_to_lie_there(bench: Bench) -> None:
    card = await _whole()
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(card)
        await bench.looked(6)
    assert (bench.reads, bench.station.snapshot.notice, bench.changes) == (0, "", 0)


async def test_the_card_that_is_asked_for_and_cannot_be_opened_is_told_and_tried_again(bench: Bench) -> None:
    card = await _whole()
    await bench.ask(evidence=gone(panels=5))
    async with reading(bench):
        await _empty(bench)
        bench.chip.card, card.wire = card, tells_only_its_uid
        await bench.until(lambda now: now.notice == "desk_unread")
        assert await _verdict(bench) is None
        bench.lay_down(card)
        await bench.until(lambda now: now.notice == "desk_good")
    assert await _verdict(bench) is Verdict.GOOD


async def test_any_other_card_that_cannot_be_opened_is_told_to_be_another_and_asked_for_no_more(bench: Bench) -> None:
    await bench.ask()
    card = FakeCard(ektp(), OTHER_UID)
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(card)
        await bench.until(lambda now: now.notice == "desk_other")
        await bench.looked()
    assert {command.ins for command in card.log} == {0xCA}


async def test_a_blank_left_lying_is_not_taken_for_the_one_that_is_asked_for_later(bench: Bench) -> None:
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(FakeCard(ektp(), UID))
        await bench.looked()
        await bench.ask(Phase.FEEDING, gone(0, ejects=True), None)
        await bench.looked()
        assert (await _verdict(bench), bench.station.snapshot.notice) == (None, "desk_lift")
        card, bench.chip.card = bench.chip.card, None  # taken away, and brought: now somebody says that it is the one
        await bench.polled()
        bench.chip.card = card
        await bench.until(lambda now: now.notice == "desk_still_blank")
    assert await _verdict(bench) is Verdict.STILL_BLANK


async def test_a_blank_that_lies_there_at_start_is_not_taken_for_the_one_that_is_asked_for(bench: Bench) -> None:
    await bench.ask(Phase.FEEDING, gone(0, ejects=True), None)
    bench.lay_down(FakeCard(ektp(), UID))
    async with reading(bench):
        await bench.looked()
    assert (await _verdict(bench), bench.station.snapshot.notice) == (None, "desk_lift")


async def test_the_very_card_answers_even_if_it_lay_there_before(bench: Bench) -> None:
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(await _whole())
        await bench.looked()
        await bench.ask(evidence=gone(panels=5))
        await bench.until(lambda now: now.notice == "desk_good")
    assert await _verdict(bench) is Verdict.GOOD


async def test_a_card_laid_in_the_place_of_another_is_a_new_one(bench: Bench) -> None:
    await bench.ask(Phase.FEEDING, gone(0, ejects=True), None)
    bench.lay_down(await _whole("04FFFFFFFFFFFF"))
    async with reading(bench):
        await bench.looked()
        bench.lay_down(FakeCard(ektp(), UID))
        await bench.until(lambda now: now.notice == "desk_still_blank")
    assert await _verdict(bench) is Verdict.STILL_BLANK


async def test_a_full_disk_is_waited_for_with_the_card_on_the_reader(bench: Bench) -> None:
    await bench.ask(evidence=gone(panels=5))
    await bench.store.read(fill_disk)
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(await _whole())
        await bench.looked()
        assert (await _verdict(bench), bench.changes) == (None, 0)
        await bench.store.read(free_disk)
        await bench.until(lambda now: now.notice == "desk_good")
    assert await _verdict(bench) is Verdict.GOOD


async def test_a_reader_that_stays_away_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.chip.absent = "reader_absent"
    async with reading(bench):
        await bench.until(lambda now: now.desk_reader_up is False)
        await bench.polled()
    assert [record.getMessage() for record in caplog.records] == ["desk reader"]


async def test_a_good_card_is_issued_and_said_so(bench: Bench) -> None:
    await bench.ask(evidence=gone(panels=5))
    bench.lay_down(await _whole())
    async with reading(bench):
        await bench.until(lambda now: now.notice == "desk_good")
    assert (await _verdict(bench), bench.changes) == (Verdict.GOOD, 1)


async def test_a_spoiled_card_belongs_into_the_reject_box(bench: Bench) -> None:
    await bench.ask()
    bench.lay_down(FakeCard(ektp(), UID))
    async with reading(bench):
        await bench.until(lambda now: now.notice == "desk_spoiled")
    assert await _verdict(bench) is Verdict.SPOILED


async def test_a_blank_belongs_into_the_hopper(bench: Bench) -> None:
    await bench.ask(Phase.FEEDING, gone(0, ejects=True), None)
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(FakeCard(ektp(), UID))
        await bench.until(lambda now: now.notice == "desk_still_blank")
    assert await _verdict(bench) is Verdict.STILL_BLANK


@pytest.mark.parametrize("card", [FakeCard(ektp(), "04FFFFFFFFFFFF"), None])
async def test_another_card_settles_nothing_and_is_weighed_once(bench: Bench, card: FakeCard | None) -> None:
    await bench.ask()
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(card or await _whole("04FFFFFFFFFFFF"))
        await bench.until(lambda now: now.notice == "desk_other")
        await bench.looked()
        assert bench.station.snapshot.notice == "desk_other"
    assert (await _verdict(bench), bench.changes) == (None, 0)


async def test_a_residents_own_card_does_not_settle_the_question_about_a_blank(bench: Bench) -> None:
    await bench.ask(Phase.FEEDING, gone(1), None)
    async with reading(bench):
        await _empty(bench)
        bench.lay_down(await _whole("04FFFFFFFFFFFF"))
        await bench.until(lambda now: now.notice == "desk_other")
    assert await _verdict(bench) is None


async def test_the_notice_goes_when_the_card_is_taken_away(bench: Bench) -> None:
    await bench.ask(evidence=gone(panels=5))
    bench.lay_down(await _whole())
    async with reading(bench):
        await bench.until(lambda now: now.notice == "desk_good")
        bench.chip.card = None
        await bench.until(lambda now: now.notice == "")


async def test_a_doubtful_face_turns_the_question_into_a_look(bench: Bench) -> None:
    await bench.ask(evidence=gone(panels=4))
    bench.lay_down(await _whole())
    async with reading(bench):
        async with asyncio.timeout(LIMIT_S):
            while not bench.changes:
                await asyncio.sleep(0.002)
        (question,) = await bench.store.read(questions.open_all)
        assert (question.kind, bench.station.snapshot.notice) == ("look", "")
        await bench.store.transact(questions.look, question.id, Look.COMPLETE, "budi", "seen", 1)
        await bench.looked()
        assert bench.station.snapshot.notice == ""  # it is good: nobody may say that it is another card
    assert await _verdict(bench) is Verdict.GOOD


@pytest.mark.parametrize("condition", ["pcsc_absent", "reader_absent"])
async def test_a_reader_that_is_away_is_said_and_tried_again(bench: Bench, condition: str) -> None:
    await bench.ask(evidence=gone(panels=5))
    bench.chip.absent = condition
    async with reading(bench):
        await bench.until(lambda now: now.desk_reader_up is False)
        bench.chip.absent = ""
        bench.lay_down(await _whole())
        await bench.until(lambda now: now.notice == "desk_good")
    assert bench.station.snapshot.desk_reader_up is True


async def test_a_card_taken_away_too_early_is_asked_for_again(bench: Bench) -> None:
    await bench.ask(evidence=gone(panels=5))
    card = await _whole()
    bench.lay_down(card)
    torn = iter([True])

    def taken_away(_point: str) -> None:
        if len(card.log) > 60 and next(torn, False):
            bench.chip.card = None

    card.wire = taken_away
    async with reading(bench):
        await bench.until(lambda now: now.desk_reader_up is not None)
        bench.lay_down(card)
        await bench.until(lambda now: now.notice == "desk_good")
