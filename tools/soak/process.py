"""One process of the soak: a town, a station that is killed and comes up again, and the figures of both."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.store import prepare
from tests.fakes.virtual_time import StuckError, TurnConnection, VirtualClock, VirtualLoop
from tools.soak.books import Books
from tools.soak.mischief import Imp
from tools.soak.people import People
from tools.soak.station import Life, StationGoneError
from tools.soak.town import Broken, SoakLane, Town

STALLED_S = 4 * 3600.0  # virtual; the longest day count with every fault at once takes minutes
DOWN_S = (0.2, 8.0)


@dataclass(frozen=True, slots=True)
class Order:
    """What one process is to do."""

    seed: int
    cards: int
    folder: Path
    progress: Callable[[int], None] = lambda _issued: None


class Soak:
    """Runs on a VirtualLoop."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.town = Town(order.seed)
        self._state = order.folder / "state"
        self._records: dict[str, bytes] = {}
        self._life: Life | None = None
        self._ending = asyncio.Event()
        self.lives = 0
        self.books: Books | None = None
        self._last_progress_s = 0.0
        self.broken: str | None = None

    async def run(self) -> None:
        """To the last card, or to a broken promise."""
        loop = asyncio.get_running_loop()
        self._imp = Imp(self.town, self._kill, self._restart, lambda: self._people.press(held=True))
        await self._begin()
        self._last_progress_s = loop.time()
        while not self._people.finished.is_set():
            await self._live()
        if self._people.failed is not None:
            raise self._people.failed
        await self._end()

    async def _begin(self) -> None:
        """The first start makes the folder, for the books to look into."""
        first = Life(self.town, self._state, lambda _lane, _result: None, lambda _lane: None)
        await first.start()
        await first.stop()
        await first.bury()
        self.books = Books(self.town, self._state / "station.db", self._records)
        spool = Spool(self._state / "spool", 0)
        self._people = People(self.town, self.books, spool, self._records, self._order.cards)

    async def _live(self) -> None:
        """One life of the station, and what people do while it is down."""
        self.lives += 1
        life = self._life = Life(self.town, self._state, self._over, self._people.see)
        try:
            await life.start()
            self._look()
            self._people.station_is_up(life)
        except StationGoneError:
            pass
        finished = asyncio.ensure_future(self._people.finished.wait())
        died = asyncio.ensure_future(life.died.wait())
        await asyncio.wait([finished, died], return_when=asyncio.FIRST_COMPLETED)
        finished.cancel()
        died.cancel()
        if not life.dead:
            return
        self._people.station_is_down()
        await life.bury()
        self._look()
        self._imp.while_dark()
        await asyncio.sleep(self.town.spread(*DOWN_S))
        for lane in self.town.lanes.values():
            lane.power_on()

    async def _end(self) -> None:
        life = self._life
        if life is not None and not life.dead:
            await life.stop()
            await life.bury()
        self._look()

    def _over(self, _lane: SoakLane, _result: Result) -> None:
        self._look()
        self._people.card_over()

    def _look(self) -> None:
        """Read what was committed and compare; a broken promise ends the run."""
        ...
