"""Every APDU of a card, and everything that can happen at it: the cases, and how one is played.

The points come from the running code: one undisturbed run names them. A case is a fault at one APDU to the chip, at one call of the
key holder, or at a presentation; most of them once more with the daemon killed at the same moment. A phase begins where the chip
is asked for its UID.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from controller.hal import pcsc_link
from tests.crash import every_point
from tests.crash.apdu_station import ApduStation, Fault
from tests.fakes.apdu_chip import STRANGERS, ApduLane, signed_files
from tests.fakes.apdu_faults import KINDS, SAM_KINDS, STATIC_SAM_KINDS
from tests.fakes.pcscd import installed

PROFILES = ("ektp", "gp-scp03")
PLANS = ("held", "ejecting")
PHASES = ("probe", "encode", "read", "lock", "verify", "check")
UID = "CA 0000"
WHOLE_SIZES = ((0x6FF1, 1024), (0x6FF2, 4096), (0x6FF3, 1024), (0x6FF4, 1024), (0x6FF5, 1024))

QUICKENED = (*every_point.QUICKENED, (pcsc_link, "CHECK_S"), (pcsc_link, "PAST_POLL_S"), (pcsc_link, "LATE_S"))


@dataclass(frozen=True, slots=True)
class Way:
    """What the faults fall on."""

    profile: str
    plan: str = "held"
    whole_size: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One run with its faults."""

    way: Way
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return f"{self.way.profile}, {self.way.plan}: {'; '.join(map(str, self.faults)) or 'undisturbed'}"


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


def play(case: Case) -> ApduStation:
    """Run one case to its end; `broken` of what comes back says what was not kept."""
    with tempfile.TemporaryDirectory(dir=every_point.MEMORY, prefix="print-station-apdu-") as folder:
        way = case.way
        files = signed_files(WHOLE_SIZES) if way.whole_size else signed_files()
        lane = ApduLane(kind=way.profile, files=files, opened=False)
        station = ApduStation(Path(folder), lane, case.faults, way.plan)
        with installed(lane.pcscd):
            try:
                asyncio.run(station.live())
            except TimeoutError:
                station.broken.append(f"it did not come to an end: {station.status}")
        return station


@cache
def points(way: Way) -> tuple[Point, ...]:
    """Every APDU of an undisturbed run."""
    found, phase = [], -1
    for number, label in enumerate(play(Case(way)).lane_of_chips.field.seen):
        phase += label == UID
        found.append(Point(number, PHASES[phase], label))
    return tuple(found)


@cache
def calls(way: Way) -> tuple[str, ...]:
    """Every call of the key holder in an undisturbed run."""
    return tuple(play(Case(way)).lane_of_chips.sam.seen)


def single_cases(way: Way) -> Iterator[Case]:
    """Everything at every point."""
    for point in points(way):
        for name in possible(point):
            yield Case(way, (Fault("chip", point.number, name),))
            if KINDS[name].loses:
                yield Case(way, (Fault("chip", point.number, name, kill=True),))
    for number, name in ((number, name) for number in range(len(calls(way))) for name in sam_kinds(way)):
        for kill in (False, True):
            yield Case(way, (Fault("SAM", number, name, kill=kill),))
    for number in (2,) if way.plan == "held" else ():  # at the first it is the stranger that is identified, and made
        for whose in STRANGERS:
            yield Case(way, (Fault("field", number, whose),))


def possible(point: Point) -> Iterator[str]:
    """The kinds that make a difference at this point. What another chip says counts only once this one was identified."""
    for name, kind in KINDS.items():
        stranger = name.startswith(STRANGERS)
        if kind.at(point.label) and not (stranger and point.number == 0):
            yield name


def sam_kinds(way: Way) -> Iterable[str]:
    """What can happen to this way's key holder."""
    return SAM_KINDS if way.profile == "ektp" else STATIC_SAM_KINDS
