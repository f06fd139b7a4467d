"""One passage from intent to verdict: every stage's troubles, and what the journal, the ledger and the lane say afterwards."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.errors import CardWrong, DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, Problem, RenderError
from controller.jobs import journal, ledger, queue, stages
from controller.jobs.evidence import Beams, Phase, past_of
from controller.jobs.journal import Claim, Passage
from controller.jobs.passage import PLANS, Stage
from controller.jobs.runner import Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import file_hashes
from controller.jobs.store import Store
from controller.model import Balance, Beam, CardPosition, JobState, Verdict
from tests.fakes.chip import Faults, tells_only_its_uid
from tests.fakes.lane import FILES, FakeLane
from tests.fakes.stock import fill


@dataclass
class Bench:
    """A store with one ready job and a lane with ten blanks."""

    store: Store
    lane: FakeLane
    job_id: int
    stages: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    patience: int = 3  # how often a repeatable act is tried again
    at_stage: Callable[[str], None] = lambda _name: None

    async def run(self, plan: str = "held") -> Result:
        claim = Claim(self.job_id, "1", plan, "SN1", "reader 1")
        hooks = Hooks(self._on_stage, lambda _stage, _seconds: None, self._try_again)
        return await PassageRunner(self.store, self.lane.trip(), 1, hooks).run(claim)

    async def job(self) -> JobState:
        return (await self.store.read(queue.find, self.job_id)).state

    async def balance(self) -> Balance:
        return await self.store.read(ledger.of_lane, "1")

    async def passage(self) -> Passage:
        return await self.store.read(journal.find, 1)

    def _on_stage(self, stage: Stage, _passage_id: int) -> None:
        self.stages.append(stage.name)
        self.at_stage(stage.name)

    async def _try_again(self, trouble: Trouble) -> bool:
        self.troubles.append(trouble.condition)
        return len(self.troubles) < self.patience


@pytest.fixture
async def bench(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(stages, "BEAM_WAIT_S", 0.01)  # a constant, not behaviour: no test should wait 3 s for a beam
    await store.transact(fill, "1", 10)
    job = (await store.transact(queue.accept, spool, "d", "r", b"{}")).job
    lane = FakeLane()
    lane.load(10)
    return Bench(store, lane, job.id)


def _raises(error: DeviceError | CardWrong) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


async def test_a_good_card_runs_every_row_and_is_issued_once(bench: Bench) -> None:
    result = await bench.run()
    assert (result.verdict, await bench.job(), await bench.balance()) == (Verdict.GOOD, JobState.ISSUED, Balance(9, 0))
    assert bench.stages == [stage.name for stage in PLANS["held"]]
    assert ([card.prints for card in bench.lane.output], result.made) == ([1], True)


async def test_a_card_that_was_ejected_as_it_was_printed_is_not_good_before_it_was_shown(bench: Bench) -> None:
    result = await bench.run("ejecting")
    assert (result.verdict, result.condition, result.to_show, result.made) == (None, "ask_desk", True, True)
    assert (await bench.job(), await bench.balance()) == (JobState.ACTIVE, Balance(9, 1))
    assert (await bench.passage()).state == "unknown"
    assert bench.stages == [stage.name for stage in PLANS["ejecting"]]
    assert [card.prints for card in bench.lane.output] == [1]


async def test_each_physical_act_finds_its_intent_on_disk(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Looks with a second, read-only connection from inside every act: only what is committed can be seen."""
    file = await bench.store.read(lambda db: db.execute("PRAGMA database_list").fetchone()[2])
    seen: list[tuple[str, str]] = []

    def look(act: str) -> Callable[[], None]:
        def inside_the_act() -> None:
            db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            seen.append((act, db.execute("SELECT name FROM stage WHERE outcome IS NULL").fetchone()[0]))
            db.close()

        return inside_the_act

    bench.lane.before = {act: look(act) for act in ("feed", "print", "to_chip_station", "deliver")}
    await bench.run()
    assert seen == [("feed", "feed"), ("print", "print"), ("to_chip_station", "check"), ("deliver", "deliver")]


