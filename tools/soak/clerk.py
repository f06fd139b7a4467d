"""How a person of the soak speaks to the station: whatever it is doing, dead or alive, until it has answered.

What is booked is booked once however often the station dies meanwhile: the key of the act remembers (controller.jobs.acts).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from controller.jobs import acts, journal
from tools.soak.station import Life, StationGoneError

AGAIN_S = 1.0

Work = Callable[[sqlite3.Connection], Mapping[str, Any]]


class Clerk:
    """The one way in. `life` is the station as it is now, None while it is down."""

    def __init__(self) -> None:
        self.life: Life | None = None
        self._up = asyncio.Event()
        self._keys = 0

    def station_is_up(self, life: Life) -> None:
        """A new life of the station."""
        self.life = life
        self._up.set()

    def station_is_down(self) -> None:
        """It died."""
        self.life = None
        self._up.clear()

    async def station(self) -> Life:
        """The station, once there is one."""
        while self.life is None:
            await self._up.wait()
        return self.life

    async def book(self, work: Work) -> Mapping[str, Any]:
        """Book something, surely and once. Raises RequestRefused."""
        self._keys += 1
        key = f"soak {self._keys}"
        while True:
            life = await self.station()
            try:
                return await life.transact(acts.once, key, {"key": key}, work)
            except StationGoneError:
                await asyncio.sleep(AGAIN_S)

    async def press(self, *, held: bool) -> None:
        """HOLD or GO."""
        (await self.station()).go(held=held)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            journal.set_held_flag(db, "ani", held=held)
            return {}

        await self.book(work)
        if self.life is not None and self.life.held != held:  # it died in between, before that was written down
            self.life.go(held=held)

    def changed(self) -> None:
        """Something in the world is another than it was: the lanes look again."""
        if self.life is not None:
            self.life.changed()
