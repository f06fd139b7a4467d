"""What a lane does with a passage that was interrupted: evidence, verdict, and what the verdict asks for."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.clock import Deadline
from controller.errors import DeviceError, RenderError
from controller.jobs import epoch, journal, questions, rulings
from controller.jobs.evidence import Ask, LaneEvidence, Past, Phase
from controller.jobs.journal import Passage
from controller.jobs.recovery import Recovery
from controller.jobs.runner import Hooks, PassageRunner, Result
from controller.jobs.stages import Before, LaneDevices, Trip
from controller.jobs.store import Store
from controller.jobs.verdict import Answer, Ruling, verdict
from controller.jobs.workshop import PreparedJob, Setback, Workshop
from controller.model import Verdict

PREPARE_TRIES = 8  # half a minute: a renderer or a disk that comes back, but no lane that waits for ever
HAND_WAIT_S = 120.0  # by hand, before the print: so long the person may lay the card down again and nothing is spoiled
NEEDS_WORK = frozenset({"probe", "read back"})  # stages that are followed by the chip's files or the face


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing can be decided yet."""

    condition: str  # key of CONDITIONS
    detail: str = ""


class Rescue:
    """One lane's interrupted passages."""

    def __init__(self, store: Store, recovery: Recovery, devices: LaneDevices, workshop: Workshop, max_remakes: int,
                 unknown_uid: str, on_ruling: Callable[[Ruling], None]) -> None:  # fmt: skip
        self._store = store
        self._recovery = recovery
        self._devices = devices
        self._workshop = workshop
        self._max_remakes = max_remakes
        self._unknown_uid = unknown_uid  # what to do with a chip that no batch lists
        self._on_ruling = on_ruling
        self._unprepared: tuple[int, int] = (0, 0)  # passage, and how often its work could not be prepared
        self._awaited: tuple[int, Deadline] = (0, Deadline.after(0))  # passage, and until when its card may come back by hand

    async def attempt(self, passage: Passage, since: Before | None, hooks: Hooks) -> Result | Waiting:
        """Take the verdict and carry it out. Raises StoreError when the journal cannot be written."""
        past = await self._recovery.past(passage)
        try:
            evidence = await self._recovery.gather(passage, past, since)
        except DeviceError as error:
            return Waiting(error.condition, error.detail)
        ruling = _with_reason(verdict(past, evidence), passage)
        if ruling.answer is Answer.CONTINUE:
            return await self._continue(passage, past, evidence, ruling, hooks)
        await self._recovery.release()
        if ruling.ask is Ask.DESK and past.by_hand and past.phase is Phase.WRITING and self._may_come_back(passage):
            return Waiting("lay_again")
        return await self._carry_out(passage, evidence, ruling, hooks)

    def _may_come_back(self, passage: Passage) -> bool:
        """By hand: whether to wait for the card on the lane's reader, where it can go on, before a person is asked for it."""
        if self._awaited[0] != passage.id:
            self._awaited = (passage.id, Deadline.after(HAND_WAIT_S))
        return not self._awaited[1].passed

    async def _continue(
        self, passage: Passage, past: Past, evidence: LaneEvidence, ruling: Ruling, hooks: Hooks
    ) -> Result | Waiting:
        prepared = await self._workshop.again(passage.job_id) if ruling.resume in NEEDS_WORK else None
        if isinstance(prepared, Setback) and not self._too_often(passage):
            return Waiting(prepared.condition, prepared.detail)
        if isinstance(prepared, Setback | RenderError):  # the card cannot be finished; the workshop judges its job by itself
            lost = replace(ruling, answer=Answer.SPOILED, condition="interrupted", resume="")
            await self._recovery.release()
            return await self._carry_out(passage, evidence, lost, hooks)
        self._on_ruling(ruling)
        if ruling.resume != "read back":  # the only stage that goes on with the chip in hand
            await self._recovery.release()
        await self._store.transact(rulings.resume, passage, ruling, evidence)
        return await self._runner(prepared, hooks).resume(passage, past, ruling.resume)

    def _too_often(self, passage: Passage) -> bool:
        """Count that the work of this passage could not be prepared; True when the card has waited long enough."""
        number, tries = self._unprepared
        self._unprepared = (passage.id, tries + 1 if number == passage.id else 1)
        return self._unprepared[1] >= PREPARE_TRIES

    async def _carry_out(self, passage: Passage, evidence: LaneEvidence, ruling: Ruling, hooks: Hooks) -> Result | Waiting:
        self._on_ruling(ruling)
        if ruling.ask is not None:
            await self._store.transact(questions.ask, passage, ruling, evidence)
            return Waiting(f"ask_{ruling.ask}")
        inside = evidence.witness is not None and evidence.witness.position.inside
        if ruling.answer is Answer.SPOILED and inside:
            await self._store.transact(rulings.resume, passage, ruling, evidence)
            return await self._runner(None, hooks).throw_out(passage, ruling.condition)
        await self._store.transact(rulings.settle, passage, ruling, evidence, self._max_remakes)
        said = await self._store.read(_words, passage.id, ruling.condition)
        return Result(passage.id, Verdict(ruling.answer), ruling.condition, said or ruling.row)

    def _runner(self, prepared: PreparedJob | None, hooks: Hooks) -> PassageRunner:
        panels, files = ((), ()) if prepared is None else (prepared.panels, prepared.files)
        trip = Trip(self._devices, panels, files, unknown_uid=self._unknown_uid)
        return PassageRunner(self._store, trip, self._max_remakes, hooks)


def _words(db: sqlite3.Connection, passage_id: int, condition: str) -> str:
    """What the device said when an act failed with this condition, for the technician; empty when none did."""
    failed = [stage["evidence"] for stage in journal.stages(db, passage_id) if stage["outcome"] == "failed"]
    return next((str(facts["detail"]) for facts in reversed(failed) if facts.get("condition") == condition), "")


def _with_reason(ruling: Ruling, passage: Passage) -> Ruling:
    """Why a blank was not fed, such as a jam, says more than that its passage was interrupted."""
    if ruling.answer is not Answer.STILL_BLANK or passage.reason == epoch.RESTORED:
        return ruling
    return replace(ruling, condition=passage.reason)
