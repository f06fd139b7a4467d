"""What people say at the front panel: HOLD and GO, and the answers to the question on the display."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.clock import monotonic_s
from controller.errors import RequestRefused, StoreFull
from controller.jobs import journal, questions
from controller.jobs.evidence import Ask, Look
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.store import Store
from controller.model import Button, OpenQuestion, StationSnapshot
from controller.station import Station

logger = logging.getLogger(__name__)

MAX_PRESSES = 32  # more unhandled presses than that are one press
READ_S = 1.0  # a press so soon after a question came up was not meant for it
PANEL = "front panel"  # who said so: a button knows no names

SAYS = {
    (Ask.TRAY, Button.GO): Look.NONE,
    (Ask.TRAY, Button.HOLD): Look.SPOILED,
    (Ask.DESK, Button.HOLD): Look.SPOILED,
    (Ask.LOOK, Button.GO): Look.COMPLETE,
    (Ask.LOOK, Button.HOLD): Look.SPOILED,
}


@dataclass(frozen=True, slots=True)
class Press:
    """A button, and the question that whoever pressed it had before their eyes."""

    button: Button
    question: OpenQuestion | None


class Staff:
    """Takes the presses in turn. While a question is shown they answer it; otherwise they hold the station or let it go."""

    def __init__(self, station: Station, store: Store, workers: Sequence[LaneWorker], max_remakes: int,
                 changed: Callable[[], None]) -> None:  # fmt: skip
        self._station = station
        self._store = store
        self._workers = workers
        self._max_remakes = max_remakes
        self._changed = changed
        self._presses: asyncio.Queue[Press] = asyncio.Queue(maxsize=MAX_PRESSES)
        self._coming = False  # a lane says that it asks; the question itself is still being read
        self._shown: OpenQuestion | None = None
        self._shown_since_s = monotonic_s()
        station.listen(self._look_at)

    def pressed(self, button: Button) -> None:
        """A button was pressed; handled in turn, for what was shown at this moment."""
        if self._coming or (self._shown is not None and monotonic_s() - self._shown_since_s < READ_S):
            return
        if self._presses.full():
            self._presses.get_nowait()  # the oldest: the last word counts
        self._presses.put_nowait(Press(button, self._shown))

    async def run(self) -> None:
        """Handle presses until cancelled."""
        while True:
            press = await self._presses.get()
            said = None if press.question is None else SAYS.get((Ask(press.question.kind), press.button))
            if press.question is None or said is None:  # GO says nothing to DESK: then it is only GO
                await self.hold_or_go(PANEL, held=press.button is Button.HOLD)
            elif press.question == self._shown:
                await self._answer(press.question, said)

    async def hold_or_go(self, who: str, *, held: bool) -> None:
        """HOLD: finish the card in hand, feed no more. GO: go on. Both hold at once, and over a restart once they are on disk."""
        self._station.set_held(held=held)
        logger.info("hold" if held else "go")
        for worker in self._workers:
            worker.wake() if held else worker.forgive()
        try:
            await self._store.transact(journal.set_held_flag, who, held=held)
        except StoreFull:  # no reason to stop the station in the middle of a card
            logger.warning("the disk is full: HOLD or GO will not be remembered over a restart")

    def _look_at(self, now: StationSnapshot) -> None:
        """What stands on the display: a notice hides the question, and a dark display shows none."""
        self._coming = not now.questions and any((lane.condition or "").startswith("ask_") for lane in now.lanes)
        shown = now.questions[0] if now.questions and now.display_up and not now.notice else None
        if shown != self._shown:
            self._shown, self._shown_since_s = shown, monotonic_s()

    async def _answer(self, question: OpenQuestion, said: Look) -> None:
        try:
            ruling = await self._store.transact(questions.look, question.id, said, PANEL, "button", self._max_remakes)
        except RequestRefused as refused:  # answered by somebody else meanwhile
            logger.info("answer refused", extra={"facts": {"question": question.id, "code": refused.problem.code}})
            return
        except StoreFull:
            logger.warning("the disk is full: the answer was not taken")
            return
        facts = {"question": question.id, "said": said, "row": ruling.row, "answer": ruling.answer}
        logger.info("question answered", extra={"facts": facts})
        self._changed()
