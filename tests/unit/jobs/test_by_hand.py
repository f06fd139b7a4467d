"""A passage whose printer is fed by hand: what each hand-over proves, and what a person's mistakes cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.conditions import CONDITIONS
from controller.errors import CardWrong, DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, Problem, RenderError
from controller.jobs import by_hand, journal, ledger, queue
from controller.jobs.evidence import Past, Phase, past_of
from controller.jobs.journal import Claim
from controller.jobs.passage import PLAN_EXTERNAL, PRINT_BY_HAND, Next, Seen, Stage, after_failure
from controller.jobs.runner import Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import Before
from controller.jobs.store import Store
from controller.model import Balance, JobState, Verdict
from tests.fakes.by_hand import HandLane
from tests.fakes.chip import Faults, tells_only_its_uid
from tests.fakes.stock import fill


@dataclass
class Bench:
    """A store with one ready job, a lane with ten blanks, the first of them on the reader; and a person who obeys."""

    store: Store
    lane: HandLane
    job_id: int
    stages: list[str] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    patience: int = 3
    stopping: bool = False
    at_stage: Callable[[str], None] = lambda _name: None
    on_tell: Callable[[str | None], None] = lambda _condition: None

    async def run(self) -> Result:
        claim = Claim(self.job_id, "1", "external", "SN1", "reader 1")
        hooks = Hooks(self._on_stage, lambda _stage, _seconds: None, self._try_again, self._tell, lambda: self.stopping)
        return await PassageRunner(self.store, self.lane.trip(), 1, hooks).run(claim)

    async def books(self) -> tuple[JobState, Balance]:
        return (await self.store.read(queue.find, self.job_id)).state, await self.store.read(ledger.of_lane, "1")

    async def past(self) -> Past:
        passage = await self.store.read(journal.find, 1)
        return past_of(passage.chip_uid, await self.store.read(journal.stages, 1))

    def _tell(self, condition: str | None) -> None:
        self.told.append(condition)
        self.on_tell(condition)
        self.lane.obey(condition)

    def _on_stage(self, stage: Stage, _passage_id: int) -> None:
        self.stages.append(stage.name)
        self.at_stage(stage.name)

    async def _try_again(self, trouble: Trouble) -> bool:
        self.troubles.append(trouble.condition)
        self.lane.obey(trouble.condition)
        return len(self.troubles) < self.patience


@pytest.fixture
async def bench(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(by_hand, "POLL_S", 0.001)  # a constant, not behaviour
    await store.transact(fill, "1", 10)
    job = (await store.transact(queue.accept, spool, "d", "r", b"{}")).job
    lane = HandLane()
    lane.load(10)
    lane.obey("lay_blank")
    return Bench(store, lane, job.id)


def _raises(error: DeviceError | CardWrong | RenderError) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


async def test_a_card_goes_from_reader_to_printer_and_back_and_is_issued_once(bench: Bench) -> None:
    result = await bench.run()
    assert (result.verdict, await bench.books()) == (Verdict.GOOD, (JobState.ISSUED, Balance(9, 0)))
    assert bench.stages == [stage.name for stage in PLAN_EXTERNAL]
    assert (bench.lane.reader is not None and bench.lane.reader.face_complete, len(bench.lane.loose())) == (True, 1)


async def test_the_display_leads_the_person_through_it(bench: Bench) -> None:
    await bench.run()
    assert list(dict.fromkeys(bench.told)) == ["feed_by_hand", None, "lay_printed"]


async def test_nothing_is_sent_to_the_printer_while_the_written_card_lies_on_the_reader(bench: Bench) -> None:
    """Else the next blank could be fed in its stead, and this one be taken for the printed card."""
    bench.lane.obeys, bench.stopping = False, True
    result = await bench.run()
    assert (result.verdict, result.condition, "print_by_hand" in bench.lane.acts) == (None, "feed_by_hand", False)
    assert (await bench.past()).phase is Phase.WRITING


async def test_the_blank_is_booked_out_and_its_chip_bound_in_one_commit(bench: Bench) -> None:
    seen: list[tuple[Balance, str | None]] = []

    async def look() -> tuple[Balance, str | None]:
        return await bench.store.read(ledger.of_lane, "1"), (await bench.store.read(journal.find, 1)).chip_uid

    bench.lane.reader.chip.faults = Faults(dies_at_apdu=0)  # type: ignore[union-attr]  # laid down by the fixture
    result = await bench.run()
    seen.append(await look())
    assert (result.verdict, seen) == (Verdict.STILL_BLANK, [(Balance(10), None)])
    assert (await bench.books())[0] is JobState.READY


async def test_a_chip_that_may_not_be_used_is_neither_booked_nor_bound(bench: Bench) -> None:
    uid = bench.lane.reader.chip.uid  # type: ignore[union-attr]  # laid down by the fixture
    await bench.store.transact(lambda db: db.execute("INSERT INTO destroyed_uid (uid, entry_id) VALUES (?, 1)", (uid,)))
    result = await bench.run()
    assert (result.verdict, result.condition, await bench.books()) == (
        Verdict.STILL_BLANK, "chip_destroyed", (JobState.READY, Balance(10)))  # fmt: skip


async def test_a_chip_that_refuses_to_be_written_is_spoiled_in_the_hand(bench: Bench) -> None:
    bench.lane.reader.chip.faults = Faults(answers={20: "6581"})  # type: ignore[union-attr]  # laid down by the fixture
    result = await bench.run()
    assert (result.verdict, result.condition, bench.stages[-1]) == (Verdict.SPOILED, "chip_refused", "encode")
    assert await bench.books() == (JobState.READY, Balance(9, 0, 1))


async def test_a_chip_that_reads_back_differently_is_spoiled_before_the_printer_is_asked(bench: Bench) -> None:
    card = bench.lane.reader

    def spoil_a_byte(stage: str) -> None:
        if stage == "read back":
            card.chip.memory[0x6FF2][9] ^= 1  # type: ignore[union-attr]  # laid down by the fixture

    bench.at_stage = spoil_a_byte
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.acts) == (Verdict.SPOILED, "chip_differs", [])


async def test_a_card_lifted_while_it_is_written_is_for_recovery(bench: Bench) -> None:
    bench.lane.reader.chip.faults = Faults(tears_after_bytes=30)  # type: ignore[union-attr]  # laid down by the fixture
    result = await bench.run()
    assert (result.verdict, result.condition, (await bench.past()).phase) == (None, "chip_silent", Phase.WRITING)


async def test_a_card_that_was_never_fed_is_asked_for_again_and_printed_once(bench: Bench) -> None:
    bench.lane.feeds = False

    def feed(stage: str) -> None:
        bench.lane.feeds = len(bench.troubles) == 2

    bench.at_stage = feed
    result = await bench.run()
    assert (result.verdict, bench.troubles) == (Verdict.GOOD, ["card_not_fed"] * 2)
    assert bench.lane.reader is not None
    assert bench.lane.reader.prints == 1


async def test_a_printer_that_says_no_card_came_and_counted_one_is_not_believed(bench: Bench) -> None:
    def both() -> None:
        bench.lane.cards_fed += 1
        raise DeviceRefused("card_not_fed", "11:01")

    bench.lane.before["print_by_hand"] = both
    result = await bench.run()
    assert (result.verdict, result.condition, bench.troubles) == (None, "print_unproven", [])
    assert (await bench.past()).phase is Phase.PRINTING


async def test_nothing_is_begun_after_a_card_that_was_not_fed(bench: Bench) -> None:
    """The journal then says that nothing of the print was done: the card may go on at its chip."""
    bench.lane.feeds, bench.patience = False, 1
    result = await bench.run()
    assert (result.verdict, result.condition, (await bench.past()).phase) == (None, "card_not_fed", Phase.WRITING)


async def test_a_printer_that_was_off_is_asked_again(bench: Bench) -> None:
    def off(stage: str) -> None:
        bench.lane.present = stage != "print" or len(bench.troubles) == 2

    bench.at_stage = off
    result = await bench.run()
    assert (result.verdict, bench.troubles) == (Verdict.GOOD, ["printer_absent"] * 2)


@pytest.mark.parametrize("trouble", [DeviceRefused("printer_error", "12:07"), DeviceUnknown("printer_late", "x")])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_any_other_word_about_the_print_proves_nothing(bench: Bench, trouble: DeviceError, when: str) -> None:
    getattr(bench.lane, when)["print_by_hand"] = _raises(trouble)
    result = await bench.run()
    assert (result.verdict, result.condition, (await bench.past()).phase) == (None, trouble.condition, Phase.PRINTING)


@pytest.mark.parametrize("trouble", [DeviceRefused("printer_moving", "08h"), DeviceAbsent("printer_lost", "x")])
@pytest.mark.parametrize("word", [None, DeviceRefused("card_not_fed", "11:01")])
async def test_a_printer_that_cannot_be_read_after_the_print_is_never_asked_to_print_again(
    bench: Bench, trouble: DeviceError, word: DeviceError | None
) -> None:
    def strike() -> None:
        bench.lane.before["witness"] = _raises(trouble)
        if word is not None:
            raise word

    bench.lane.after["print_by_hand"] = strike
    result = await bench.run()
    assert (result.verdict, bench.lane.acts, (await bench.past()).phase) == (None, ["print_by_hand"], Phase.PRINTING)


@pytest.mark.parametrize("off", [-1, 1])
async def test_a_print_is_done_only_when_exactly_one_card_was_counted(bench: Bench, off: int) -> None:
    bench.lane.after["print_by_hand"] = lambda: setattr(bench.lane, "cards_fed", bench.lane.cards_fed + off)
    result = await bench.run()
    assert (result.verdict, result.condition) == (None, "print_unproven")


async def test_panels_the_printer_cannot_take_spoil_the_card_and_print_nothing(bench: Bench) -> None:
    bench.lane.before["print_by_hand"] = _raises(RenderError(Problem("panels.wrong_shape", "y", "Salah.", "Wrong.")))
    result = await bench.run()
    assert (result.verdict, result.condition) == (Verdict.SPOILED, "print_unproven")


async def test_another_card_laid_down_first_leaves_the_face_to_a_look(bench: Bench) -> None:
    bench.lane.mistaken = True
    result = await bench.run()
    past = await bench.past()
    assert (result.verdict, result.condition, bench.troubles) == (None, "lay_other", ["lay_other"])
    assert (past.printed, past.doubted) == (True, True)


async def test_a_card_with_other_keys_laid_down_first_is_another_card_too(bench: Bench) -> None:
    bench.lane.mistaken = True
    for card in list(bench.lane.hopper)[1:]:
        card.chip.wire = tells_only_its_uid
    assert ((await bench.run()).condition, (await bench.past()).doubted) == ("lay_other", True)


async def test_the_first_wrong_card_is_in_the_journal_before_anything_else_happens(bench: Bench) -> None:
    bench.lane.mistaken, bench.patience = True, 1
    await bench.run()
    last = (await bench.store.read(journal.stages, 1))[-1]
    assert (last["name"], last["evidence"]["condition"]) == ("check", "lay_other")
    assert "04000000000002 was laid down" in last["evidence"]["detail"]


async def test_a_card_that_nobody_brings_back_is_for_a_person(bench: Bench) -> None:
    def leave(condition: str | None) -> None:
        bench.stopping = condition == "lay_printed"

    bench.on_tell = leave
    result = await bench.run()
    assert (result.verdict, result.condition, (await bench.past()).printed) == (None, "card_missing", True)


async def test_a_reader_that_is_gone_when_the_printed_card_is_awaited_is_waited_for(bench: Bench) -> None:
    def lose(stage: str) -> None:
        if stage == "check":
            bench.lane.chip.absent = "" if bench.troubles else "reader_absent"

    bench.at_stage = lose
    result = await bench.run()
    assert (result.verdict, bench.troubles) == (Verdict.GOOD, ["reader_absent"])


async def test_a_lane_whose_printer_cannot_be_asked_begins_nothing(bench: Bench) -> None:
    bench.lane.before["witness"] = _raises(DeviceAbsent("printer_lost", "off"))
    assert (await bench.run(), await bench.books()) == (
        Result(None, None, "printer_lost", "off"), (JobState.READY, Balance(10)))  # fmt: skip


@pytest.mark.parametrize("condition", sorted(set(CONDITIONS) - {"card_not_fed", "lay_other", "feed_by_hand"}))
def test_no_other_refusal_is_a_reason_to_print_again(condition: str) -> None:
    seen = Seen(None, Before(None), 0, 0)
    assert after_failure(PRINT_BY_HAND, DeviceRefused(condition, ""), seen) is Next.UNKNOWN
    assert after_failure(PRINT_BY_HAND, DeviceUnknown(condition, ""), seen) is Next.UNKNOWN