async def test_a_chip_is_closed_only_after_what_it_must_hold_is_in_the_journal(bench: Bench) -> None:
    file = await bench.store.read(lambda db: db.execute("PRAGMA database_list").fetchone()[2])
    seen: list[tuple[str, str]] = []

    def look(point: str) -> None:
        if point in ("apdu F0", "apdu 44"):  # the lock of either chip
            db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            seen.append(db.execute("SELECT name, intent FROM stage WHERE outcome IS NULL").fetchone())
            db.close()

    bench.lane.hopper[0].chip.wire = look
    await bench.run()
    assert [(name, json.loads(intent)["files"]) for name, intent in seen] == [("close", file_hashes(FILES))]


async def test_an_empty_hopper_costs_nothing(bench: Bench) -> None:
    bench.lane.before["feed"] = _raises(DeviceRefused("hopper_empty", "FEEDER EMPTY"))
    result = await bench.run()
    assert (result.verdict, result.condition) == (Verdict.STILL_BLANK, "hopper_empty")
    assert (await bench.job(), await bench.balance()) == (JobState.READY, Balance(10, 0))


async def test_a_printer_that_was_never_reached_costs_nothing(bench: Bench) -> None:
    bench.lane.before["feed"] = _raises(DeviceAbsent("printer_lost", "unplugged before the command"))
    assert (await bench.run()).verdict is Verdict.STILL_BLANK


async def test_a_printer_that_vanishes_right_after_the_feed_leaves_the_passage_unknown(bench: Bench) -> None:
    bench.lane.after["feed"] = lambda: setattr(bench.lane, "present", False)
    result = await bench.run()
    assert (result.verdict, await bench.job()) == (None, JobState.ACTIVE)


async def test_a_jam_at_the_feed_is_doubt_even_if_nothing_was_counted(bench: Bench) -> None:
    bench.lane.before["feed"] = _raises(DeviceRefused("card_jam", "CARD JAM"))
    result = await bench.run()
    assert (result.verdict, result.condition, await bench.job()) == (None, "card_jam", JobState.ACTIVE)


async def test_a_blind_beam_cannot_prove_that_nothing_was_fed(bench: Bench) -> None:
    def blind() -> None:
        bench.lane.sensors.lose()
        raise DeviceRefused("hopper_empty", "FEEDER EMPTY")

    bench.lane.before["feed"] = blind
    assert (await bench.run()).verdict is None


async def test_a_card_that_is_inside_already_is_never_taken_for_the_blank(bench: Bench) -> None:
    bench.lane.position = CardPosition.PRINT
    result = await bench.run()
    assert (result.passage_id, result.condition, bench.lane.acts, await bench.job()) == (None, "card_inside", [], JobState.READY)


@pytest.mark.parametrize("fed", [0, 2])
async def test_a_feed_that_was_not_counted_once_is_rejected(bench: Bench, fed: int) -> None:
    def miscount() -> None:
        bench.lane.cards_fed += fed - 1

    bench.lane.after["feed"] = miscount
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.rejected[0].prints) == (Verdict.SPOILED, "feed_unproven", 0)


async def test_two_blanks_past_the_feed_beam_are_noticed(bench: Bench) -> None:
    bench.lane.after["feed"] = lambda: bench.lane.sensors.card_passes(Beam.FEED)
    result = await bench.run()
    assert (result.verdict, result.detail) == (Verdict.SPOILED, "the printer counted 1 blanks, the feed beam saw 2")


async def test_a_deliver_that_let_one_card_out_and_kept_one_is_doubt(bench: Bench) -> None:
    def double() -> None:
        bench.lane.sensors.card_passes(Beam.EXIT)
        raise DeviceRefused("card_jam", "CARD JAM")

    bench.lane.before["deliver"] = double
    result = await bench.run()
    assert (result.verdict, bench.troubles) == (None, [])


async def test_two_cards_past_the_exit_beam_are_never_one_good_card(bench: Bench) -> None:
    bench.lane.after["deliver"] = lambda: bench.lane.sensors.card_passes(Beam.EXIT)
    result = await bench.run()
    assert (result.verdict, result.condition) == (None, "card_missing")


