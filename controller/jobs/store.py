"""The station's database: one SQLite file, one read-write connection, one thread.

WAL with synchronous=FULL is set and then asserted: Python's defaults lose commits in a power cut (reliability.md 4.4). A
second writer could corrupt the file on SQLite before 3.51.3, so the state folder is locked for as long as the store is open.

Every transaction is one plain function that runs on the database thread, from BEGIN to COMMIT, shielded from cancellation:
a cancelled coroutine would otherwise leave an aiosqlite transaction open, or committed behind the caller's back.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from controller.errors import StoreError, StoreFull
from controller.jobs.spool import sync_folder

P = ParamSpec("P")
T = TypeVar("T")

APPLICATION_ID = 0x50525354  # "PRST": tells our database from somebody else's
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")
_SETTINGS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


class Store:
    """The open database. `transact` changes it, `read` looks at it; both raise StoreError when the disk cannot be trusted."""

    def __init__(self, connection: aiosqlite.Connection, lock_fd: int) -> None:
        self._connection = connection
        self._lock_fd = lock_fd

    @classmethod
    async def open(cls, state_dir: Path) -> Store:
        """Open or create `station.db`, migrate it, and hold the folder's lock until `close`.

        Raises StoreError when another daemon holds the folder, when the file is not ours, or when it is newer than this program.
        """
        lock_fd = _take_lock(state_dir)
        connection = aiosqlite.connect(state_dir / "station.db", isolation_level=None)
        try:
            await connection
            await _on_thread(connection, _prepare)
        except (sqlite3.Error, StoreError) as error:
            await connection.close()
            os.close(lock_fd)
            raise _mapped(error) from error
        return cls(connection, lock_fd)

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(db, ...)` between BEGIN IMMEDIATE and COMMIT. When this returns, the change survives a power cut."""
        return await self._run(lambda db: _transaction(db, lambda: work(db, *args, **kwargs)))

    async def read(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(db, ...)` without a transaction of its own; it must not write."""
        return await self._run(lambda db: work(db, *args, **kwargs))

    async def close(self) -> None:
        """Close the database and let go of the folder."""
        await self._connection.close()
        os.close(self._lock_fd)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # The shield keeps the thread's work whole; a cancelled caller stops waiting, the transaction ends either way.
        try:
            return await asyncio.shield(_on_thread(self._connection, work))
        except (sqlite3.Error, OSError) as error:
            raise _mapped(error) from error


def _take_lock(state_dir: Path) -> int:
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(state_dir.parent)
        fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{state_dir}: cannot be used as the state folder: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StoreError(f"{state_dir}: another print-station is running on this folder; stop it first") from error
    return fd


async def _on_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run one function on aiosqlite's thread. It offers no public call for a whole function, only for single statements."""
    result: T = await connection._execute(lambda: work(connection._conn))  # type: ignore[no-untyped-call]  # noqa: SLF001 - see above
    return result


def _transaction(db: sqlite3.Connection, work: Callable[[], T]) -> T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _prepare(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    _refuse_foreign(db)
    for name, value in _SETTINGS.items():
        db.execute(f"PRAGMA {name} = {value}")
    for name, value in _SETTINGS.items():
        actual = db.execute(f"PRAGMA {name}").fetchone()[0]
        if actual != value:
            raise StoreError(f"SQLite refused {name}={value} (it says {actual}); this disk cannot keep the station's journal")
    _migrate(db)


def _refuse_foreign(db: sqlite3.Connection) -> None:
    ours = db.execute("PRAGMA application_id").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if ours != APPLICATION_ID and tables > 0:
        raise StoreError("station.db is not a print-station database; move it away or point state_dir elsewhere")


def _migrate(db: sqlite3.Connection) -> None:
    have = db.execute("PRAGMA user_version").fetchone()[0]
    steps = migrations()
    if have > len(steps):
        raise StoreError(f"station.db has schema {have}, this program knows {len(steps)}; install the newer print-station")
    for number, script in enumerate(steps[have:], start=have + 1):
        stamp = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        db.executescript(f"BEGIN IMMEDIATE; {script}\n{stamp} COMMIT;")


def migrations() -> list[str]:
    """The schema's steps in order, from `sql/NNNN_name.sql`; a gap in the numbers is a packaging error."""
    folder = Path(__file__).parent / "sql"
    files = sorted(path for path in folder.iterdir() if _MIGRATION.match(path.name))
    numbers = [int(path.name[:4]) for path in files]
    if numbers != list(range(1, len(files) + 1)):
        raise StoreError(f"migrations are not numbered 1..{len(files)}: {numbers}")
    return [path.read_text(encoding="utf-8") for path in files]


def _mapped(error: Exception) -> StoreError:
    if isinstance(error, StoreError):
        return error
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    full = full or (isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL)
    return StoreFull(f"the disk is full: {error}") if full else StoreError(f"the station's storage failed: {error}")
