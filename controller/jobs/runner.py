"""Runs one passage: the table row by row, each intent committed before its act and each outcome after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from controller.clock import Deadline, monotonic_s
from controller.errors import CardWrong, DeviceError
from controller.jobs import journal
from controller.jobs.journal import ChipUsed, Evidence, Passage
from controller.jobs.passage import PLANS, REJECT, Next, Seen, Stage, after_failure
from controller.jobs.stages import Trip
from controller.jobs.store import Store
from controller.model import Beam, Verdict

Trouble = DeviceError | CardWrong

_BEAM_OF = {"feed": Beam.FEED, "deliver": Beam.EXIT, "print and deliver": Beam.EXIT, "reject": Beam.REJECT}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a passage is begun for."""

    job_id: int
    lane: str
    plan: str
    printer_serial: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a passage came out. No verdict: it is unknown, or it never began because the job was no longer ready."""

    passage_id: int | None
    verdict: Verdict | None
    condition: str = ""  # key of CONDITIONS: why it is not good
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the runner tells, and whom it asks."""

    on_stage: Callable[[Stage, int | None], None]  # a stage begins (and the passage's id once it has one)
    on_timing: Callable[[str, float], None]  # a stage took so many seconds
    try_again: Callable[[Trouble], Awaitable[bool]]  # wait for the cause to go; False: the station stops


class PassageRunner:
    """One passage from its first intent to its verdict. Raises StoreError when the journal cannot be written."""

    def __init__(self, store: Store, trip: Trip, claim: Claim, max_remakes: int, hooks: Hooks) -> None:
        self._store = store
        self._trip = trip
        self._claim = claim
        self._max_remakes = max_remakes
        self._hooks = hooks

    async def run(self) -> Result:
        """Claim the job, run its plan, and end it with a verdict or hold it as unknown."""
        todo = list(PLANS[self._claim.plan])
        passage = await self._begin(todo[0])
        if passage is None:
            return Result(None, None)
        verdict, trouble = Verdict.GOOD, None
        while todo:
            ending = verdict if len(todo) == 1 else None
            failed = await self._step(passage, todo[0], ending, _condition(trouble), begun=todo[0].name == "feed")
            if failed is None:
                todo = todo[1:]
                continue
            what = after_failure(todo[0], failed, await self._look(todo[0]))
            if what is Next.REPEAT and await self._hooks.try_again(failed):
                continue
            if what is not Next.REJECT:
                return await self._stop(passage, what, failed)
            verdict, trouble, todo = Verdict.SPOILED, failed, [REJECT]
        return Result(passage.id, verdict, _condition(trouble), "" if trouble is None else trouble.detail)

    async def _begin(self, first: Stage) -> Passage | None:
        self._hooks.on_stage(first, None)
        claim, intent = self._claim, await first.intent(self._trip)
        return await self._store.transact(
            journal.begin, claim.job_id, claim.lane, claim.plan, claim.printer_serial, first.name, intent
        )  # fmt: skip

    async def _step(self, passage: Passage, stage: Stage, ending: Verdict | None, reason: str, *, begun: bool) -> Trouble | None:
        """Intent, act, outcome. With `ending`, the outcome's commit also ends the passage. Returns what went wrong, or None."""
        self._hooks.on_stage(stage, passage.id)
        started_s = monotonic_s()
        intent: Evidence | None = None if begun else {}
        try:
            if not begun:
                intent = await stage.intent(self._trip)
                if stage.physical:
                    await self._store.transact(journal.intend, passage.id, stage.name, intent)
                    intent = None
            evidence = await stage.act(self._trip, Deadline.after(stage.deadline_s))
            elapsed_s = monotonic_s() - started_s
            await self._store.transact(self._conclude, passage, stage, intent, evidence, elapsed_s, ending, reason)
        except (DeviceError, CardWrong) as error:
            return await self._failed(passage, stage, intent, error, monotonic_s() - started_s)
        except ChipUsed as used:
            wrong = CardWrong("chip_used", f"chip {used} belongs to another passage")
            return await self._failed(passage, stage, intent, wrong, monotonic_s() - started_s)
        self._hooks.on_timing(stage.name, elapsed_s)
        return None

    def _conclude(self, db: sqlite3.Connection, passage: Passage, stage: Stage, intent: Evidence | None, evidence: Evidence,
                  elapsed_s: float, ending: Verdict | None, reason: str) -> None:  # fmt: skip
        if intent is not None:
            journal.intend(db, passage.id, stage.name, intent)
        journal.conclude(db, passage.id, "done", evidence, round(elapsed_s * 1000))
        stage.also(db, passage, evidence)
        if ending is not None:
            journal.end(db, passage, ending, reason, self._max_remakes)

    async def _failed(self, passage: Passage, stage: Stage, intent: Evidence | None, error: Trouble, elapsed_s: float) -> Trouble:
        def write(db: sqlite3.Connection) -> None:
            if intent is not None:
                journal.intend(db, passage.id, stage.name, intent)
            evidence = {"condition": error.condition, "detail": error.detail, "error": type(error).__name__}
            journal.conclude(db, passage.id, "failed", evidence, round(elapsed_s * 1000))

        await self._store.transact(write)
        return error

    async def _look(self, stage: Stage) -> Seen:
        """What can still be seen: the printer's position and counters, and the beam of the act that failed."""
        beam = _BEAM_OF.get(stage.name)
        passed = beam is not None and self._trip.devices.sensors.passes(beam) > self._trip.passes
        try:
            witness = await self._trip.devices.printer.witness()
        except DeviceError:
            return Seen(None, self._trip.now, passed)
        return Seen(witness, self._trip.now, passed)

    async def _stop(self, passage: Passage, what: Next, error: Trouble) -> Result:
        await self._trip.devices.chip.release()
        if what is Next.STILL_BLANK:
            await self._store.transact(journal.end, passage, Verdict.STILL_BLANK, error.condition, self._max_remakes)
            return Result(passage.id, Verdict.STILL_BLANK, error.condition, error.detail)
        await self._store.transact(journal.suspect, passage.id, error.condition)
        return Result(passage.id, None, error.condition, error.detail)


def _condition(trouble: Trouble | None) -> str:
    return "" if trouble is None else trouble.condition