async def test_a_refused_feed_that_moved_a_card_past_the_beam_is_unknown(bench: Bench) -> None:
    def half_fed() -> None:
        bench.lane.inside, bench.lane.position = None, CardPosition.NONE
        raise DeviceRefused("card_stuck", "ERROR TIME OUT")

    bench.lane.after["feed"] = half_fed
    result = await bench.run()
    assert (result.verdict, result.condition, (await bench.passage()).state) == (None, "card_stuck", "unknown")


@pytest.mark.parametrize(
    ("faults", "condition", "stage"),
    [
        (Faults(dies_at_apdu=0), "chip_silent", "probe"),
        (Faults(answers={0: "6f00"}), "chip_refused", "probe"),
        (Faults(answers={20: "6581"}), "chip_refused", "encode"),
    ],
)
async def test_a_bad_chip_is_rejected_before_any_ribbon_is_spent(
    bench: Bench, faults: Faults, condition: str, stage: str
) -> None:
    bench.lane.hopper[0].chip.faults = faults
    result = await bench.run()
    assert (result.verdict, result.condition, bench.stages[-2:]) == (Verdict.SPOILED, condition, [stage, "reject"])
    assert (bench.lane.rejected[0].prints, await bench.job(), await bench.balance()) == (0, JobState.READY, Balance(9, 0, 1))


@pytest.mark.parametrize(("torn_after_bytes", "stage"), [(0, "encode"), (30, "encode")])
async def test_a_reader_lost_at_the_chip_is_for_recovery_and_nothing_more_is_done(
    bench: Bench, torn_after_bytes: int, stage: str
) -> None:
    bench.lane.hopper[0].chip.faults = Faults(tears_after_bytes=torn_after_bytes)
    result = await bench.run()
    assert (result.verdict, result.condition, bench.stages[-1]) == (None, "chip_silent", stage)
    assert (bench.lane.acts, (await bench.passage()).state) == (["feed"], "unknown")


async def test_an_unknown_passage_says_what_was_seen_before_the_act_that_failed(bench: Bench) -> None:
    bench.lane.after["deliver"] = _raises(DeviceUnknown("printer_late", "no reply"))
    before = (await bench.run()).before
    assert before is not None
    assert before.beams == Beams(feed=1, exit=0, reject=0)


@pytest.mark.parametrize(
    "trouble", [DeviceUnknown("printer_garbled", "x"), DeviceRefused("cover_open", "x"), DeviceAbsent("printer_lost", "x")]
)
@pytest.mark.parametrize("stage", ["print", "check", "deliver"])
async def test_an_act_whose_witness_could_not_be_read_was_never_sent(bench: Bench, trouble: DeviceError, stage: str) -> None:
    def at_stage(name: str) -> None:
        if name == stage:
            bench.lane.before["witness"] = _raises(trouble)

    bench.at_stage = at_stage
    assert (await bench.run()).verdict is None
    last = (await bench.store.read(journal.stages, 1))[-1]
    assert (last["name"], last["intent"], last["evidence"]["error"]) == (stage, {}, "DeviceAbsent")
    assert past_of("04", await bench.store.read(journal.stages, 1)).phase is not Phase.CONDEMNED


async def test_a_chip_that_was_used_is_rejected(bench: Bench) -> None:
    bench.lane.hopper[0].chip.memory[0x6FF1][0:2] = b"\x00\x05"
    assert (await bench.run()).condition == "chip_used"


async def test_a_chip_known_from_an_earlier_passage_is_rejected(bench: Bench) -> None:
    uid = bench.lane.hopper[0].chip.uid
    bench.lane.hopper[1].chip.uid = uid
    bench.lane.hopper[0].chip.faults = Faults(answers={20: "6581"})
    await bench.run()
    result = await bench.run()
    assert (result.verdict, result.condition, await bench.job()) == (Verdict.SPOILED, "chip_used", JobState.FAILED)


async def test_a_chip_that_reads_back_differently_is_rejected(bench: Bench) -> None:
    card = bench.lane.hopper[0]

    def spoil_a_byte(stage: str) -> None:
        if stage == "read back":
            card.chip.memory[0x6FF2][9] ^= 1

    bench.at_stage = spoil_a_byte
    result = await bench.run()
    assert (result.condition, result.detail) == ("chip_differs", "files 6FF2 differ from what was written")


