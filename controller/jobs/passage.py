"""The passage as a table: one row per stage of one blank's trip through a lane for one job.

A profile that can hold the card after printing runs PLAN_HELD; one that prints and ejects in a single act runs PLAN_EJECTING.
`intent` is written (and committed) before a physical act, the outcome after it. What a failure means is decided here too,
from the error and from where the printer still sees the card; nothing is done in this module.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from controller.errors import CardWrong, DeviceAbsent, DeviceRefused, StationError
from controller.jobs import journal, stages
from controller.jobs.journal import Passage
from controller.jobs.stages import Act, Evidence, Trip
from controller.model import Beam, CardPosition, PrinterWitness

Intent = Callable[[Trip], Awaitable[Evidence]]
Also = Callable[[sqlite3.Connection, Passage, Evidence], None]


async def _no_witness(_trip: Trip) -> Evidence:
    return {}


def _nothing(_db: sqlite3.Connection, _passage: Passage, _evidence: Evidence) -> None:
    return


def _took_blank(db: sqlite3.Connection, passage: Passage, _evidence: Evidence) -> None:
    journal.took_blank(db, passage)


def _bind_chip(db: sqlite3.Connection, passage: Passage, evidence: Evidence) -> None:
    journal.bind_chip(db, passage.id, evidence["uid"])


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the passage table."""

    name: str
    intent: Intent  # gathers the witnesses that are committed before the act
    act: Act
    deadline_s: float
    physical: bool  # moves, writes or prints; a read-only stage needs no intent of its own
    repeatable: bool = False  # may be asked again while the card can be seen
    also: Also = _nothing  # what else changes in the commit of its outcome
    after_crash: str = ""  # what an intent without an outcome means


FEED = Stage("feed", stages.beam_intent(Beam.FEED), stages.feed, 40, physical=True, also=_took_blank,
             after_crash="a blank may have left the hopper: unknown")  # fmt: skip
PROBE = Stage("probe", _no_witness, stages.probe, stages.CHIP_WAIT_S, physical=False, also=_bind_chip,
              after_crash="nothing was written; the card is in the path: unknown")  # fmt: skip
ENCODE = Stage(
    "encode", stages.chip_intent, stages.encode, 30, physical=True, after_crash="the chip may be half written: unknown"
)
READ_BACK = Stage("read back", _no_witness, stages.read_back, 30, physical=False, after_crash="the chip is written: unknown")
PRINT = Stage(
    "print", stages.print_intent, stages.print_face, 120, physical=True, after_crash="panels may be on the card: unknown"
)
CHECK = Stage(
    "check", stages.printer_intent, stages.check, 40, physical=True, after_crash="the card is printed and inside: unknown"
)
DELIVER = Stage("deliver", stages.beam_intent(Beam.EXIT), stages.deliver, 40, physical=True, repeatable=True,
                after_crash="the card may have left: unknown")  # fmt: skip
PRINT_AND_DELIVER = Stage("print and deliver", stages.print_intent, stages.print_and_deliver, 120, physical=True,
                          after_crash="the card may be printed and may have left: unknown")  # fmt: skip
REJECT = Stage("reject", stages.beam_intent(Beam.REJECT), stages.reject, 40, physical=True, repeatable=True,
               after_crash="the card may have left into the reject bin: unknown")  # fmt: skip

PLAN_HELD = (FEED, PROBE, ENCODE, READ_BACK, PRINT, CHECK, DELIVER)
PLAN_EJECTING = (FEED, PROBE, ENCODE, READ_BACK, PRINT_AND_DELIVER)
PLANS = {"held": PLAN_HELD, "ejecting": PLAN_EJECTING}


class Next(StrEnum):
    """What follows a stage that failed."""

    STILL_BLANK = "still_blank"  # nothing left the hopper: the job goes back to ready
    REJECT = "reject"  # the card is inside and is not good: to the reject bin
    REPEAT = "repeat"  # the card is inside and may be moved again once the cause is gone
    UNKNOWN = "unknown"  # nobody can tell: the lane is held for a person


@dataclass(frozen=True, slots=True)
class Seen:
    """What can still be seen after a failure."""

    witness: PrinterWitness | None  # None: the printer cannot be asked
    before: PrinterWitness | None  # noted at the intent
    beam_passed: bool  # the beam of the act saw a card since the intent


def after_failure(stage: Stage, error: StationError, seen: Seen) -> Next:
    """Decide what follows. Only positive evidence ends a passage; doubt holds the lane.

    feed, nothing sent, no card in the beam          -> still blank
    feed refused; no card inside, no beam, no count  -> still blank
    printer cannot be asked, or the card is gone     -> unknown
    deliver or reject refused, card inside           -> repeat
    card wrong or act refused, card inside           -> reject
    anything else                                    -> unknown
    """
    if stage is FEED and isinstance(error, DeviceAbsent) and not seen.beam_passed:
        return Next.STILL_BLANK
    if seen.witness is None:
        return Next.UNKNOWN
    inside = seen.witness.position is not CardPosition.NONE
    if stage is FEED and isinstance(error, DeviceRefused) and not inside:
        return Next.STILL_BLANK if _nothing_fed(seen) else Next.UNKNOWN
    if not inside or not isinstance(error, DeviceRefused | CardWrong):
        return Next.UNKNOWN
    return Next.REPEAT if stage.repeatable else Next.REJECT


def _nothing_fed(seen: Seen) -> bool:
    if seen.witness is None or seen.before is None:
        return False
    return seen.witness.cards_fed == seen.before.cards_fed and not seen.beam_passed


def describe() -> str:
    """The plans as Markdown tables, for docs/architecture.md."""
    parts = []
    for name, plan in PLANS.items():
        rows = [f"| {s.name} | {'yes' if s.physical else 'no'} | {s.deadline_s:g} s | {s.after_crash} |" for s in (*plan, REJECT)]
        parts.append(
            "\n".join([f"Plan `{name}`:", "", "| stage | physical act | deadline | after a crash |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts)
