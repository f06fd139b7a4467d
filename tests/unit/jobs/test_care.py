"""One lane's care over a printer in memory: readings at quiet moments, rests, what a person asked for, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.pins.no_sensors import NoSensors
from controller.jobs import care_acts, incidents, ledger, printer_settings
from controller.jobs.care import CARDS_BETWEEN, QUIET_S, STOPPED_S, Care
from controller.jobs.care_acts import CareAct, Kind
from controller.jobs.pace import Rule
from controller.jobs.store import Store
from controller.model import CardPosition, PrinterCare, PrinterIdentity
from tests.fakes.lane import FakeLane
from tests.fakes.stock import fill

DUE = PrinterCare(0, {"contrast_black": "10"})
FINE = PrinterCare(200, {"contrast_black": "10"})
TURNED = PrinterCare(200, {"contrast_black": "12"})
PRINTER = PrinterIdentity("Fake", "1", "SN1")


@dataclass
class Bench:
    """A lane's care, its printer and a clock that a test sets."""

    store: Store
    lane: FakeLane = field(default_factory=FakeLane)
    rule: Rule = field(default_factory=Rule)
    now_s: float = 1000.0
    readings: int = 0

    def __post_init__(self) -> None:
        self.lane.upkeep = FINE
        self.lane.before["care"] = self._count
        self.new_daemon()

    def new_daemon(self) -> None:
        self.lane.new_daemon()
        self.care = Care("1", self.store, self.lane.devices, self.rule, clock=lambda: self.now_s)

    async def load(self, count: int) -> None:
        self.lane.load(count)
        await self.store.transact(fill, "1", count)

    async def look(self, after_s: float = QUIET_S, *, busy: bool = False) -> DeviceError | None:
        self.now_s += after_s
        return await self.care.look(PRINTER, busy=busy)

    async def do(self, kind: Kind) -> CareAct:
        """A person asks, the lane does; returns how it stands."""
        number = await self.store.transact(care_acts.ask, "1", kind, "ani", "due")
        return await self.go_on(number)

    async def go_on(self, number: int) -> CareAct:
        asked = await self.care.asked()
        assert asked is not None
        await self.care.do(asked)
        return await self.store.read(care_acts.find, number)

    async def held(self) -> tuple[int, int]:
        balance = await self.store.read(ledger.of_lane, "1")
        return balance.hopper, balance.reject

    async def incidents(self) -> list[str]:
        rows = await self.store.read(incidents.open_incidents)
        return [row.kind for row in rows if row.kind != "ribbon_unrecorded"]

    def _count(self) -> None:
        self.readings += 1


@pytest.fixture
async def bench(store: Store) -> Bench:
    return Bench(store)


