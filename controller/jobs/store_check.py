"""Looks whether a state folder is whole, without changing anything: on a copy, and while the daemon runs.

Structure of the database (quick_check), references, the event log's chain, and the payload of every job that needs one. It says
which file is bad and what to do. What `quick_check` cannot see is a changed byte inside a value: there is the event log for that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.clock import monotonic_s
from controller.errors import Problem, StoreBroken, StoreError
from controller.jobs import epoch, state_folder
from controller.jobs.events import GENESIS_PREV
from controller.jobs.snapshot import Interrupted, read_only
from controller.jobs.spool import Spool
from controller.jobs.state_folder import Marker
from controller.jobs.storage_faults import DATABASE, SPOOL, WAL, broken, fault_of
from controller.jobs.store import refuse_unfit

MAX_TOLD = 20  # findings in one text: more of them tell a person nothing new
_STEPS_A_LOOK = 100_000  # of SQLite's machine, a few milliseconds: how soon it hears that it is to stop


def check(state_dir: Path) -> Iterator[Problem]:
    """Every finding, each with its file and what to do; none when all is well. Raises OSError when there is nothing to read."""
    found = state_folder.look(state_dir)
    troubles = state_folder.examine(found)
    yield from (broken(trouble.code, state_dir, trouble.file, trouble.detail).problem for trouble in troubles)
    if not found.database_bytes and not troubles:
        yield broken("no_state", state_dir, DATABASE).problem
    if not found.database_bytes:
        return
    marker = found.marker if isinstance(found.marker, Marker) else None
    try:
        with _looking(state_dir) as db:
            refuse_unfit(db, state_dir)
            yield from _check_database(db, state_dir, marker)
    except (sqlite3.Error, OSError, StoreError) as error:
        fault = fault_of(error, state_dir)
        yield fault.problem if isinstance(fault, StoreBroken) else Problem("store.failed", "", str(fault), str(fault))


def structure_faults(db: sqlite3.Connection, stop: threading.Event, rest: float = 0.0) -> Iterator[str]:
    """What quick_check finds, table by table, resting `rest` times as long as each took. Raises Interrupted, sqlite3.Error."""
    db.set_progress_handler(stop.is_set, _STEPS_A_LOOK)
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")]
    for table in tables:
        if stop.is_set():
            raise Interrupted
        started = monotonic_s()
        try:
            yield from (row[0] for row in db.execute(f'PRAGMA quick_check("{table}")') if row[0] != "ok")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise Interrupted from error
            raise
        stop.wait(rest * (monotonic_s() - started))


def chain_faults(db: sqlite3.Connection) -> Iterator[str]:
    """The first place where the event log's hashes do not follow; `print-station verify-log` checks the signatures as well."""
    prev = GENESIS_PREV
    for seq, row in enumerate(db.execute("SELECT seq, body, hash FROM event ORDER BY seq"), start=1):
        body = row["body"].encode()
        whole = hashlib.sha256(body).hexdigest() == row["hash"]
        if not whole or row["seq"] != seq or json.loads(body)["prev"] != prev:
            yield f"event log: row {row['seq']} does not follow from the row before it"
            return
        prev = row["hash"]


def _check_database(db: sqlite3.Connection, state_dir: Path, marker: Marker | None) -> Iterator[Problem]:
    damaged = list(structure_faults(db, threading.Event()))
    if damaged:  # what the rows say is worth nothing then
        yield broken("corrupt", state_dir, DATABASE, "; ".join(damaged[:MAX_TOLD])).problem
        return
    for trouble in state_folder.examine_identity(marker, *epoch.identity(db)):
        yield broken(trouble.code, state_dir, trouble.file, trouble.detail).problem
    references = [f"{row[0]} row {row[1]} refers to no {row[2]}" for row in db.execute("PRAGMA foreign_key_check")]
    for fault in (*references[:MAX_TOLD], *chain_faults(db)):
        yield broken("corrupt", state_dir, DATABASE, fault).problem
    yield from _payload_problems(db, state_dir)


def _payload_problems(db: sqlite3.Connection, state_dir: Path) -> Iterator[Problem]:
    spool = Spool(state_dir / SPOOL, reserve_bytes=0, make=False)
    for row in db.execute("SELECT id, payload FROM job WHERE state IN ('held', 'ready', 'active', 'failed') ORDER BY id"):
        if not spool.holds(row["payload"]):
            yield broken("payload", state_dir, f"{SPOOL}/{row['payload']}.json", f"job {row['id']}").problem


@contextmanager
def _looking(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection. A folder that nobody works on and that has no WAL is read without leaving a file in it."""
    lock = _lock_shared(state_dir)
    try:
        quiet = lock is not None and not _size(state_dir / WAL)
        with read_only(state_dir / DATABASE, immutable=quiet) as db:
            yield db
    finally:
        if lock is not None:
            os.close(lock)


def _lock_shared(state_dir: Path) -> int | None:
    """Keep a daemon from starting meanwhile; None while one is running. In a copy the folder itself is locked."""
    path = state_dir / "lock"
    fd = os.open(path if path.exists() else state_dir, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
