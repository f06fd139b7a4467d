"""Runs one passage: the table row by row, each intent committed before its act and each outcome after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from controller.clock import Deadline, monotonic_s
from controller.errors import CardWrong, DeviceAbsent, DeviceError
from controller.jobs import journal
from controller.jobs.evidence import Beams, Past
from controller.jobs.journal import ChipRefused, Claim, Facts, Passage
from controller.jobs.passage import PLANS, REJECT, Next, Seen, Stage, after_failure
from controller.jobs.stages import Before, Trip, failure, witness_facts
from controller.jobs.store import Store
from controller.model import Beam, Verdict

Trouble = DeviceError | CardWrong
_ENDS = {Next.STILL_BLANK: Verdict.STILL_BLANK, Next.SPOILED: Verdict.SPOILED}  # nothing more has to be moved


@dataclass(frozen=True, slots=True)
class Result:
    """How a passage came out. No verdict: recovery has to find out; no passage: it never began, and nothing was done."""

    passage_id: int | None
    verdict: Verdict | None
    condition: str = ""  # key of CONDITIONS: why it is not good, or did not begin
    detail: str = ""
    before: Before | None = None  # what was noted before the stage that failed: recovery looks what happened since
    to_show: bool = False  # nothing failed, and the finished card has yet to be shown to the desk reader

    @property
    def made(self) -> bool:
        """The lane did all its work at a card, and nothing failed."""
        return self.to_show or self.verdict is Verdict.GOOD


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the runner tells, and whom it asks."""

    on_stage: Callable[[Stage, int], None]  # a stage of this passage begins
    on_timing: Callable[[str, float], None]  # a stage took so many seconds
    try_again: Callable[[Trouble], Awaitable[bool]]  # wait for the cause to go; False: the station stops
    tell: Callable[[str | None], None] = lambda _condition: None  # a stage waits for a person, who has to be told what for
    stopping: Callable[[], bool] = lambda: False  # the station stops: such a stage waits no longer


@dataclass(slots=True)
class _Step:
    """One stage under way."""

    stage: Stage
    before: Before
    started_s: float
    unwritten: Facts | None  # the intent, while it is not yet in the journal


