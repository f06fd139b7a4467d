"""Keeps the event log: begins it, signs checkpoints, writes the daily export. The rows themselves are written where facts change.

A checkpoint signs everything before it: at start and stop, after each passage, when SIGN_ROWS rows are unsigned, and at the
latest SIGN_S after a row. What fails here never stops a card: rows stay hash-chained and the next checkpoint signs them as well.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from controller import __version__
from controller.clock import wall_text, wall_us
from controller.errors import StoreBroken, StoreError
from controller.jobs import events
from controller.jobs.events import Genesis
from controller.jobs.log_key import LogKey, open_key
from controller.jobs.store import Store
from controller.log_export import export_day
from controller.model import LogHead, StationSnapshot

logger = logging.getLogger(__name__)

SIGN_ROWS = 200
SIGN_S = 600.0  # also how often it is looked whether a new day began
PAUSE_S = 0.5  # passages that end at once on many lanes share a checkpoint


class LogKeeper:
    """The station's log while it runs. `begin` before anything else is written, `run` as a task, `finish` after the last card."""

    def __init__(self, store: Store, name: str, has_room: Callable[[int], bool], moved: Callable[[], None]) -> None:
        self._store = store
        self._name = name
        self._has_room = has_room
        self._moved = moved  # the head is another one than shown
        self._due = asyncio.Event()
        self._key: LogKey | None = None
        self._station = ""
        self._day = ""
        self._signed: LogHead | None = None  # the newest row, when it is a checkpoint
        self._many = False

    async def begin(self) -> None:
        """Open the key, write the genesis row of a new log, then the start, signed. Raises StoreError: key and log do not fit."""
        key, genesis = await self._store.read(self._open_key)
        self._key, self._station = key, self._store.marker.station if genesis is None else genesis.station
        self._signed = await self._store.transact(self._write_start, key.public if genesis is None else None)

    async def run(self) -> None:
        """Sign when it is due and export once a day, until cancelled or until the storage fails for good.

        The two do not wait for each other: a large export or a folder that cannot be written must not keep rows unsigned.
        """
        exporting = asyncio.create_task(self._keep_exporting())
        try:
            while True:
                await asyncio.sleep(0.0 if self._many else PAUSE_S)
                try:
                    await self.sign()
                except StoreBroken:
                    return  # the store says so itself
                except StoreError as error:
                    _say(error)
                await self._wait()
        finally:
            exporting.cancel()
            await asyncio.wait([exporting])

    async def finish(self) -> None:
        """Write the end in good order, signed."""
        try:
            await self._store.transact(self._write_stop)
        except StoreError as error:
            _say(error)

    async def sign(self) -> None:
        """Write a checkpoint, unless the newest row is one. Raises StoreError."""
        self._many = False
        signed = await self._store.transact(self._write_checkpoint)
        if signed != self._signed:
            self._signed = signed
            self._moved()

    def passage_over(self) -> None:
        """A card is done: sign soon."""
        self._due.set()

    def look_at(self, now: StationSnapshot) -> None:
        """Listens to the station: sign soon when many rows are unsigned."""
        if now.log is not None and self._signed is not None and now.log.seq - self._signed.seq >= SIGN_ROWS:
            self._many = True  # more may come quickly: no pause
            self._due.set()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SIGN_S):  # wait_for of Python 3.11 loses a cancellation that comes with the event
                await self._due.wait()
        self._due.clear()

    async def _keep_exporting(self) -> None:
        """Whatever is wrong with the folder of exports, the log itself goes on: it is said, and tried again tomorrow."""
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                await self._export()
            except StoreError as error:
                _say(error)
            await asyncio.sleep(SIGN_S)

    async def _export(self) -> None:
        day = wall_text(wall_us())[:10]
        if day == self._day:
            return
        self._day = day  # once a day and start, whether it succeeds or not: tomorrow's file takes up what is missing
        made = await asyncio.to_thread(export_day, self._store.state_dir, day, self._has_room)
        if made is not None:
            logger.info("event log exported", extra={"facts": {"file": made.name, "rows": made.last - made.first + 1}})

    def _open_key(self, db: sqlite3.Connection) -> tuple[LogKey, Genesis | None]:
        genesis = events.genesis(db)
        return open_key(self._store.state_dir, None if genesis is None else genesis.key), genesis

    def _write_start(self, db: sqlite3.Connection, new_key: str | None) -> LogHead:
        if new_key is not None:
            events.append(db, "genesis", {"station": self._station, "name": self._name, "key": new_key})
        events.append(db, "station_started", {"version": __version__})
        return self._write_checkpoint(db)

    def _write_stop(self, db: sqlite3.Connection) -> None:
        events.append(db, "station_stopped", {})
        self._write_checkpoint(db)

    def _write_checkpoint(self, db: sqlite3.Connection) -> LogHead:
        head = events.head(db)
        if head is None or self._key is None:
            raise RuntimeError("the log was not begun")
        if head == self._signed:
            return head
        return events.append(db, "checkpoint", {"key": self._key.public, "signature": self._key.sign(self._station, head)})


def _say(error: StoreError) -> None:
    logger.warning("event log", extra={"facts": {"text": str(error)}})