async def test_another_chip_after_the_print_is_for_recovery_and_is_not_moved(bench: Bench) -> None:
    """Where is the card that was written? The one inside may be anybody's."""

    def swap() -> None:
        assert bench.lane.inside is not None
        bench.lane.inside.chip = bench.lane.hopper[-1].chip

    bench.lane.after["print"] = swap
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.acts[-1]) == (None, "chip_swapped", "to_chip_station")
    assert (bench.lane.rejected, (await bench.passage()).state, await bench.job()) == ([], "unknown", JobState.ACTIVE)
    assert past_of("04", await bench.store.read(journal.stages, 1)).phase is Phase.PRINTING


async def test_a_card_with_other_keys_after_the_print_is_another_one_too(bench: Bench) -> None:
    def swap() -> None:
        assert bench.lane.inside is not None
        bench.lane.inside.chip = bench.lane.hopper[-1].chip
        bench.lane.inside.chip.wire = tells_only_its_uid

    bench.lane.after["print"] = swap
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.rejected) == (None, "chip_swapped", [])


async def test_a_status_word_costs_no_printed_card(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "LOOK_AGAIN_S", 0.0)
    words = iter([DeviceRefused("chip_refused", "read UID: 6F00")] * 2)

    def refuse(_point: str) -> None:
        for word in words:
            raise word

    def strike() -> None:
        assert bench.lane.inside is not None
        bench.lane.inside.chip.wire = refuse

    bench.lane.after["print"] = strike
    assert ((await bench.run()).verdict, next(words, None)) == (Verdict.GOOD, None)


async def test_a_move_to_the_reader_that_fed_another_card_proves_nothing(bench: Bench) -> None:
    """The printed card had left unseen: what the reader finds now is a blank, and not a card found wrong."""

    def slips_out() -> None:
        lane = bench.lane
        assert lane.inside is not None
        lane.output.append(lane.inside)
        lane.inside, lane.position = None, CardPosition.NONE

    bench.lane.before["to_chip_station"] = slips_out
    result = await bench.run()
    assert (result.verdict, result.condition) == (None, "card_missing")
    assert (result.detail, bench.lane.rejected) == ("the move to the reader fed 1 cards: this one had gone", [])
    assert past_of("04", await bench.store.read(journal.stages, 1)).phase is Phase.PRINTING


@pytest.mark.parametrize("stage", ["encode", "read back", "close"])
async def test_a_chip_that_is_another_while_it_is_worked_on_is_for_recovery(bench: Bench, stage: str) -> None:
    def other(name: str) -> None:
        card = bench.lane.inside
        if name == stage and card is not None:
            card.chip.wire = _swapped

    bench.at_stage = other
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.rejected) == (None, "chip_swapped", [])
    last = (await bench.store.read(journal.stages, 1))[-1]
    assert (last["name"], last["evidence"]["error"]) == (stage, "DeviceUnknown")


def _swapped(_point: str) -> None:
    raise DeviceRefused("chip_swapped", "another UID answers")


async def test_of_what_a_device_says_the_journal_keeps_a_part(bench: Bench) -> None:
    bench.lane.before["print"] = _raises(DeviceRefused("ribbon_end", "R" * 5000))
    await bench.run()
    failed = [row["evidence"] for row in await bench.store.read(journal.stages, 1) if row["outcome"] == "failed"]
    assert failed == [{"condition": "ribbon_end", "detail": "R" * 500, "error": "DeviceRefused"}]


@pytest.mark.parametrize("missing", [-5, -1, 1])
async def test_a_panel_counter_that_is_off_is_no_proof_of_print(bench: Bench, missing: int) -> None:
    def miscount() -> None:
        bench.lane.panels_printed += missing

    bench.lane.after["print"] = miscount
    result = await bench.run()
    assert (result.verdict, result.condition) == (Verdict.SPOILED, "print_unproven")


async def test_a_ribbon_that_ends_in_the_print_spoils_the_card(bench: Bench) -> None:
    bench.lane.before["print"] = _raises(DeviceRefused("ribbon_end", "ERROR RIBBON"))
    result = await bench.run()
    assert (result.verdict, result.condition, len(bench.lane.rejected)) == (Verdict.SPOILED, "ribbon_end", 1)