def _raise(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


async def test_the_upkeep_is_read_at_once_then_at_quiet_moments(bench: Bench) -> None:
    await bench.look(0.0, busy=True)
    await bench.look(QUIET_S - 1)
    assert bench.readings == 1
    await bench.look(1.0)
    assert (bench.readings, bench.care.cards_until_cleaning) == (2, 200)


async def test_a_lane_that_never_stands_still_reads_it_after_so_many_cards(bench: Bench) -> None:
    await bench.look()
    for _ in range(CARDS_BETWEEN - 1):
        await bench.care.card_over(bench.now_s)
    await bench.look(9999.0, busy=True)
    assert bench.readings == 1
    await bench.care.card_over(bench.now_s)
    await bench.look(busy=True)
    assert bench.readings == 2


async def test_after_a_lost_link_another_printer_or_a_go_it_is_read_anew(bench: Bench) -> None:
    await bench.look()
    for happens in (bench.care.lost, bench.care.forgive):
        happens()
        await bench.look(0.0)
    await bench.care.look(PrinterIdentity("Fake", "1", "SN2"), busy=True)
    assert bench.readings == 4


async def test_cleaning_that_is_due_is_asked_for_and_stops_nothing(bench: Bench) -> None:
    bench.lane.upkeep = DUE
    await bench.look()
    assert (bench.care.asks, bench.care.must_clean) == (("cleaning_due",), False)


async def test_a_printer_that_tells_nothing_asks_for_nothing(bench: Bench) -> None:
    bench.lane.upkeep = PrinterCare()
    await bench.look()
    assert (bench.care.asks, bench.care.cards_until_cleaning) == ((), None)


async def test_a_lane_that_waits_for_the_cleaning_asks_for_it_often(bench: Bench) -> None:
    await bench.look()
    bench.care.refused("cleaning_due")
    bench.lane.upkeep = FINE
    await bench.look(STOPPED_S - 1)
    assert bench.care.must_clean
    await bench.look(1.0)
    assert not bench.care.must_clean


@pytest.mark.parametrize("condition", ["cleaning_due", "cleaning_required"])
async def test_a_refusal_until_it_is_cleaned_holds_until_its_count_says_that_it_was(bench: Bench, condition: str) -> None:
    bench.lane.upkeep = DUE
    bench.care.refused(condition)
    await bench.look()
    assert bench.care.must_clean
    bench.lane.upkeep = FINE
    await bench.look()
    assert not bench.care.must_clean


async def test_other_refusals_have_nothing_to_do_with_it_and_go_lets_it_be_tried_again(bench: Bench) -> None:
    bench.care.refused("card_jam")
    assert not bench.care.must_clean
    bench.care.refused("cleaning_due")
    bench.care.forgive()
    assert not bench.care.must_clean


async def test_turned_settings_are_asked_for_over_a_restart_until_they_are_as_accepted(bench: Bench) -> None:
    await bench.look()
    bench.lane.upkeep = TURNED
    await bench.look()
    assert (bench.care.asks, await bench.incidents()) == (("settings_changed",), ["settings_changed"])
    bench.new_daemon()
    await bench.look()
    assert "settings_changed" in bench.care.asks
    bench.lane.upkeep = FINE
    await bench.look()
    assert not bench.care.asks


async def test_a_setting_that_was_just_accepted_is_asked_for_no_more(bench: Bench) -> None:
    await bench.look()
    bench.lane.upkeep = TURNED
    await bench.look()
    await bench.store.transact(printer_settings.accept, "1", "SN1", "ani", "darker on purpose")
    readings = bench.readings
    await bench.look(0.0)
    assert (bench.care.asks, bench.readings) == ((), readings)


async def test_a_broken_conversation_is_told_and_a_refused_question_is_not_trouble(bench: Bench) -> None:
    bench.lane.before["care"] = _raise(DeviceUnknown("printer_late", "no reply to Rc;y"))
    trouble = await bench.look()
    assert trouble is not None
    assert trouble.condition == "printer_late"
    bench.lane.before["care"] = _raise(DeviceRefused("printer_refused", "Rc;y: ERROR CDE"))
    assert await bench.look() is None


async def test_after_so_many_cards_it_rests_over_a_restart_and_again_when_they_are_printed(bench: Bench) -> None:
    bench.rule = Rule(cards=2, rest_s=60.0)
    bench.new_daemon()
    await bench.look()
    for _ in range(2):
        assert bench.care.rest_s == 0
        await bench.care.card_over(bench.now_s)
    bench.now_s += 22.0
    assert bench.care.rest_s == 40
    bench.now_s += 38.0
    assert bench.care.rest_s == 0
    await bench.care.card_over(bench.now_s)
    assert bench.care.rest_s == 0


async def test_the_cleaning_cycle_is_run_and_noted_with_who(bench: Bench) -> None:
    await bench.look()
    bench.lane.clean_every = 1000
    bench.care.refused("cleaning_due")
    act = await bench.do(Kind.CLEAN)
    assert (act.outcome, act.who, bench.care.must_clean, bench.lane.acts) == ("done", "ani", False, ["clean"])
    await bench.look(0.0)
    assert bench.care.cards_until_cleaning == 1000


@pytest.mark.parametrize("condition", ["cleaning_due", "ribbon_end", "hopper_empty"])
async def test_a_printer_without_ribbon_or_blanks_may_be_cleaned(bench: Bench, condition: str) -> None:
    bench.lane.at = lambda point: _raise(DeviceRefused(condition, "said no"))() if point == "open" else None
    assert (await bench.do(Kind.CLEAN)).outcome == "done"
    await bench.load(1)
    assert (await bench.do(Kind.TEST_CARD)).condition == condition


async def test_a_test_card_takes_a_blank_in_the_world_and_in_the_books(bench: Bench) -> None:
    await bench.load(3)
    act = await bench.do(Kind.TEST_CARD)
    assert (act.outcome, act.counted, await bench.held(), await bench.incidents()) == ("done", 1, (2, 1), [])
    assert (len(bench.lane.hopper), len(bench.lane.output)) == (2, 1)


async def test_what_is_in_the_way_is_said_and_the_printer_is_told_nothing(bench: Bench) -> None:
    await bench.load(1)
    bench.lane.cover_open = True
    act = await bench.do(Kind.TEST_CARD)
    assert (act.outcome, act.condition, bench.lane.acts, await bench.held()) == ("refused", "cover_open", [], (1, 0))
    bench.lane.cover_open, bench.lane.position = None, CardPosition.CONTACTLESS
    assert (await bench.do(Kind.CLEAN)).condition == "card_inside"


async def test_a_printer_that_is_not_there_is_said_and_nothing_is_begun(bench: Bench) -> None:
    bench.lane.unplug()
    act = await bench.do(Kind.CLEAN)
    assert (act.outcome, act.condition, act.begun) == ("refused", "printer_absent", False)


async def test_a_refused_test_card_takes_nothing(bench: Bench) -> None:
    await bench.load(1)
    bench.lane.hopper.clear()
    act = await bench.do(Kind.TEST_CARD)
    assert (act.outcome, act.condition, act.counted, await bench.held()) == ("failed", "hopper_empty", 0, (1, 0))


@pytest.mark.parametrize("point", ["picking", "picked", "standing", "counted", "replied"])
async def test_a_lost_link_in_the_middle_is_settled_by_the_counter_and_the_hopper_has_to_be_counted(
    bench: Bench, point: str
) -> None:
    await bench.load(3)
    bench.lane.at = lambda name: _raise(DeviceUnknown("printer_lost", "gone"))() if name == f"print_test_card 1 {point}" else None
    act = await bench.do(Kind.TEST_CARD)
    assert act.outcome == ""  # open: nobody knows
    bench.lane.at = lambda _name: None
    bench.lane.finish_motion()
    act = await bench.go_on(act.id)
    assert (act.outcome, await bench.held(), await bench.incidents()) == ("unknown", (2, 1), ["count_required"])
    assert len(bench.lane.hopper) == 2


async def test_a_daemon_that_died_in_the_middle_finds_out_when_the_printer_answers_again(bench: Bench) -> None:
    await bench.load(3)
    bench.lane.after["print_test_card"] = _raise(RuntimeError("killed"))
    with pytest.raises(RuntimeError, match="killed"):
        await bench.do(Kind.TEST_CARD)
    bench.lane.unplug()
    bench.new_daemon()
    assert (await bench.go_on(1)).outcome == ""
    bench.lane.plug()
    assert (await bench.go_on(1)).outcome == "unknown"
    assert (await bench.held(), len(bench.lane.output)) == ((2, 1), 1)


async def test_another_printer_cannot_tell_what_the_first_one_did(bench: Bench) -> None:
    await bench.load(3)
    bench.lane.after["print_test_card"] = _raise(DeviceUnknown("printer_lost", "gone"))
    act = await bench.do(Kind.TEST_CARD)
    bench.lane.serial, bench.lane.cards_fed = "SN2", 7
    act = await bench.go_on(act.id)
    assert (act.outcome, act.counted, await bench.held()) == ("unknown", None, (3, 0))
    assert await bench.incidents() == ["count_required"]


async def test_never_sent_means_never_done(bench: Bench) -> None:
    await bench.load(1)
    bench.lane.before["print_test_card"] = _raise(DeviceAbsent("printer_late", "before anything was sent"))
    act = await bench.do(Kind.TEST_CARD)
    assert (act.outcome, act.condition, await bench.held(), await bench.incidents()) == ("failed", "printer_late", (1, 0), [])


@pytest.mark.parametrize(("watched", "doubts"), [(False, []), (True, ["count_required"])])
async def test_a_lane_without_beams_doubts_no_test_card_that_no_beam_saw(
    bench: Bench, *, watched: bool, doubts: list[str]
) -> None:
    devices = replace(bench.lane.devices, sensors=NoSensors())
    bench.care = Care("1", bench.store, devices, Rule(), watched=watched)
    await bench.load(2)
    assert (await bench.do(Kind.TEST_CARD)).outcome == "done"
    assert (await bench.held(), await bench.incidents()) == ((1, 1), doubts)
