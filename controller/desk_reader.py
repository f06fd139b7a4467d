"""The desk reader: a PC/SC reader of its own on which a person lays the card that a question asks for.

A card is opened and read only when its UID is one that a question asks for, and weighed by the same verdict as everything else;
the display then says where it belongs until it is taken away. Otherwise nothing but its UID is noted: a card that was left lying
there answers nothing that is asked later, unless it is the very card.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from controller.clock import Deadline
from controller.errors import DeviceError, DeviceRefused, RequestRefused, StoreFull
from controller.hal.ports import ChipStation
from controller.jobs import questions
from controller.jobs.recovery import read_contents
from controller.jobs.store import Store
from controller.jobs.verdict import Answer, Ruling
from controller.station import Station

logger = logging.getLogger(__name__)

POLL_S = 0.5  # a person lays a card down and looks up
LOOK_S = 1.0
EMPTY_LOOKS = 2  # a card at the edge of the field may miss one


class DeskReader:
    """Reads what is laid down while a question is open. One task runs it."""

    def __init__(
        self, reader: ChipStation, store: Store, station: Station, max_remakes: int, changed: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._store = store
        self._station = station
        self._max_remakes = max_remakes
        self._changed = changed  # wakes the lanes after an answer
        self._lying: str | None = ""  # UID of the card that lies there; "": the first look has not been taken
        self._empty = 0  # looks in a row that found no card
        self._weighed: frozenset[int] = frozenset()  # the questions it was held against

    async def run(self) -> None:
        """Look again and again until cancelled. A reader that is gone is told in the snapshot and tried again."""
        while True:
            try:
                await self._look()
            except DeviceError as error:
                self._gone(error)
            except StoreFull:
                logger.warning("the disk is full: what lies on the desk reader cannot be weighed")
            finally:
                await self._reader.release()
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Stop the reader's thread."""
        await self._reader.close()

    def _gone(self, error: DeviceError) -> None:
        if self._station.snapshot.desk_reader_up is not False:
            logger.info("desk reader", extra={"facts": {"condition": error.condition, "detail": error.detail}})
        self._station.desk_reader_says(up=False)

    async def _look(self) -> None:
        await self._reader.check()
        try:
            uid = await self._reader.look(Deadline.after(LOOK_S))
        except DeviceRefused:
            self._empty += 1
            if self._empty >= EMPTY_LOOKS:
                self._lying, self._weighed = None, frozenset()
                self._station.desk_reader_says(up=True)
            return
        self._empty = 0
        just_laid = self._lying is None or self._lying not in ("", uid)
        asked, notice = await self._open(), "" if just_laid else self._station.snapshot.notice
        if asked and (just_laid or asked - self._weighed):
            try:
                notice = await self._weigh(uid, notice, just_laid=just_laid)
            except DeviceRefused as refused:  # the next look tries again: it may have been at the edge of the field
                logger.info("desk reader", extra={"facts": {"condition": refused.condition, "detail": refused.detail}})
                self._station.desk_reader_says(up=True, notice="desk_unread")
                return
        self._station.desk_reader_says(up=True, notice=notice)
        self._lying, self._weighed = uid, asked

    async def _open(self) -> frozenset[int]:
        return frozenset(question.id for question in await self._store.read(questions.open_all))

    async def _weigh(self, uid: str, notice: str, *, just_laid: bool) -> str:
        """Hold the card against the question it answers; returns the notice to show from now on.

        DeviceRefused when it is the card that is asked for, or may be it, and tells no more than its UID.
        """
        try:
            question = await self._store.read(questions.card_for, uid, just_laid=just_laid)
            sight = await self._reader.identify(Deadline.after(LOOK_S))
            if sight.uid != uid:
                raise DeviceRefused("chip_swapped", "another card was laid down meanwhile")
            chip = await read_contents(self._reader, sight, question.past)
            ruling = await self._store.transact(questions.sight, question.id, chip, self._max_remakes)
        except RequestRefused as refused:
            logger.info("desk reader", extra={"facts": {"refused": refused.problem.code}})
            return "desk_other" if just_laid else notice or "desk_lift"
        self._tell(question.passage.id, ruling)
        return "" if ruling.answer is Answer.ASK else f"desk_{ruling.answer}"

    def _tell(self, passage_id: int, ruling: Ruling) -> None:
        logger.info("desk reader", extra={"facts": {"passage": passage_id, "row": ruling.row, "answer": ruling.answer}})
        self._changed()
