"""The limits a durable submit is held against: raw SQLite commits, and with a synced file for each, on the same disk."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROW_BYTES = 600  # as in reliability.md 3.1


def commits_per_s(folder: Path, count: int) -> float:
    """One row a commit, WAL and synchronous=FULL."""
    with _database(folder) as insert:
        return _rate(count, lambda _number: insert())


def commits_with_files_per_s(folder: Path, count: int, file_bytes: int) -> float:
    """The same, and before each commit a file: written, synced, renamed, its folder synced."""
    data = os.urandom(file_bytes)
    with _database(folder) as insert:

        def store(number: int) -> None:
            _put_file(folder, f"{number}.json", data)
            insert()

        return _rate(count, store)


def _rate(count: int, work: Callable[[int], None]) -> float:
    begun_s = time.monotonic()
    for number in range(count):
        work(number)
    return count / (time.monotonic() - begun_s)


@contextmanager
def _database(folder: Path) -> Iterator[Callable[[], None]]:
    folder.mkdir(parents=True)
    db = sqlite3.connect(folder / "raw.db", isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        body = os.urandom(ROW_BYTES)

        def insert() -> None:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO job (body) VALUES (?)", (body,))
            db.execute("COMMIT")

        yield insert
    finally:
        db.close()


def _put_file(folder: Path, name: str, data: bytes) -> None:
    temp = folder / f".{name}.tmp"
    with temp.open("wb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())
    temp.rename(folder / name)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(opened)
    os.close(opened)
