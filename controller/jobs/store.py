"""The station's database: one SQLite file, one read-write connection, one thread.

WAL with synchronous=FULL is set and then asserted: Python's defaults lose commits in a power cut (reliability.md 4.4). A
second writer could corrupt the file on SQLite before 3.51.3, so the state folder is locked for as long as the store is open.

Every transaction is one plain function that runs on the database thread, from BEGIN to COMMIT, shielded from cancellation:
a cancelled coroutine would otherwise leave an aiosqlite transaction open, or committed behind the caller's back.

After a failed write or flush nothing is tried again (docs/storage.md): the store is broken until a person has acted. Against a
disk that somebody else fills, the WAL is given its room in advance: SQLite never shrinks it, so a commit needs no new block.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from controller.errors import StoreBroken, StoreError, StoreFull
from controller.jobs import epoch, state_folder
from controller.jobs.spool import sync_folder
from controller.jobs.state_folder import Marker, refuse
from controller.jobs.storage_faults import DATABASE, SPOOL, WAL, broken, fault_of, refused

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION_ID = 0x50525354  # "PRST": tells our database from somebody else's
SNAPSHOT_ID = 0x50525353  # "PRSS": a snapshot, which must not be started on as it is
# Room for the journal: SQLite goes round in the first 4 MiB (1,000 pages), the rest is for a disk without a free byte, where
# the database cannot grow: 16 commits a card of at most 10 pages are 0.7 MiB, for each of 8 lanes. One block of the -shm file.
WAL_BYTES = 12 * 1024 * 1024
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")
_SETTINGS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


class Store:
    """The open database. `transact` changes it, `read` looks at it; both raise StoreError when the disk cannot be trusted.

    After a StoreBroken every call raises the same error again, and nothing touches the disk.
    """

    def __init__(self, connection: aiosqlite.Connection, state_dir: Path, lock_fd: int, marker: Marker) -> None:
        self.marker = marker
        self.state_dir = state_dir
        self._connection = connection
        self._lock_fd = lock_fd
        self._broken: StoreBroken | None = None
        self._distrusted: StoreBroken | None = None
        self._breaks = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, state_dir: Path) -> Store:
        """Open or create `station.db`, migrate it, and hold the folder's lock until `close`.

        Raises StoreBroken when the state is lost, damaged, not ours or newer than this program, StoreError when another
        daemon holds the folder, StoreFull.
        """
        lock_fd = take_lock(state_dir)
        try:
            marker = look_before_opening(state_dir)
            connection = aiosqlite.connect(state_dir / DATABASE, isolation_level=None)
            try:
                await connection
                marker = await _on_thread(connection, lambda db: _take_up(db, state_dir, marker))
            except BaseException:
                await connection.close()
                raise
        except BaseException as error:
            os.close(lock_fd)
            if isinstance(error, sqlite3.Error | OSError | StoreError):
                raise fault_of(error, state_dir) from error
            raise  # cancelled: the folder is free for the next one
        return cls(connection, state_dir, lock_fd, marker)

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(db, ...)` between BEGIN IMMEDIATE and COMMIT. When this returns, the change survives a power cut."""
        return await self._run(lambda db: transaction(db, lambda: work(db, *args, **kwargs)))

    async def read(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(db, ...)` without a transaction of its own; it must not write."""
        return await self._run(lambda db: work(db, *args, **kwargs))

    def distrust(self, error: StoreBroken) -> None:
        """Damage was found: take no more work. The cards in hand may still be journalled."""
        self._distrusted = error

    def must_be_trusted(self) -> None:
        """Raise StoreBroken when no work may be taken."""
        error = self._broken or self._distrusted
        if error is not None:
            raise StoreBroken(error.problem)

    async def until_broken(self) -> StoreBroken:
        """Wait until the storage has failed for good; returns why."""
        while self._broken is None:
            await self._breaks.wait()
        return self._broken

    async def keep_room(self) -> bool:
        """Give the WAL its room; False while the disk has none to give. Fast when it has it already."""
        return await self._run(lambda _db: _keep_room(self.state_dir))  # its thread: a C library may do it by writing bytes

    async def close(self) -> None:
        """Close the database and let go of the folder."""
        # Said before it is done: the WAL may be gone from here on. A disk that cannot say so keeps the WAL as well.
        with suppress(OSError):
            await asyncio.to_thread(state_folder.write_marker, self.state_dir, replace(self.marker, open=False))
        await self._connection.close()
        os.close(self._lock_fd)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # The shield keeps the thread's work whole; a cancelled caller stops waiting, the transaction ends either way.
        return await asyncio.shield(_on_thread(self._connection, lambda db: self._unless_broken(db, work)))

    def _unless_broken(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        """On the database thread, so that nothing that waits behind a failure is still tried."""
        if self._broken is not None:
            raise StoreBroken(self._broken.problem)
        try:
            return work(db)
        except (sqlite3.Error, OSError, StoreError) as error:
            mapped = fault_of(error, self.state_dir)
            if isinstance(mapped, StoreBroken):
                self._broken = mapped
                self._loop.call_soon_threadsafe(self._breaks.set)
            if mapped is error:
                raise
            raise mapped from error


def take_lock(state_dir: Path) -> int:
    """Make the folder and lock it, for one process at a time; returns the descriptor that holds the lock. Raises StoreError."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(state_dir.parent)
        fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        mapped = fault_of(error, state_dir, "lock")
        if isinstance(mapped, StoreBroken | StoreFull):
            raise mapped from error
        raise refused("unusable", state_dir, detail=str(error.strerror)) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise refused("busy", state_dir) from error
    return fd


def look_before_opening(state_dir: Path) -> Marker | None:
    """The folder's marker, None at the first start. Raises StoreBroken when a state should be here and is not, OSError."""
    found = state_folder.look(state_dir)
    refuse(state_dir, state_folder.examine(found))
    return found.marker if isinstance(found.marker, Marker) else None


def transaction(db: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Run `work` between BEGIN IMMEDIATE and COMMIT on a plain connection."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def prepare(db: sqlite3.Connection) -> None:
    """Make a plain connection to station.db fit for use: refuse what is not ours, set and assert the pragmas, migrate.

    What a flush that failed in an earlier run left only in memory is written anew: the WAL is copied into the database.
    The connection must be in autocommit (`isolation_level=None`). Raises StoreBroken, sqlite3.Error.
    """
    db.row_factory = sqlite3.Row
    folder = Path(db.execute("PRAGMA database_list").fetchone()[2]).parent
    refuse_unfit(db, folder)
    for name, value in _SETTINGS.items():
        db.execute(f"PRAGMA {name} = {value}")
    for name, value in _SETTINGS.items():
        actual = db.execute(f"PRAGMA {name}").fetchone()[0]
        if actual != value:
            raise broken("settings", folder, DATABASE, f"SQLite refused {name}={value} (it says {actual})")
    _migrate(db)
    _copy_wal(db)


def refuse_unfit(db: sqlite3.Connection, folder: Path) -> None:
    """Raise StoreBroken for a database that is not a station's, is a snapshot, or is newer than this program."""
    ours = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    have, known = db.execute("PRAGMA user_version").fetchone()[0], len(migrations())
    if ours == SNAPSHOT_ID:
        raise broken("snapshot", folder, DATABASE)
    if ours != APPLICATION_ID and tables > 0:
        raise broken("foreign", folder, DATABASE)
    if have > known:
        raise broken("newer", folder, DATABASE, f"has schema {have}, this program knows {known}")


def must_have_spool(db: sqlite3.Connection, state_dir: Path) -> None:
    """Raise StoreBroken when there is no spool although jobs need what was in it."""
    if (state_dir / SPOOL).is_dir():
        return
    if db.execute("SELECT 1 FROM job WHERE state IN ('held', 'ready', 'active', 'failed') LIMIT 1").fetchone() is not None:
        raise broken("spool_missing", state_dir, SPOOL)


def migrations() -> list[str]:
    """The schema's steps in order, from `sql/NNNN_name.sql`; a gap in the numbers is a packaging error."""
    folder = Path(__file__).parent / "sql"
    files = sorted(path for path in folder.iterdir() if _MIGRATION.match(path.name))
    numbers = [int(path.name[:4]) for path in files]
    if numbers != list(range(1, len(files) + 1)):
        raise StoreError(f"migrations are not numbered 1..{len(files)}: {numbers}")
    return [path.read_text(encoding="utf-8") for path in files]


async def _on_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run one function on aiosqlite's thread. It offers no public call for a whole function, only for single statements."""
    result: T = await connection._execute(lambda: work(connection._conn))  # type: ignore[no-untyped-call]  # noqa: SLF001 - see above
    return result


def _take_up(db: sqlite3.Connection, state_dir: Path, marker: Marker | None) -> Marker:
    """Prepare the database and make sure that it is the one the marker speaks of; say that it is open."""
    prepare(db)
    station, number = epoch.identity(db)
    refuse(state_dir, state_folder.examine_identity(marker, station, number))
    must_have_spool(db, state_dir)
    if station is None:
        fresh = Marker.new()
        transaction(db, lambda: epoch.take_up(db, fresh))
        station, number = fresh.station, fresh.epoch
    sync_folder(state_dir)  # the WAL's name must last before the marker says that there is one
    now_open = Marker(station, number, open=True)
    try:
        state_folder.write_marker(state_dir, now_open)
    except OSError as error:
        if marker is None or not isinstance(fault_of(error, state_dir), StoreFull):
            raise
    return now_open


def _migrate(db: sqlite3.Connection) -> None:
    have = db.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(migrations()[have:], start=have + 1):
        stamp = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        db.executescript(f"BEGIN IMMEDIATE; {script}\n{stamp} COMMIT;")


def _copy_wal(db: sqlite3.Connection) -> None:
    """Copy the WAL into the database without waiting for readers. A disk without room for that keeps the WAL as it is."""
    try:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_FULL:
            raise


def _keep_room(state_dir: Path) -> bool:
    """Allocate the WAL's blocks. Zeros behind its frames are no frames to SQLite (sqlite.org/fileformat.html 4.1)."""
    fd = os.open(state_dir / WAL, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_size < WAL_BYTES:
            os.posix_fallocate(fd, 0, WAL_BYTES)
    except OSError as error:
        if isinstance(fault_of(error, state_dir, WAL), StoreFull):
            return False
        raise
    finally:
        os.close(fd)
    return True