class PassageRunner:
    """One passage to its verdict. Raises StoreError when the journal cannot be written."""

    def __init__(self, store: Store, trip: Trip, max_remakes: int, hooks: Hooks) -> None:
        self._store = store
        self._trip = replace(trip, tell=hooks.tell, stopping=hooks.stopping)
        self._max_remakes = max_remakes
        self._hooks = hooks

    async def run(self, claim: Claim) -> Result:
        """Claim the job, run its plan, and end it with a verdict or leave it unknown."""
        todo = list(PLANS[claim.plan])
        begun = await self._begin(claim, todo[0])
        return begun if isinstance(begun, Result) else await self._go_on(*begun, todo)

    async def resume(self, passage: Passage, past: Past, stage: str) -> Result:
        """Go on with a passage that recovery found whole, at this stage of its plan."""
        plan = PLANS[passage.plan]
        first = next(number for number, row in enumerate(plan) if row.name == stage)
        self._trip.uid = past.uid or ""
        return await self._go_on(passage, _first_step(plan[first]), list(plan[first:]))

    async def throw_out(self, passage: Passage, condition: str) -> Result:
        """Move the card of a passage that recovery found spoiled into the reject bin."""
        return await self._go_on(passage, _first_step(REJECT), [REJECT], Verdict.SPOILED, condition)

    async def _go_on(self, passage: Passage, step: _Step, todo: list[Stage], verdict: Verdict = Verdict.GOOD,
                     condition: str = "") -> Result:  # fmt: skip
        detail = ""
        while True:
            self._hooks.on_stage(step.stage, passage.id)
            failed = await self._act(passage, step, verdict if len(todo) == 1 else None, condition)
            if failed is None:
                todo = todo[1:]
                if not todo and step.stage.shows:
                    return Result(passage.id, None, step.stage.shows, before=step.before, to_show=True)
                if not todo:
                    return Result(passage.id, verdict, condition, detail)
            else:
                what = after_failure(step.stage, failed, await self._look(step))
                if what is Next.REJECT:
                    verdict, condition, detail, todo = Verdict.SPOILED, failed.condition, failed.detail, [REJECT]
                elif what is not Next.REPEAT or not await self._hooks.try_again(failed):
                    return await self._stop(passage, what, failed, step.before)
                elif step.stage.after is not None:
                    todo = [step.stage.after, *todo]
            step = _first_step(todo[0])

    async def _begin(self, claim: Claim, first: Stage) -> tuple[Passage, _Step] | Result:
        """Look, then claim the job and write the first intent in one commit. A card inside would be taken for the blank."""
        try:
            before = await self._note(first)
        except DeviceError as error:
            return Result(None, None, error.condition, error.detail)
        if before.printer.position.inside:
            return Result(None, None, "card_inside", f"before the feed the printer reports a card at: {before.printer.position}")
        started_s = monotonic_s()
        passage = await self._store.transact(journal.begin, claim, first.name, self._intent(first, before))
        return Result(None, None) if passage is None else (passage, _Step(first, before, started_s, None))

    async def _act(self, passage: Passage, step: _Step, ending: Verdict | None, reason: str) -> Trouble | None:
        """Intent, act, outcome. With `ending`, the outcome's commit also ends the passage, unless its card has yet to be shown.

        Returns what went wrong, or None.
        """
        try:
            await self._intend(passage, step)
            evidence = await step.stage.act(self._trip, step.before, Deadline.after(step.stage.deadline_s))
            elapsed_s = monotonic_s() - step.started_s
            await self._store.transact(self._conclude, passage, step, evidence, elapsed_s, ending, reason)
        except (DeviceError, CardWrong) as error:
            return await self._failed(passage, step, error)
        except ChipRefused as refused:
            return await self._failed(passage, step, CardWrong(refused.condition, f"chip {refused.uid}"))
        self._hooks.on_timing(step.stage.name, elapsed_s)
        return None

    async def _intend(self, passage: Passage, step: _Step) -> None:
        if step.unwritten is None:  # the first stage's was written with the claim
            return
        step.before = self._beam_before(step.stage)  # known even if the printer cannot be asked
        try:
            step.before = await self._note(step.stage)
        except DeviceError as error:  # whatever it was: of this act nothing was sent
            raise DeviceAbsent(error.condition, error.detail) from error
        step.unwritten = self._intent(step.stage, step.before)
        if step.stage.physical:
            await self._store.transact(journal.intend, passage.id, step.stage.name, step.unwritten)
            step.unwritten = None

    def _beam_before(self, stage: Stage) -> Before:
        sensors = self._trip.devices.sensors
        beams = Beams(sensors.passes(Beam.FEED), sensors.passes(Beam.EXIT), sensors.passes(Beam.REJECT))
        return Before(None, 0 if stage.beam is None else sensors.passes(stage.beam), sensors.gaps, beams)

    async def _note(self, stage: Stage) -> Before:
        before, printer = self._beam_before(stage), self._trip.devices.printer
        if not stage.looks:
            return before
        if stage.by_hand:  # it may have been switched off and on while the card was in a person's hand
            await printer.open()
        return replace(before, witness=await printer.witness())

    def _intent(self, stage: Stage, before: Before) -> Facts:
        seen = {} if before.witness is None else witness_facts(before.witness)
        beam = {} if stage.beam is None else {f"{stage.beam}_beam": before.passes}
        return {**seen, **beam, **stage.notes(self._trip)}

    def _conclude(self, db: sqlite3.Connection, passage: Passage, step: _Step, evidence: Facts, elapsed_s: float,
                  ending: Verdict | None, reason: str) -> None:  # fmt: skip
        if step.unwritten is not None:
            journal.intend(db, passage.id, step.stage.name, step.unwritten)
        journal.conclude(db, passage.id, "done", evidence, round(elapsed_s * 1000))
        step.stage.also(db, passage, evidence, self._trip, step.before)
        if step.stage.shows:
            journal.suspect(db, passage.id, step.stage.shows)
        elif ending is not None:
            journal.end(db, passage, ending, reason, self._max_remakes)

    async def _failed(self, passage: Passage, step: _Step, error: Trouble) -> Trouble:
        def write(db: sqlite3.Connection) -> None:
            if step.unwritten is not None:
                journal.intend(db, passage.id, step.stage.name, step.unwritten)
            journal.conclude(db, passage.id, "failed", failure(error), round((monotonic_s() - step.started_s) * 1000))

        await self._store.transact(write)
        return error

    async def _look(self, step: _Step) -> Seen:
        """What can still be seen: the printer's position and counters, and the beam of the act that failed."""
        sensors, beam = self._trip.devices.sensors, step.stage.beam
        try:
            witness = await self._trip.devices.printer.witness()
        except DeviceError:
            witness = None
        return Seen(witness, step.before, 0 if beam is None else sensors.passes(beam), sensors.gaps)

    async def _stop(self, passage: Passage, what: Next, error: Trouble, before: Before) -> Result:
        await self._trip.devices.chip.release()
        verdict = _ENDS.get(what)
        if verdict is not None:
            await self._store.transact(journal.end, passage, verdict, error.condition, self._max_remakes)
            return Result(passage.id, verdict, error.condition, error.detail)
        await self._store.transact(journal.suspect, passage.id, error.condition)
        return Result(passage.id, None, error.condition, error.detail, before)


def _first_step(stage: Stage) -> _Step:
    return _Step(stage, Before(None), monotonic_s(), {})
