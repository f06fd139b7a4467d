"""The passage as a table: one row per stage of one blank's trip through a lane for one job.

A profile that can hold the card after printing runs PLAN_HELD; one that prints and ejects in a single act runs PLAN_EJECTING,
whose card is good once a person showed it to the desk reader; one without a chip station runs PLAN_EXTERNAL, where a person
carries the card between the lane's reader and the printer.
The intent is written (and committed) before a physical act, the outcome after it. What a failure means is decided here too,
from the error and from where the printer still sees the card; nothing is done in this module.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.errors import CardWrong, DeviceAbsent, DeviceRefused, StationError
from controller.hal.ports import NOT_DRAWN_IN
from controller.jobs import batches, by_hand, journal, ribbons, stages
from controller.jobs.evidence import OTHER_LAID
from controller.jobs.journal import ChipRefused, Facts, Passage
from controller.jobs.stages import Act, Before, Trip
from controller.model import Beam, CardPosition, PrinterWitness

# A refusal with one of these words says that nothing was picked from the hopper. Any other word, a jam or a time-out, may
# have a blank half-way: that nothing was counted and nothing was seen proves nothing then.
NOTHING_PICKED = frozenset({"hopper_empty", "ribbon_end", "ribbon_wrong", "ribbon_unreadable", "option_missing", "cleaning_due"})

# By hand: a card that was not put into the slot, not lifted yet, or is not the right one. Nothing was printed for it.
_NOTHING_CAME = frozenset({NOT_DRAWN_IN, OTHER_LAID, "feed_by_hand"})

Also = Callable[[sqlite3.Connection, Passage, Facts, Trip, Before], None]


def _nothing_to_note(_trip: Trip) -> Facts:
    return {}


def _nothing_else(_db: sqlite3.Connection, _passage: Passage, _outcome: Facts, _trip: Trip, _before: Before) -> None:
    return


def _took_blank(db: sqlite3.Connection, passage: Passage, _outcome: Facts, _trip: Trip, _before: Before) -> None:
    journal.took_blank(db, passage)


def _bind_chip(db: sqlite3.Connection, passage: Passage, outcome: Facts, trip: Trip, _before: Before) -> None:
    journal.bind_chip(db, passage.id, outcome["uid"])
    condition = batches.admit(db, outcome["uid"], passage.lane, passage.id, trip.unknown_uid)
    if condition is not None:
        raise ChipRefused(condition, outcome["uid"])


def _took_known_blank(db: sqlite3.Connection, passage: Passage, outcome: Facts, trip: Trip, before: Before) -> None:
    """By hand: the blank leaves the stack in the commit that binds its chip, so before it nothing has to be undone."""
    journal.took_blank(db, passage)
    _bind_chip(db, passage, outcome, trip, before)


def _used_ribbon(db: sqlite3.Connection, passage: Passage, outcome: Facts, trip: Trip, before: Before) -> None:
    remaining = before.printer.ribbon_remaining, outcome["ribbon_remaining"]
    ribbons.used(db, passage.lane, passage.printer_serial, *remaining, passage.id, trip.ribbon_sets)


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the passage table."""

    name: str
    act: Act
    deadline_s: float
    physical: bool  # moves, writes or prints; a read-only stage needs no intent of its own
    looks: bool = False  # the printer's own record is part of the intent
    beam: Beam | None = None  # the card passes it in this act
    notes: Callable[[Trip], Facts] = _nothing_to_note  # what else the intent says
    repeatable: bool = False  # may be asked again while the card can be seen, or by hand when nothing came of it
    by_hand: bool = False  # the card is on the lane's reader, in a person's hand, or in a printer that never tells
    after: Stage | None = None  # what has to be done anew before it is asked again
    also: Also = _nothing_else  # what else changes in the commit of its outcome
    shows: str = ""  # ends its plan with the chip not read again: the condition that asks a person to show the card


FEED = Stage("feed", stages.feed, 40, physical=True, looks=True, beam=Beam.FEED, also=_took_blank)  # fmt: skip
PROBE = Stage("probe", stages.probe, stages.CHIP_WAIT_S, physical=False, also=_bind_chip)  # fmt: skip
ENCODE = Stage("encode", stages.encode, 30, physical=True, notes=stages.chip_notes)  # fmt: skip
READ_BACK = Stage("read back", stages.read_back, 30, physical=False)
CLOSE = Stage("close", stages.close, 30, physical=True, notes=stages.chip_notes)  # the card's own keys and the lock
PRINT = Stage("print", stages.print_face, 120, physical=True, looks=True, notes=stages.print_notes,
              also=_used_ribbon)  # fmt: skip
CHECK = Stage("check", stages.check, 40, physical=True, looks=True)
DELIVER = Stage("deliver", stages.deliver, 40, physical=True, looks=True, beam=Beam.EXIT, repeatable=True)  # fmt: skip
PRINT_AND_DELIVER = Stage("print and deliver", stages.print_and_deliver, 120, physical=True, looks=True, beam=Beam.EXIT,
                          notes=stages.print_notes, also=_used_ribbon, shows="ask_desk")  # fmt: skip
REJECT = Stage("reject", stages.reject, 40, physical=True, looks=True, beam=Beam.REJECT, repeatable=True)  # fmt: skip