@pytest.mark.parametrize(("plan", "act"), [("held", "print"), ("ejecting", "print_and_deliver")])
async def test_panels_the_printer_cannot_take_spoil_one_blank_and_no_more(bench: Bench, plan: str, act: str) -> None:
    def wrong() -> None:
        raise RenderError(Problem("panels.wrong_shape", "y", "Ukuran salah.", "The size is wrong."))

    bench.lane.before[act] = wrong
    result = await bench.run(plan)
    assert (result.verdict, result.condition, bench.lane.rejected[0].prints) == (Verdict.SPOILED, "print_unproven", 0)


@pytest.mark.parametrize("act", ["print", "to_chip_station", "deliver"])
async def test_a_lost_printer_leaves_the_card_unknown_and_moves_nothing_more(bench: Bench, act: str) -> None:
    def lose() -> None:
        bench.lane.present = False
        raise DeviceUnknown("printer_lost", "cable")

    bench.lane.before[act] = lose
    result = await bench.run()
    assert (result.verdict, result.condition, bench.lane.acts[-1]) == (None, "printer_lost", act)
    assert (await bench.job(), await bench.balance()) == (JobState.ACTIVE, Balance(9, 1))


async def test_a_late_answer_to_the_print_is_unknown_even_if_the_printer_talks_again(bench: Bench) -> None:
    bench.lane.before["print"] = _raises(DeviceUnknown("printer_late", "no reply"))
    assert (await bench.run()).verdict is None
    assert bench.lane.rejected == []


async def test_a_full_bin_is_waited_for_with_the_card_in_sight(bench: Bench) -> None:
    refusals = iter([DeviceRefused("bin_full", "HOPPER FULL")] * 2)

    def full_twice() -> None:
        for refusal in refusals:
            raise refusal

    bench.lane.before["deliver"] = full_twice
    result = await bench.run()
    assert (result.verdict, bench.troubles, bench.stages[-3:]) == (Verdict.GOOD, ["bin_full"] * 2, ["deliver"] * 3)


async def test_a_station_that_stops_while_it_waits_leaves_the_card_unknown(bench: Bench) -> None:
    bench.patience = 1
    bench.lane.before["deliver"] = _raises(DeviceRefused("bin_full", "HOPPER FULL"))
    assert (await bench.run()).verdict is None


async def test_a_card_that_no_beam_saw_leaving_is_never_called_good(bench: Bench) -> None:
    def blind() -> None:
        bench.lane.sensors._passes[Beam.EXIT] = 0

    bench.lane.after["deliver"] = blind
    result = await bench.run()
    assert (result.verdict, result.condition) == (None, "card_missing")


async def test_a_reject_that_cannot_be_seen_is_unknown(bench: Bench) -> None:
    bench.lane.hopper[0].chip.faults = Faults(dies_at_apdu=0)
    bench.lane.before["reject"] = _raises(DeviceUnknown("printer_late", "no reply"))
    result = await bench.run()
    assert (result.verdict, result.condition, await bench.balance()) == (None, "printer_late", Balance(9, 1))


async def test_an_ejecting_printer_whose_counter_is_off_leaves_the_card_to_a_person(bench: Bench) -> None:
    bench.lane.after["print_and_deliver"] = lambda: setattr(bench.lane, "panels_printed", 501)
    result = await bench.run("ejecting")
    assert (result.verdict, result.condition, result.made) == (None, "print_unproven", False)


async def test_a_job_cancelled_before_the_feed_moves_nothing(bench: Bench) -> None:
    await bench.store.transact(queue.cancel, bench.job_id, "ani", "test")
    assert await bench.run() == Result(None, None)
    assert bench.lane.acts == []


async def test_the_journal_names_why_a_stage_failed(bench: Bench) -> None:
    bench.lane.before["print"] = _raises(DeviceRefused("ribbon_end", "ERROR RIBBON"))
    result = await bench.run()
    assert result.passage_id is not None
    rows = await bench.store.read(journal.stages, result.passage_id)
    failed = next(row for row in rows if row["outcome"] == "failed")
    assert failed["evidence"] == {"condition": "ribbon_end", "detail": "ERROR RIBBON", "error": "DeviceRefused"}
