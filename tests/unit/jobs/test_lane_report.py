"""What a lane says of itself, and when its silence is taken for a stuck lane."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from controller.jobs.lane_report import SILENCE_S, LaneReport
from controller.model import LaneStatus


@dataclass
class Bench:
    """A report, who hears it, and the time."""

    now_s: float = 100.0
    heard: list[LaneStatus] = field(default_factory=list)
    report: LaneReport = field(init=False)

    def __post_init__(self) -> None:
        self.report = LaneReport("1", self.heard.append, clock=lambda: self.now_s)

    def alive_after(self, seconds: float) -> bool:
        self.now_s += seconds
        return self.report.alive


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_change_is_told_once_and_the_rest_is_kept(bench: Bench) -> None:
    bench.report.tell(activity="feed", job_id=7)
    bench.report.tell(activity="feed")
    assert bench.heard == [bench.report.status] == [LaneStatus("1", activity="feed", job_id=7)]


def test_what_no_status_has_cannot_be_told(bench: Bench) -> None:
    with pytest.raises(TypeError, match="mood"):
        bench.report.tell(mood="good")
    assert bench.heard == []


def test_a_lane_that_says_nothing_is_stuck_even_from_the_start(bench: Bench) -> None:
    assert bench.alive_after(SILENCE_S - 1)
    assert not bench.alive_after(1)


def test_saying_the_same_again_is_a_sign_of_life(bench: Bench) -> None:
    bench.now_s += SILENCE_S - 1
    bench.report.tell()
    assert bench.alive_after(SILENCE_S - 1)
    assert bench.heard == []


def test_what_takes_long_may_be_silent_for_as_long(bench: Bench) -> None:
    bench.report.expect(60.0)
    bench.report.tell(activity="print", heard=False)  # else it would be given less
    assert bench.alive_after(60.0 + SILENCE_S - 1)
    assert not bench.alive_after(1)


def test_a_shorter_act_after_a_long_one_gets_no_more_than_its_own_time(bench: Bench) -> None:
    bench.report.expect(60.0)
    bench.report.expect(1.0)
    assert not bench.alive_after(1.0 + SILENCE_S)


def test_of_a_lane_that_ended_nothing_is_expected(bench: Bench) -> None:
    bench.report.close()
    assert bench.alive_after(1e9)
