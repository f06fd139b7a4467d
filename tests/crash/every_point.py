"""Every point of a passage, before and after, in every combination of what can happen there: the cases, and how one is played.

The points come from the running code: one undisturbed run names them. A case strikes at one of them, or at two: a second blow may
fall on the recovery from the first. Facts: reliability.md 2.2.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from controller.jobs import beside, by_hand, lane_calls, lane_doubts, lane_rescue, rescue, stages
from tests.crash.station import Blow, Station, Strikes
from tests.fakes.by_hand import HandLane
from tests.fakes.lane import FakeLane

MEMORY = Path("/dev/shm")  # the store's flushes cost nothing there, and none is ever lost by a kill
EVENTS = ("", "power", "unplug", "pcscd", "reader")
PLANS = ("held", "ejecting", "external")


QUICKENED = ((stages, "BEAM_WAIT_S"), (lane_calls, "POLL_S"), (lane_doubts, "BACK_OFF_S"), (lane_rescue, "RESCUE_BACK_OFF_S"),
             (by_hand, "POLL_S"), (beside, "SHOWN_S"), (rescue, "HAND_WAIT_S"))  # fmt: skip  # what `quicken` changes


@dataclass(frozen=True, slots=True)
class Lane:
    """What a run begins with."""

    plan: str
    ejects: bool = False  # at power-on
    forgetful: bool = False  # counters lose their last tick with the power
    bad_chip: bool = False  # the first blank has to be thrown out
    feeds_alone: bool = True  # by hand: the person feeds the card although nobody listens to the printer any more


@dataclass(frozen=True, slots=True)
class Case:
    """One run with its blows: (number of the point, what happens there)."""

    lane: Lane
    blows: tuple[tuple[int, Blow], ...]

    def __str__(self) -> str:
        blows = ", ".join(f"{number}:{'kill' if blow.kill else 'lose'}{f' {blow.event}' if blow.event else ''}"
                          for number, blow in self.blows)  # fmt: skip
        return f"{self.lane} at {blows}"


def quicken() -> None:
    """Let nothing wait: these are constants, not behaviour."""
    stages.BEAM_WAIT_S = 0.002
    lane_calls.POLL_S = by_hand.POLL_S = 0.002
    beside.SHOWN_S, rescue.HAND_WAIT_S = 0.0, 0.1
    lane_doubts.BACK_OFF_S = (0.0005, 0.001)
    lane_rescue.RESCUE_BACK_OFF_S = (0.0005, 0.001, 0.001)


def play(case: Case) -> Station:
    """Run one case to its end; `broken` of what comes back says what was not kept."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="print-station-crash-") as folder:
        lane = _lane(case.lane)
        station = Station(Path(folder), case.lane.plan, lane, Strikes(dict(case.blows)), bad_chip=case.lane.bad_chip)
        try:
            asyncio.run(station.live())
        except TimeoutError:
            station.broken.append(f"it did not come to an end: {station.status}")
        return station


@cache
def points(lane: Lane) -> tuple[str, ...]:
    """The names of all points of an undisturbed run."""
    return tuple(play(Case(lane, ())).strikes.seen)


def single_cases() -> Iterator[Case]:
    """Every point of every kind of lane in every combination."""
    for plan, bad_chip in itertools.product(PLANS, (False, True)):
        names = points(Lane(plan, bad_chip=bad_chip))
        last = _end_of_first_passage(names) if bad_chip else len(names)
        for number, (lane, blow) in itertools.product(range(last), _combinations(Lane(plan, bad_chip=bad_chip))):
            if lane.feeds_alone or names[number].startswith("print_by_hand"):  # elsewhere it changes nothing
                yield Case(lane, ((number, blow),))


def double_cases(count: int, seed: int) -> Iterator[Case]:
    """So many cases whose second blow falls after the first: on the recovery itself, or on what follows it."""
    choose = random.Random(seed)
    firsts = [case for case in single_cases() if case.blows[0][1].kill or case.blows[0][1].event]
    made = 0
    while made < count:
        first = choose.choice(firsts)
        seen = len(play(first).strikes.seen)
        ((number, _),) = first.blows
        if seen > number + 1:
            second = choose.choice(list(_blows()))
            yield replace(first, blows=(*first.blows, (choose.randrange(number + 1, seen), second)))
            made += 1


def sample(cases: Iterable[Case], every: int) -> Iterator[Case]:
    """Of each combination the cases at each `every`-th point, and at other points than the combination before it."""
    groups: dict[object, list[Case]] = {}
    for case in cases:
        groups.setdefault((case.lane, case.blows[0][1]), []).append(case)
    for number, group in enumerate(groups.values()):
        yield from group[number % min(every, len(group)) :: every]


def _lane(lane: Lane) -> FakeLane:
    if lane.plan == "external":
        return HandLane(ejects=lane.ejects, forgetful=lane.forgetful, opened=False, feeds_alone=lane.feeds_alone)
    return FakeLane(ejects=lane.ejects, forgetful=lane.forgetful, opened=False)


def _blows() -> Iterator[Blow]:
    for kill, event in itertools.product((True, False), EVENTS):
        if kill or event:
            yield Blow(kill, event)


def _combinations(lane: Lane) -> Iterator[tuple[Lane, Blow]]:
    alone = (True, False) if lane.plan == "external" else (True,)
    for blow, ejects, feeds_alone in itertools.product(_blows(), (False, True), alone):
        for forgetful in (False, True) if blow.event == "power" else (False,):
            yield replace(lane, ejects=ejects, forgetful=forgetful, feeds_alone=feeds_alone), blow


def _end_of_first_passage(names: Sequence[str]) -> int:
    """The points up to the second passage's begin; what follows is what a sound blank goes through."""
    begins = [number for number, name in enumerate(names) if name == "commit begin"]
    return begins[1] + 1
