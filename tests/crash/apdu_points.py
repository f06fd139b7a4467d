"""Every APDU of a card, and everything that can happen at it: the cases, and how one is played.

The points come from the running code: one undisturbed run names them. A case is a fault at one APDU to the chip, at one call of
the key holder, or at a presentation; most of them once more with the daemon killed at the same moment. A phase begins where the
chip is asked for its UID.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from controller.hal.chip import pcsc_link
from tests.crash import every_point
from tests.crash.apdu_station import ApduStation, Fault
from tests.fakes.apdu_chip import STRANGERS, signed_files
from tests.fakes.apdu_faults import KINDS, SAM_KINDS, STATIC_SAM_KINDS
from tests.fakes.apdu_lane import ApduHandLane, ApduLane, ChipBench
from tests.fakes.lane import FakeLane
from tests.fakes.pcscd import installed

PROFILES = ("ektp", "gp-scp03")
PLANS = ("held", "ejecting", "external")
PHASES = ("probe", "encode", "read", "lock", "verify", "check")
UID = "CA 0000"
WHOLE_SIZES = ((0x6FF1, 1024), (0x6FF2, 4096), (0x6FF3, 1024), (0x6FF4, 1024), (0x6FF5, 1024))

QUICKENED = (*every_point.QUICKENED, (pcsc_link, "CHECK_S"), (pcsc_link, "PAST_POLL_S"), (pcsc_link, "LATE_S"))

# Kinds whose outcome can be known wherever they fall: not another chip, which may be the one that is identified, and not what a
# chip forgets after it was read for the last time.
ANYWHERE = [name for name, kind in KINDS.items() if not name.startswith(STRANGERS) and not kind.phases]


@dataclass(frozen=True, slots=True)
class Way:
    """What the faults fall on."""

    profile: str
    plan: str = "held"
    whole_size: bool = False
    signed: bool = True  # else only comparing shows what is wrong with contents

    @property
    def phases(self) -> tuple[str, ...]:
        """In order. By hand the lane looks what lies on its reader before anything begins."""
        return ("look", *PHASES) if self.plan == "external" else PHASES


@dataclass(frozen=True, slots=True)
class Case:
    """One run with its faults."""

    way: Way
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        way = self.way
        size, signed = ", whole size" if way.whole_size else "", "" if way.signed else ", unsigned"
        return f"{way.profile}, {way.plan}{size}{signed}: {'; '.join(map(str, self.faults)) or 'undisturbed'}"


@dataclass(frozen=True, slots=True)
class Point:
    """One APDU to the chip."""

    number: int
    phase: str
    label: str


def quicken() -> None:
    """Let nothing wait."""
    every_point.quicken()
    pcsc_link.CHECK_S, pcsc_link.PAST_POLL_S = 0.02, 0.002
    pcsc_link.LATE_S = 30.0  # of the machine's time, which tests share; a command that hangs says so itself


def play(case: Case, tamper: Callable[[FakeLane], None] = lambda _lane: None) -> ApduStation:
    """Run one case to its end; `broken` of what comes back says what was not kept. `tamper` does something else to the lane."""
    with tempfile.TemporaryDirectory(dir=every_point.MEMORY, prefix="print-station-apdu-") as folder:
        way = case.way
        bench = ChipBench(way.profile, signed_files(WHOLE_SIZES) if way.whole_size else (), signed=way.signed)
        lane = (ApduHandLane if way.plan == "external" else ApduLane)(opened=False, bench=bench)
        tamper(lane)
        station = ApduStation(Path(folder), lane, case.faults, way.plan)
        with installed(bench.pcscd):
            try:
                asyncio.run(station.live())
            except TimeoutError:
                station.broken.append(f"it did not come to an end: {station.status}")
        return station


@cache
def points(way: Way) -> tuple[Point, ...]:
    """Every APDU of an undisturbed run."""
    found, phase = [], -1
    for number, label in enumerate(play(Case(way)).bench.field.seen):
        phase += label == UID
        found.append(Point(number, way.phases[phase], label))
    return tuple(found)


@cache
def calls(way: Way) -> tuple[str, ...]:
    """Every call of the key holder in an undisturbed run."""
    return tuple(play(Case(way)).bench.sam.seen)


def single_cases(way: Way) -> Iterator[Case]:
    """Everything at every point; what a chip's signature would show as well is played without one."""
    for point in points(way):
        for name in possible(way, point):
            yield Case(replace(way, signed=KINDS[name].loses), (Fault("chip", point.number, name),))
            if KINDS[name].loses:
                yield Case(way, (Fault("chip", point.number, name, kill=True),))
    for number, name in ((number, name) for number in range(len(calls(way))) for name in sam_kinds(way)):
        for kill in (False, True):
            yield Case(way, (Fault("SAM", number, name, kill=kill),))
    if way.plan != "external":
        yield from _exchanges(way)


