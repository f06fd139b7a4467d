"""How a lane settles an interrupted passage: whom it waits for, what it says meanwhile, how long it rests between two tries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from controller.jobs import lane_calls, lane_rescue
from controller.jobs.evidence import Ask, Phase
from controller.jobs.journal import Passage
from controller.jobs.lane_calls import LaneCalls
from controller.jobs.lane_doubts import LaneDoubts
from controller.jobs.lane_report import LaneReport
from controller.jobs.lane_rescue import LaneRescue
from controller.jobs.rescue import Rescue, Waiting
from controller.jobs.runner import Hooks, Result
from controller.jobs.store import Store
from controller.model import Verdict
from tests.fakes.interrupted import stop_at
from tests.fakes.lane import FakeLane

HOOKS = Hooks(lambda _stage, _number: None, lambda _stage, _seconds: None, lambda _trouble: pytest.fail("nothing is run here"))
GOOD = Result(1, Verdict.GOOD)


class Tries:
    """Tries that come out as told; the last outcome stays."""

    def __init__(self) -> None:
        self.outcomes: list[Result | Waiting] = [GOOD]
        self.made = 0

    async def attempt(self, _passage: Passage, _since: object, _hooks: Hooks) -> Result | Waiting:
        self.made += 1
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


class Rests(LaneCalls):
    """Calls whose waits are over at once, and kept."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[tuple[str, float]] = []

    async def pause(self, seconds: float) -> None:
        self.waits.append(("pause", seconds))

    async def rest(self, seconds: float) -> None:
        self.waits.append(("rest", seconds))


@dataclass
class Bench:
    """One passage that nobody knows the end of."""

    passage: Passage
    lane: FakeLane = field(default_factory=FakeLane)
    tries: Tries = field(default_factory=Tries)
    calls: Rests = field(default_factory=Rests)
    doubts: LaneDoubts = field(default_factory=lambda: LaneDoubts(3))
    now_s: float = 100.0

    def __post_init__(self) -> None:
        self.report = LaneReport("1", lambda _status: None, clock=lambda: self.now_s)
        self.rescue = LaneRescue(cast("Rescue", self.tries), None, self.lane.sensors, lambda _ruling: None, self.doubts,
                                 self.calls, self.report)  # fmt: skip

    async def settle(self, asked: Ask | None = None) -> Result | None:
        return await self.rescue.settle(self.passage, asked, None, HOOKS)

    @property
    def says(self) -> tuple[str, str | None]:
        return self.report.status.activity, self.report.status.condition


@pytest.fixture
async def bench(store: Store, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(lane_calls, "POLL_S", 0.5)  # constants, not behaviour: told apart in what was waited
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (1.0, 2.0, 5.0))
    return Bench(await store.transact(stop_at, Phase.PRINTING))


async def test_what_a_try_finds_out_is_handed_back_and_nothing_is_waited_for(bench: Bench) -> None:
    assert await bench.settle() == GOOD
    assert (bench.says, bench.calls.waits) == (("recover", None), [])
    assert (bench.report.status.job_id, bench.report.status.passage_id) == (bench.passage.job_id, bench.passage.id)


async def test_while_a_person_is_asked_nothing_is_tried(bench: Bench) -> None:
    assert await bench.settle(Ask.DESK) is None
    assert (bench.says, bench.tries.made, bench.calls.waits) == (("waiting", "ask_desk"), 0, [("pause", 0.5)])


async def test_while_the_sensors_are_blind_nothing_is_tried(bench: Bench) -> None:
    bench.lane.sensors.lose()
    assert await bench.settle() is None
    assert (bench.says, bench.tries.made, bench.calls.waits) == (("recover", "pins_dead"), 0, [("pause", 0.5)])
    assert not bench.report.status.pins_up


async def test_each_try_that_decides_nothing_is_followed_by_a_longer_rest(bench: Bench) -> None:
    bench.tries.outcomes = [Waiting("printer_absent", "unplugged")]
    assert [await bench.settle() for _ in range(4)] == [None] * 4
    assert bench.calls.waits == [("rest", 1.0), ("rest", 2.0), ("rest", 5.0), ("rest", 5.0)]
    assert (bench.says, bench.report.status.detail) == (("recover", "printer_absent"), "unplugged")


async def test_the_rests_of_another_passage_begin_anew(bench: Bench, store: Store) -> None:
    bench.tries.outcomes = [Waiting("printer_absent")]
    await bench.settle()
    await bench.settle()
    bench.passage = await store.transact(stop_at, Phase.PRINTING, None, "2")
    await bench.settle()
    assert [seconds for _, seconds in bench.calls.waits] == [1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("condition", "up"), [("printer_absent", (False, True)), ("reader_absent", (True, False)), ("pcsc_absent", (True, False))]
)
async def test_the_device_that_kept_it_from_being_settled_is_told_as_down(
    bench: Bench, condition: str, up: tuple[bool, bool]
) -> None:
    bench.tries.outcomes = [Waiting(condition)]
    await bench.settle()
    assert (bench.report.status.printer_up, bench.report.status.reader_up) == up


async def test_a_key_holder_that_kept_it_from_being_settled_is_told_as_down(bench: Bench) -> None:
    bench.tries.outcomes = [Waiting("sam_absent")]
    await bench.settle()
    assert bench.report.status.key_holder_up is False


async def test_a_fault_that_nothing_shows_to_be_gone_wants_a_look_once_the_card_is_settled(bench: Bench) -> None:
    bench.tries.outcomes = [Waiting("printer_hardware", "ERROR UNKNOW"), GOOD]
    await bench.settle()
    await bench.settle()
    assert bench.doubts.look_first == "printer_hardware"


async def test_a_card_that_may_be_laid_down_again_is_awaited_without_longer_rests(bench: Bench) -> None:
    bench.tries.outcomes = [Waiting("lay_again")]
    await bench.settle()
    await bench.settle()
    assert bench.calls.waits == [("pause", 0.5)] * 2


async def test_a_stop_ends_the_rests(bench: Bench) -> None:
    bench.tries.outcomes = [Waiting("printer_absent")]
    bench.calls.stop()
    await bench.settle()
    assert (bench.says, bench.calls.waits) == (("recover", "printer_absent"), [])


async def test_a_long_rest_is_no_silence_of_a_stuck_lane(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (60.0,))  # a constant, not behaviour
    bench.tries.outcomes = [Waiting("printer_absent")]
    await bench.settle()
    bench.now_s += 60.0
    assert bench.report.alive
