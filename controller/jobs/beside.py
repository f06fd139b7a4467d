"""The reader beside a printer that is fed by hand, between passages and while something is asked: what lies there, what it means.

Only a fresh blank that may be used lets a passage begin, and a look costs nothing: a finished card has to be taken away first, a
stranger is never claimed. The card of an open question of the lane answers it here as it would on the desk reader.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass

from controller.clock import Deadline
from controller.errors import DeviceError, DeviceRefused, RequestRefused
from controller.hal.ports import ChipStation
from controller.jobs import batches, questions
from controller.jobs.by_hand import LOOK_S
from controller.jobs.recovery import read_if_ours
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.model import ChipSight, Verdict

logger = logging.getLogger(__name__)

SHOWN_S = 5.0  # where a spoiled card belongs, when it is not on the reader but in the person's hand
SHARE_S = 60.0  # no blank was laid down for so long: another lane may have the job

_FINISHED = {Verdict.GOOD.value: "take_card_away", Verdict.SPOILED.value: "to_reject_box"}
_NOT_THERE = "chip_silent"


@dataclass(frozen=True, slots=True)
class Lying:
    """What keeps a passage from beginning; no condition: nothing does."""

    condition: str = ""  # key of CONDITIONS
    detail: str = ""


class Beside:
    """One lane's reader. Called by the lane's task only."""

    def __init__(self, chip: ChipStation, store: Store, unknown_uid: str, max_remakes: int) -> None:
        """`unknown_uid`: what becomes of a chip that no batch lists, "refuse" or "warn"."""
        self._chip = chip
        self._store = store
        self._unknown_uid = unknown_uid
        self._max_remakes = max_remakes
        self._spoiled_shown = Deadline.after(0)
        self._share: Deadline | None = None  # while a job waits for its blank

    def spoiled(self) -> None:
        """A card was just found spoiled: say for a moment where it belongs, wherever it is."""
        self._spoiled_shown = Deadline.after(SHOWN_S)

    async def look(self, *, job: bool) -> Lying:
        """What lies there. Without a `job` at hand an empty reader is in nobody's way."""
        try:
            sight = await self._chip.identify(Deadline.after(LOOK_S))
        except DeviceRefused as error:
            if error.condition != _NOT_THERE:
                return Lying(error.condition, error.detail)
            return self._empty(job=job)
        except DeviceError as error:
            return Lying(error.condition, error.detail)
        finally:
            await self._chip.release()
        self._share = None
        condition = await self._store.read(_judge, sight, self._unknown_uid)
        return Lying(condition, f"chip {sight.uid}") if condition else Lying()

    def shares(self) -> bool:
        """Whether the job at hand has waited for its blank so long that another lane may have it; once each time."""
        if self._share is None or not self._share.passed:
            return False
        self._share = None
        return True

    async def answer(self, lane: str) -> Ruling | None:
        """Hold what lies there against the lane's open question; None when it says nothing, or nothing new.

        A reader that is lost says nothing either.
        """
        question = await self._store.read(questions.open_in, lane)
        if question is None:
            return None
        try:
            chip = await read_if_ours(self._chip, question.past)
        except DeviceError:
            return None
        finally:
            await self._chip.release()
        if chip is None or chip == question.evidence.desk:
            return None
        try:
            return await self._store.transact(questions.sight, question.id, chip, self._max_remakes)
        except RequestRefused as refused:  # answered by somebody else meanwhile
            logger.info("lane's reader", extra={"facts": {"lane": lane, "refused": refused.problem.code}})
            return None

    def _empty(self, *, job: bool) -> Lying:
        if not self._spoiled_shown.passed:
            return Lying("to_reject_box")
        if not job:
            return Lying()
        if self._share is None:
            self._share = Deadline.after(SHARE_S)
        return Lying("lay_blank")


def _judge(db: sqlite3.Connection, sight: ChipSight, unknown_uid: str) -> str:
    """The condition that forbids a passage with this card; empty: none does."""
    condition = batches.judge_uid(db, sight.uid)
    if condition == "chip_unknown" and unknown_uid == "warn":
        condition = None
    if condition == "chip_used":
        kept = "SELECT verdict FROM passage WHERE chip_uid = ? AND chip_uid IS NOT NULL AND verdict IS NOT 'still_blank'"
        row = db.execute(kept, (sight.uid,)).fetchone()
        return _FINISHED.get(row["verdict"], "lay_other")
    return condition or ("" if sight.fresh else "lay_other")