# fmt: off
LIFT = Stage("lift", by_hand.lift, 300, physical=False, repeatable=True, by_hand=True)
PRINT_BY_HAND = Stage("print", by_hand.print_by_hand, 500, physical=True, looks=True, notes=stages.print_notes, repeatable=True,
                      by_hand=True, after=LIFT, also=_used_ribbon)
RECHECK = Stage("check", by_hand.recheck, 300, physical=False, repeatable=True, by_hand=True)
# fmt: on
PROBE_BY_HAND = replace(PROBE, looks=True, by_hand=True, also=_took_known_blank)
ENCODE_BY_HAND, READ_BACK_BY_HAND, CLOSE_BY_HAND = (replace(stage, by_hand=True) for stage in (ENCODE, READ_BACK, CLOSE))

PLAN_HELD = (FEED, PROBE, ENCODE, READ_BACK, CLOSE, PRINT, CHECK, DELIVER)
PLAN_EJECTING = (FEED, PROBE, ENCODE, READ_BACK, CLOSE, PRINT_AND_DELIVER)
PLAN_EXTERNAL = (PROBE_BY_HAND, ENCODE_BY_HAND, READ_BACK_BY_HAND, CLOSE_BY_HAND, LIFT, PRINT_BY_HAND, RECHECK)
PLANS = {"held": PLAN_HELD, "ejecting": PLAN_EJECTING, "external": PLAN_EXTERNAL}
TAKE_BLANK = (FEED, PROBE_BY_HAND)  # the stages that plans begin with: no blank is spent before their outcome


class Next(StrEnum):
    """What follows a stage that failed."""

    STILL_BLANK = "still_blank"  # nothing left the hopper: the job goes back to ready
    SPOILED = "spoiled"  # the card is in a person's hand and is not good: into the reject box
    REJECT = "reject"  # the card is inside and is not good: to the reject bin
    REPEAT = "repeat"  # once the cause is gone: a move of the card inside, or by hand what came to nothing
    UNKNOWN = "unknown"  # more has to be known: recovery gathers evidence (controller.jobs.verdict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What can still be seen after a failure."""

    witness: PrinterWitness | None  # None: the printer cannot be asked
    before: Before
    passes: int  # cards the stage's beam has seen by now
    gaps: int  # how often the sensors have been blind by now

    @property
    def no_pass(self) -> bool:
        """Whether seeing eyes saw no card in the beam since the intent."""
        return self.passes == self.before.passes and self.gaps == self.before.gaps


def after_failure(stage: Stage, error: StationError, seen: Seen) -> Next:
    """Decide what follows. Only positive evidence ends a passage; doubt is for recovery.

    feed, nothing was sent; no card in the beam                                                                 -> still blank
    feed, the printer says that nothing was picked; no card in the beam, inside or counted                      -> still blank
    the printer cannot be asked, or the card is gone                                                            -> unknown
    deliver or reject refused, card inside, no card in the beam                                                 -> repeat
    deliver or reject refused, card inside, but a card was seen leaving                                         -> unknown
    any other act refused, or the card is wrong; card inside                                                    -> reject
    anything else                                                                                               -> unknown
    by hand, before the blank was taken out of the stack                                                        -> still blank
    by hand, the card is wrong                                                                                  -> spoiled
    by hand, lift, print or check: nothing was sent, no card was drawn in, or the right card is not there yet   -> repeat
    by hand, anything else                                                                                      -> unknown
    """
    if stage.by_hand:
        return _after_failure_by_hand(stage, error)
    if stage is FEED and _nothing_picked(error, seen):
        return Next.STILL_BLANK
    inside = seen.witness is not None and seen.witness.position.inside
    if not inside or not isinstance(error, DeviceRefused | CardWrong):
        return Next.UNKNOWN
    if stage.repeatable:
        return Next.REPEAT if seen.no_pass else Next.UNKNOWN
    return Next.REJECT


def _after_failure_by_hand(stage: Stage, error: StationError) -> Next:
    if stage is PROBE_BY_HAND:
        return Next.STILL_BLANK
    if isinstance(error, CardWrong):
        return Next.SPOILED
    nothing_came = isinstance(error, DeviceAbsent) or (isinstance(error, DeviceRefused) and error.condition in _NOTHING_CAME)
    return Next.REPEAT if stage.repeatable and nothing_came else Next.UNKNOWN


def _nothing_picked(error: StationError, seen: Seen) -> bool:
    if not seen.no_pass:
        return False
    if isinstance(error, DeviceAbsent):
        return True
    if seen.witness is None or seen.before.witness is None or not isinstance(error, DeviceRefused):
        return False
    still = seen.witness.position is CardPosition.NONE and seen.witness.cards_fed == seen.before.witness.cards_fed
    return still and error.condition in NOTHING_PICKED


def describe() -> str:
    """The plans as Markdown tables, for docs/architecture.md."""
    parts = []
    for name, plan in PLANS.items():
        stages_of_plan = plan if plan[0].by_hand else (*plan, REJECT)  # by hand the person puts a spoiled card into the box
        rows = [f"| {s.name} | {'yes' if s.physical else 'no'} | {s.deadline_s:g} s |" for s in stages_of_plan]
        head = ["| stage | physical act | deadline |", "|---|---|---|"]
        parts.append("\n".join([f"Plan `{name}`:", "", *head, *rows]))
    return "\n\n".join(parts)
