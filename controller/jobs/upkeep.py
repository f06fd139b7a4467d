"""Looks after the storage while the station runs: room for the journal, a look for damage after the start, a daily snapshot.

Nothing of it is in the way of the start or of a card: what takes long has a thread of its own at the lowest priority and a
read-only connection. Damage that is found ends the station in good order; a journal that failed ends it at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from controller.clock import monotonic_s, wall_us
from controller.errors import StoreBroken, StoreError
from controller.jobs import queue, snapshot
from controller.jobs.snapshot import read_only
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import DATABASE, SNAPSHOT_NAME, SNAPSHOTS, broken, fault_of
from controller.jobs.store import Store
from controller.jobs.store_check import structure_faults

T = TypeVar("T")

logger = logging.getLogger(__name__)

SETTLE_S = 5.0  # the start itself has the disk to itself
LOOK_S = 60.0  # how often room and age of the last snapshot are looked at
FIRST_SNAPSHOT_S = 600.0  # after a start there is more urgent work
SNAPSHOT_EVERY_S = 20 * 3600.0  # a station that runs in office hours only takes one each day
SNAPSHOTS_KEPT = 7
PLENTY_BYTES = 64 * 1024 * 1024  # beyond the reserve and three times the database
ANSWER_S = 0.5  # for answers that are under way when the storage fails
FAULTS_TOLD = 3
REST = 1.0  # the look for damage rests as long as it works
SWEPT_AT_ONCE = 100  # strays that are removed in one visit of the database thread: some milliseconds


class Upkeep:
    """Watches over one store. `tell` is called when it cannot be trusted any more, before anything is stopped."""

    def __init__(self, store: Store, spool: Spool, tell: Callable[[StoreBroken], None], *, settle_s: float = SETTLE_S,
                 answer_s: float = ANSWER_S) -> None:  # fmt: skip
        self.damage: StoreBroken | None = None
        self._store = store
        self._spool = spool
        self._tell = tell
        self._settle_s, self._answer_s = settle_s, answer_s
        self._stop_station: Callable[[], None] = lambda: None

    def raise_damage(self) -> None:
        """When the station has stopped in good order: raise what it stopped for, if it was damage."""
        if self.damage is not None:
            raise self.damage

    async def watch(self) -> None:
        """Raise StoreBroken as soon as the journal has failed: nothing may go on then."""
        error = await self._store.until_broken()
        self._tell(error)
        await asyncio.sleep(self._answer_s)
        raise error

    async def run(self, stop_station: Callable[[], None]) -> None:
        """Look after the storage for as long as the station runs; `stop_station` lets it finish the cards in hand."""
        self._stop_station = stop_station
        await self._store.keep_room()
        await asyncio.sleep(self._settle_s)
        await self._look_for_damage()
        first_s = monotonic_s() + FIRST_SNAPSHOT_S
        while True:
            await asyncio.sleep(LOOK_S)
            await self._store.keep_room()
            if monotonic_s() >= first_s:
                await self.snapshot_if_due()

    async def sweep(self) -> int:
        """Remove what torn submits left in the spool; returns how many files. Looked for beside the work, and looked at once
        more on the database thread, where no submit is half-way."""
        try:
            strays = await in_background(self._strays)
            removed = 0
            for start in range(0, len(strays), SWEPT_AT_ONCE):
                removed += await self._store.read(self._discard, strays[start : start + SWEPT_AT_ONCE])
        except StoreError as error:
            logger.warning("spool not swept", extra={"facts": {"text": str(error)}})
            return 0
        if removed:
            logger.info("spool swept", extra={"facts": {"removed": removed}})
        return removed

    def _strays(self, _stop: threading.Event) -> list[str]:
        folder = self._store.state_dir
        try:
            with read_only(folder / DATABASE) as db:
                owned = queue.Owned(db)
        except sqlite3.Error as error:
            raise fault_of(error, folder) from error
        return self._spool.strays(owned)

    def _discard(self, db: sqlite3.Connection, names: list[str]) -> int:
        payloads = json.dumps([name[:64] for name in names if not name.startswith(".")])
        rows = db.execute("SELECT payload FROM job WHERE payload IN (SELECT value FROM json_each(?))", (payloads,))
        return self._spool.discard(names, {row[0] for row in rows})

    async def _look_for_damage(self) -> None:
        try:
            await in_background(self._must_be_whole)
        except StoreBroken as error:
            self._found_damage(error)
        except StoreError as error:  # it says nothing of damage
            logger.warning("storage not looked at", extra={"facts": {"text": str(error)}})

    async def snapshot_if_due(self) -> Path | None:
        """Take the daily snapshot when it is time and there is plenty of room; the oldest go. None when none was taken."""
        folder = self._store.state_dir / SNAPSHOTS
        try:
            kept = _kept(folder)
            size = (self._store.state_dir / DATABASE).stat().st_size
            if not is_due(kept[-1] if kept else None) or not self._spool.has_room(3 * size + PLENTY_BYTES):
                return None
            out = folder / _name(kept[-1] if kept else None)
            await in_background(lambda stop: snapshot.take(self._store.state_dir, out, stop))
        except StoreBroken as error:
            self._found_damage(error)
            return None
        except (StoreError, OSError) as error:
            logger.warning("no snapshot", extra={"facts": {"text": str(error)}})
            return None
        for old in kept[: max(0, len(kept) + 1 - SNAPSHOTS_KEPT)]:
            await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)
        logger.info("snapshot taken", extra={"facts": {"path": str(out)}})
        return out

    def _must_be_whole(self, stop: threading.Event) -> None:
        folder = self._store.state_dir
        try:
            with read_only(folder / DATABASE) as db:
                faults = list(structure_faults(db, stop, REST))
        except sqlite3.Error as error:
            raise fault_of(error, folder) from error
        if faults:
            raise broken("corrupt", folder, DATABASE, "; ".join(faults[:FAULTS_TOLD]))

    def _found_damage(self, error: StoreBroken) -> None:
        self.damage = error
        self._store.distrust(error)
        self._tell(error)
        self._stop_station()


def _kept(folder: Path) -> list[Path]:
    """The station's own snapshots, oldest first; folders that staff put beside them are theirs. Raises OSError."""
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name for entry in entries if SNAPSHOT_NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names)]


def is_due(newest: Path | None) -> bool:
    """Whether it is time for another snapshot. A clock that jumps either way makes it time."""
    if newest is None:
        return True
    return abs(wall_us() / 1_000_000 - newest.stat().st_mtime) >= SNAPSHOT_EVERY_S


async def in_background(work: Callable[[threading.Event], T]) -> T:
    """Run `work(stop)` in a thread of its own at the lowest priority. A cancelled caller sets `stop` and waits for the end."""
    stop = threading.Event()
    thread = ThreadPoolExecutor(1, "storage upkeep", _be_last)
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work, stop)
    finally:
        stop.set()
        await asyncio.to_thread(thread.shutdown)


def _be_last() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # of this thread alone (Linux)


def _name(newest: Path | None) -> str:
    """The next running number, which decides the order, and the time for people."""
    number = 1 if newest is None else 1 + int(newest.name[:6])
    return f"{number:06}-{datetime.fromtimestamp(wall_us() / 1_000_000, UTC):%Y%m%dT%H%M%SZ}"
