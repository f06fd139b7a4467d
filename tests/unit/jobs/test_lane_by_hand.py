"""The work of a lane that is fed by hand: what lets a passage begin, what the display asks for, and what answers a question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.errors import DeviceUnknown
from controller.jobs import (
    batches,
    beside,
    by_hand,
    journal,
    lane_calls,
    lane_doubts,
    lane_rescue,
    ledger,
    questions,
    queue,
    rescue,
    stock,
)
from controller.jobs.evidence import Look
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.workshop import Workshop
from controller.model import Balance, JobState, LaneStatus, Verdict
from tests.crash.station import Painter
from tests.fakes.by_hand import HandLane
from tests.fakes.chip import Faults
from tests.fakes.lane import FILES, PANELS, Card
from tests.fakes.working_lane import AtWork, working

STACK = 5


@dataclass
class Site(AtWork):
    """One lane at work, and a person who obeys the display unless `ignores` says otherwise."""

    store: Store
    spool: Spool
    lane: HandLane = field(default_factory=HandLane)
    taken: set[int] = field(default_factory=set)
    ignores: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)  # every condition, once in a row

    def __post_init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """A new daemon over the same world."""
        workshop = Workshop(self.store, self.spool, Painter(), self.spool.folder.parent / "rendered", lambda _path: PANELS,
                            lambda _record: FILES, self.taken)  # fmt: skip
        links = LaneLinks(lambda: False, lambda: True, self._status, lambda _stage, _seconds: None, self.over, self.ruled)
        policy = LanePolicy("external", True, "reader 1", max_remakes=1, max_rejects_in_row=3)
        self.worker = LaneWorker("1", self.lane.devices, self.store, self.spool, workshop, policy, links)

    async def begin(self, jobs: int = 1) -> None:
        """Blanks in the stack and jobs in the queue."""
        uids = [card.chip.uid for card in self.lane.load(STACK)]
        await self.store.transact(batches.receive, "B1", STACK, "d", "ani", "new", uids)
        await self.store.transact(stock.load, "1", STACK, "ani", "new")
        for number in range(jobs):
            await self.store.transact(queue.accept, self.spool, f"d{number}", f"r{number}", b"{}")

    async def until_over(self, count: int = 1) -> None:
        await self.until(lambda: len(self.results) >= count)

    async def balance(self) -> Balance:
        return await self.store.read(ledger.of_lane, "1")

    async def job(self) -> JobState:
        return (await self.store.read(queue.find, 1)).state

    async def kinds(self) -> list[str]:
        return await self.store.read(lambda db: [row[0] for row in db.execute("SELECT kind FROM incident")])

    def _status(self, status: LaneStatus) -> None:
        if status.condition is not None and status.condition not in self.seen[-1:]:
            self.seen.append(status.condition)
        if status.condition not in self.ignores:
            self.lane.obey(status.condition)
        self.news.set()


@pytest.fixture
async def site(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Site:
    for module, name, value in ((by_hand, "POLL_S", 0.001), (lane_calls, "POLL_S", 0.01), (beside, "SHOWN_S", 0.0),
                                (lane_doubts, "BACK_OFF_S", (0.01, 0.02)),
                                (lane_rescue, "RESCUE_BACK_OFF_S", (0.01, 0.02))):  # fmt: skip
        monkeypatch.setattr(module, name, value)  # constants, not behaviour
    return Site(store, spool)


async def test_the_display_leads_a_person_through_two_cards(site: Site) -> None:
    await site.begin(jobs=2)
    async with working(site):
        await site.until_over(2)
        await site.until(lambda: len(site.lane.output) == 2)
    assert site.seen == ["lay_blank", "feed_by_hand", "lay_printed", "take_card_away"] * 2
    assert [card.face_complete for card in site.lane.output] == [True, True]
    assert await site.balance() == Balance(STACK - 2)


async def test_no_blank_is_asked_for_while_nothing_has_to_be_made(site: Site) -> None:
    await site.begin(jobs=0)
    async with working(site):
        await site.until(lambda: site.worker.status.activity == "idle")
    assert (site.seen, site.lane.reader) == ([], None)


async def _lay(site: Site, *, spoil: Callable[[Card], object]) -> None:
    """A card from the stack lies on the reader before the lane starts, with something about it."""
    await site.begin()
    card = site.lane.hopper.popleft()
    spoil(card)
    site.lane.bring(card)


async def _shows(site: Site, condition: str) -> None:
    """The lane asks for something else than the card that lies there, and no passage is begun."""
    site.ignores.add(condition)
    async with working(site):
        await site.until_waiting_for(condition)
    assert (await site.job(), await site.balance(), site.results) == (JobState.READY, Balance(STACK), [])


async def test_a_card_that_holds_data_and_is_not_ours_begins_nothing(site: Site) -> None:
    await _lay(site, spoil=lambda card: card.chip.memory[0x6FF1].__setitem__(slice(0, 2), b"\x00\x05"))
    await _shows(site, "lay_other")


async def test_a_chip_that_was_destroyed_begins_nothing(site: Site) -> None:
    await _lay(site, spoil=lambda _card: None)
    uid = site.lane.loose()[0].chip.uid
    await site.store.transact(lambda db: db.execute("INSERT INTO destroyed_uid (uid, entry_id) VALUES (?, 1)", (uid,)))
    await _shows(site, "chip_destroyed")


async def test_a_chip_that_no_batch_lists_begins_nothing(site: Site) -> None:
    await _lay(site, spoil=lambda card: setattr(card.chip, "uid", "04FFFFFFFFFFFF"))
    await _shows(site, "chip_unknown")


async def test_a_chip_that_refuses_to_be_read_is_named(site: Site) -> None:
    await _lay(site, spoil=lambda card: setattr(card.chip, "faults", Faults(answers={0: "6f00"})))
    await _shows(site, "chip_refused")


async def test_a_spoiled_card_has_to_leave_the_reader_before_the_next(site: Site) -> None:
    await site.begin()
    site.lane.hopper[0].chip.faults = Faults(answers={50: "6581"})
    async with working(site):
        await site.until_over(2)
    assert [result.verdict for result in site.results] == [Verdict.SPOILED, Verdict.GOOD]
    assert site.seen[:4] == ["lay_blank", "to_reject_box", "lay_blank", "feed_by_hand"]
    assert (await site.balance(), len(site.lane.rejected)) == (Balance(STACK - 2, 0, 1), 1)


async def test_a_finished_card_is_never_taken_for_a_blank(site: Site) -> None:
    await site.begin(jobs=2)
    site.ignores.add("take_card_away")
    async with working(site):
        await site.until_waiting_for("take_card_away")
        await site.until(lambda: site.worker.status.condition == "take_card_away")
    assert (len(site.results), site.lane.reader is not None) == (1, True)


async def test_another_lane_may_have_the_job_while_nobody_lays_a_blank(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "SHARE_S", 0.02)
    await site.begin()
    site.ignores.add("lay_blank")
    async with working(site):
        await site.until_waiting_for("lay_blank")
        assert site.taken == {1}
        while site.taken:
            await asyncio.sleep(0.001)
        await site.until(lambda: site.taken == {1})


async def test_the_next_blank_laid_down_for_the_printed_card_costs_one_look(site: Site) -> None:
    await site.begin()
    site.lane.mistaken = True
    async with working(site):
        await site.until_waiting_for("ask_look")
        (question,) = await site.store.read(questions.open_all)
        await site.store.transact(questions.look, question.id, Look.COMPLETE, "budi", "seen", 1)
        await site.until_waiting_for("take_card_away")
    assert site.seen[:5] == ["lay_blank", "feed_by_hand", "lay_printed", "lay_other", "ask_look"]
    assert (await site.job(), len(site.lane.hopper), await site.balance()) == (JobState.ISSUED, STACK - 1, Balance(STACK - 1))


async def test_a_face_that_went_onto_another_blank_is_found_out_and_the_blanks_are_counted(site: Site) -> None:
    """The person puts the next blank into the slot, brings that back, and only then the written card."""
    await site.begin()
    site.lane.swapped = True
    async with working(site):
        await site.until_waiting_for("ask_look")
        (question,) = await site.store.read(questions.open_all)
        assert site.lane.reader is not None
        assert site.lane.reader.prints == 0
        await site.store.transact(questions.look, question.id, Look.SPOILED, "budi", "empty", 1)
        site.ignores.add("lay_blank")
        await site.until(lambda: len(site.lane.rejected) == 1)
    assert await site.job() is JobState.READY
    assert "count_required" in await site.kinds()


async def _interrupt_at_print(site: Site) -> None:
    def strike() -> None:
        site.lane.after.clear()
        raise DeviceUnknown("printer_lost", "cable")

    site.lane.after["print_by_hand"] = strike


async def test_a_printed_card_answers_on_the_lanes_own_reader(site: Site) -> None:
    await site.begin()
    await _interrupt_at_print(site)
    async with working(site):
        await site.until_waiting_for("ask_desk")
        site.lane.bring(site.lane.loose()[0])
        await site.until_waiting_for("ask_look")
        (question,) = await site.store.read(questions.open_all)
        assert question.evidence.desk is not None
        await site.store.transact(questions.look, question.id, Look.COMPLETE, "budi", "seen", 1)
        await site.until_waiting_for("take_card_away")
    assert (await site.job(), site.rulings[-1].row) == (JobState.ISSUED, "look once")


async def test_another_card_on_the_lanes_reader_answers_nothing(site: Site) -> None:
    await site.begin()
    await _interrupt_at_print(site)
    async with working(site):
        await site.until_waiting_for("ask_desk")
        site.lane.bring(site.lane.hopper[-1])
        looks = len(site.lane.hopper[-1].chip.log)
        while len(site.lane.hopper[-1].chip.log) == looks:
            await asyncio.sleep(0.001)
        assert len(await site.store.read(questions.open_all)) == 1


async def test_a_card_lifted_while_it_is_written_may_come_back_and_is_finished(site: Site) -> None:
    await site.begin()
    struck: list[str] = []

    def lift(point: str) -> None:
        if point == "apdu B0" and len(site.lane.loose()) == 1 and not struck and site.worker.status.activity == "read back":
            struck.append(point)
            site.lane._lift()
            raise DeviceUnknown("chip_silent", "lifted")

    site.lane.at = lift
    async with working(site):
        await site.until_over(2)
    assert ("lay_again" in site.seen, [ruling.row for ruling in site.rulings]) == (True, ["whole in the hand"])
    assert (site.results[-1].verdict, await site.job()) == (Verdict.GOOD, JobState.ISSUED)


async def test_a_card_that_does_not_come_back_is_asked_for_in_the_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescue, "HAND_WAIT_S", 0.05)
    await site.begin()
    site.ignores.add("lay_again")
    site.lane.feeds = False
    async with working(site):
        await site.until_waiting_for("card_not_fed")
    site.lane.new_daemon()
    site.start_anew()
    await site.store.transact(journal.suspect_all)
    async with working(site):
        await site.until_waiting_for("lay_again")
        await site.until_waiting_for("ask_desk")
    assert len(await site.store.read(questions.open_all)) == 1


async def test_a_reader_that_is_gone_is_named_before_a_blank_is_asked_for(site: Site) -> None:
    await site.begin()
    site.lane.chip.absent = "reader_absent"
    async with working(site):
        await site.until_waiting_for("reader_absent")
    assert site.seen == ["reader_absent"]


async def test_a_lane_without_beams_is_never_called_blind(site: Site) -> None:
    await site.begin()
    async with working(site):
        await site.until_over()
    assert "pins_dead" not in site.seen
