"""One look of a lane: what it gathers, what it reports of it, and what it remembers as a doubt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from controller.errors import DeviceRefused
from controller.jobs.care import Care
from controller.jobs.lane_calls import LaneCalls
from controller.jobs.lane_doubts import LaneDoubts
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_look import LaneLook, LaneSight
from controller.jobs.lane_report import LaneReport
from controller.jobs.pace import Rule
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from tests.fakes.lane import FakeLane
from tests.fakes.stock import fill

POLICY = LanePolicy("held", ejects_at_power_on=False, reader="reader 1", max_remakes=1, max_rejects_in_row=3, ribbon="ymcko")


@dataclass
class Bench:
    """A lane in memory, and all that its look is made of."""

    store: Store
    spool: Spool
    lane: FakeLane = field(default_factory=FakeLane)
    calls: LaneCalls = field(default_factory=LaneCalls)
    doubts: LaneDoubts = field(default_factory=lambda: LaneDoubts(3))
    held: bool = False
    policy: LanePolicy = POLICY

    def __post_init__(self) -> None:
        self.report = LaneReport("1", lambda _status: None)
        care = Care("1", self.store, self.lane.devices, Rule())
        links = LaneLinks(lambda: self.held, lambda: True, lambda _status: None, lambda _stage, _seconds: None,
                          lambda _result: None, lambda _ruling: None)  # fmt: skip
        self._look = LaneLook(
            self.lane.devices, self.store, self.spool, self.policy, links, care, self.doubts, self.calls, self.report
        )

    async def gather(self) -> LaneSight:
        return await self._look.gather()


@pytest.fixture
async def bench(store: Store, spool: Spool) -> Bench:
    await store.transact(fill, "1", 5)
    return Bench(store, spool)


async def test_a_lane_without_trouble_has_nothing_in_its_facts_that_holds_it(bench: Bench) -> None:
    facts = (await bench.gather()).facts
    assert (facts.stopping, facts.held, facts.panel_up, facts.disk_full) == (False, False, True, False)
    assert (facts.printer_trouble, facts.reader_trouble, facts.look_first, facts.setback) == (None, None, None, None)
    assert (facts.hopper_count, facts.max_rejects_in_row, facts.witness is not None) == (5, 3, True)


async def test_what_was_seen_is_reported(bench: Bench) -> None:
    bench.lane.ribbon = 7
    bench.lane.sensors.sense(hopper_low=True)
    await bench.gather()
    status = bench.report.status
    assert (status.printer_up, status.reader_up, status.pins_up, status.hopper_low) == (True, True, True, True)
    assert (status.ribbon_remaining, status.printer and status.printer.serial) == (7, "SN1")


async def test_a_printer_that_is_gone_is_told_with_its_own_words_and_still_known_by_name(bench: Bench) -> None:
    await bench.gather()
    bench.lane.present = False
    sight = await bench.gather()
    assert (sight.facts.printer_trouble, sight.said["printer_absent"]) == ("printer_absent", "unplugged")
    assert (sight.facts.witness, bench.report.status.printer_up) == (None, False)
    assert bench.report.status.printer is not None


async def test_a_reader_that_is_gone_is_not_the_printers_trouble(bench: Bench) -> None:
    bench.lane.chip.absent = "pcsc_absent"
    facts = (await bench.gather()).facts
    assert (facts.printer_trouble, facts.reader_trouble) == (None, "pcsc_absent")
    assert (bench.report.status.printer_up, bench.report.status.reader_up) == (True, False)


@pytest.mark.parametrize(
    ("trouble", "reader_up", "key_holder_up"),
    [("", True, True), ("sam_absent", True, False), ("sam_locked", True, False), ("reader_absent", False, None)],
)
async def test_a_key_holder_in_trouble_is_not_the_readers(
    store: Store, spool: Spool, trouble: str, reader_up: bool, key_holder_up: bool | None
) -> None:
    bench = Bench(store, spool, policy=replace(POLICY, needs_keys=True))
    bench.lane.chip.absent = trouble
    await bench.gather()
    assert (bench.report.status.reader_up, bench.report.status.key_holder_up) == (reader_up, key_holder_up)


async def test_of_chips_without_keys_no_key_holder_is_told(bench: Bench) -> None:
    await bench.gather()
    assert bench.report.status.key_holder_up is None


async def test_a_fault_met_while_looking_wants_a_look_although_the_next_one_finds_nothing(bench: Bench) -> None:
    def fail() -> None:
        del bench.lane.before["witness"]
        raise DeviceRefused("print_head", "ERROR HEAD")

    bench.lane.before["witness"] = fail
    assert [(await bench.gather()).facts.look_first for _ in range(2)] == ["print_head", "print_head"]
    assert bench.doubts.look_first == "print_head"


async def test_a_stop_or_a_hold_while_the_printer_is_asked_is_seen_before_the_feed(bench: Bench) -> None:
    def interrupt() -> None:
        bench.held = True
        bench.calls.stop()

    bench.lane.before["witness"] = interrupt
    facts = (await bench.gather()).facts
    assert (facts.stopping, facts.held) == (True, True)


async def test_blind_sensors_are_told_as_such(bench: Bench) -> None:
    bench.lane.sensors.lose()
    assert (await bench.gather()).facts.levels is None
    assert (bench.report.status.pins_up, bench.report.status.hopper_low) == (False, False)


async def test_a_wrong_ribbon_is_told_with_the_one_that_is_wanted(bench: Bench) -> None:
    def wrong() -> None:
        raise DeviceRefused("ribbon_wrong", "ERROR RIBBON TYPE")

    bench.lane.before["witness"] = wrong
    assert (await bench.gather()).said["ribbon_wrong"] == "ymcko ERROR RIBBON TYPE"
    bench.lane.before.clear()
    assert (await bench.gather()).said == {"cool_down": "0 s", "ribbon_wrong": "ymcko"}