def _exchanges(way: Way) -> Iterator[Case]:
    """At the first presentation a blank in a card's place would be the one that is made: nobody could know of it."""
    yield from (Case(way, (Fault("field", 1, whose),)) for whose in STRANGERS[1:])
    for point in points(way):
        if point.phase in ("encode", "read", "lock", "verify"):
            yield from (Case(way, (Fault("taken", point.number, whose),)) for whose in STRANGERS)
    for whose in STRANGERS if way.plan == "held" else ():
        yield Case(way, (Fault("field", 2, whose),))
        yield Case(way, (Fault("card", 2, whose),))


def possible(way: Way, point: Point) -> Iterator[str]:
    """The kinds that make a difference at this point. What another chip says counts only once this one was identified."""
    for name, kind in KINDS.items():
        stranger = name.startswith(STRANGERS)
        here = kind.at(point.label) and point.phase in (kind.phases or way.phases)
        if here and not (stranger and (point.number == 0 or way.plan == "external")):
            yield name


def sam_kinds(way: Way) -> Iterable[str]:
    """What can happen to this way's key holder."""
    return SAM_KINDS if way.profile == "ektp" else STATIC_SAM_KINDS


def sample(way: Way) -> Iterator[Case]:
    """Every kind, and of each family of kinds every phase and every distinct command; every other time the daemon is killed."""
    families: dict[str, list[Case]] = {}
    for case in single_cases(way):
        if not case.faults[0].kill:
            families.setdefault(_family(case.faults[0]), []).append(case)
    for turn, cases in enumerate(families.values()):
        start = turn * 7 % len(cases)  # the points move on from family to family
        for number, case in enumerate(_cover(way, [*cases[start:], *cases[:start]])):
            yield _killed(case) if number % 2 else case


def _killed(case: Case) -> Case:
    """With the daemon killed at the same moment, where that matters."""
    (fault,) = case.faults
    dies = fault.where == "SAM" or (fault.where == "chip" and KINDS[fault.kind].loses)
    return replace(case, faults=(replace(fault, kill=True),)) if dies else case


def double_cases(way: Way, count: int, seed: int) -> Iterator[Case]:
    """So many cases with a second fault on the recovery from a first one, or on what follows it."""
    choose = random.Random(seed)
    firsts = [case for case in single_cases(way) if case.faults[0].where == "chip"]
    for _ in range(count):
        first = choose.choice(firsts)
        ((number, seen),) = ((fault.number, len(play(first).bench.field.seen)) for fault in first.faults)
        if seen > number + 1:
            second = Fault("chip", choose.randrange(number + 1, seen), choose.choice(ANYWHERE), kill=choose.random() < 0.3)
            yield Case(way, (*first.faults, second))


def _cover(way: Way, cases: list[Case]) -> Iterator[Case]:
    """Few cases that meet everything that all of them meet."""
    left = {case: _meets(way, case.faults[0]) for case in cases}
    met: set[object] = set()
    while left:
        best = max(left, key=lambda case: len(left[case] - met))
        if not left[best] - met:
            return
        met |= left.pop(best)
        yield best


def _meets(way: Way, fault: Fault) -> frozenset[object]:
    own = (fault.where, fault.kind)
    if fault.where in ("chip", "taken"):
        point = points(way)[fault.number]
        return frozenset({own, point.phase, point.label})
    if fault.where == "SAM":
        part = fault.number * len(way.phases) // len(calls(way))  # its calls have no phases: so many parts of the way
        return frozenset({own, calls(way)[fault.number], part})
    return frozenset({own})


def _family(fault: Fault) -> str:
    return KINDS[fault.kind].family if fault.where == "chip" else " ".join(fault.kind.split()[:2])  # SAM says, SAM pulled, ...
