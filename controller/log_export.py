"""The event log as a file: JSON lines that `verify_log.py` checks on a machine that knows nothing of stations.

First line: {"format", "station", "key", "first", "anchor"}; then one line {"body", "hash"} for each row, the body as the text
that was hashed. `anchor` is SEQ:HASH of the last row, so a file that ends before it is torn. Files that follow each other may be
joined with cat. The database is only read, by a connection of its own and in pages: a long read would hold up the WAL.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from controller.errors import StoreError, StoreFull
from controller.jobs import events
from controller.jobs.spool import sync_folder
from controller.jobs.storage_faults import DATABASE, fault_of
from controller.model import LogHead

FORMAT = "print-station log 1"
FOLDER = "export"
KEPT_FILES = 90  # a quarter of a year of daily files; the database holds everything
MAX_ROWS = 100_000  # of a daily file: a busy month. Whoever needs more asks for it with `export-log`
ROW_BYTES = 700  # what a row takes in a file, generously: to see whether there is room
_PAGE_ROWS = 500
_NAME = re.compile(r"log-(\d{12})-(\d{12})-(\d{4}-\d\d-\d\d)\.jsonl")


@dataclass(frozen=True, slots=True, order=True)
class DailyFile:
    """A file of `state_dir/export`, named by its rows and day; in the order of its rows, whatever the clock said."""

    first: int
    last: int
    day: str

    @property
    def name(self) -> str:
        """The file's name; sorted by name, files are in the order of their rows."""
        return f"log-{self.first:012}-{self.last:012}-{self.day}.jsonl"


def export(state_dir: Path, target: Path, first: int = 1) -> LogHead:
    """Write the rows from `first` to the newest to `target`, wholly or not at all; returns the newest.

    Blocks; for a worker thread or a command. Raises StoreError when there is no log, or the disk fails.
    """
    try:
        with closing(_connect(state_dir / DATABASE)) as db:
            head = _head(db, state_dir)
            with _whole_file(target) as file:
                file.writelines(_lines(db, first, head))
    except (sqlite3.Error, OSError) as error:
        raise fault_of(error, state_dir) from error
    return head


def export_day(state_dir: Path, day: str, has_room: Callable[[int], bool]) -> DailyFile | None:
    """Write what is new since the newest daily file, unless that one is of `day` already; then forget all but KEPT_FILES.

    Blocks; for a worker thread. Raises StoreFull when it would touch the journal's reserve, StoreError as `export` does.
    """
    try:
        folder = state_dir / FOLDER
        files = _daily_files(folder)
        if files and files[-1].day == day:
            return None
        with closing(_connect(state_dir / DATABASE)) as db:
            head = _head(db, state_dir)
        wanted = DailyFile(max(files[-1].last + 1 if files else 1, head.seq - MAX_ROWS + 1), head.seq, day)
        if wanted.first > wanted.last:
            return None
        if not has_room((wanted.last - wanted.first + 1) * ROW_BYTES):
            raise StoreFull(f"{folder}: no room for the daily export of the event log without touching the journal's reserve")
        export(state_dir, folder / wanted.name, wanted.first)
        for old in files[: max(0, len(files) + 1 - KEPT_FILES)]:
            (folder / old.name).unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        raise fault_of(error, state_dir) from error
    return wanted


def _daily_files(folder: Path) -> list[DailyFile]:
    """The daily files there are, in order; makes the folder and clears what a torn write left."""
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)
    found = []
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None:
            found.append(DailyFile(int(match[1]), int(match[2]), match[3]))
        elif path.name.endswith(".tmp"):
            path.unlink()
    return sorted(found)


def _connect(database: Path) -> sqlite3.Connection:
    """Read-only. Without a -wal file nobody has the database open: then it is read without leaving files beside it."""
    quiet = not database.with_name(f"{database.name}-wal").exists()
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}", uri=True)
    db.text_factory = _decode
    return db


def _decode(raw: bytes) -> str:
    """A log that somebody damaged must still be exported: the verifier is the one to say what is wrong with it."""
    return raw.decode(errors="replace")


def _head(db: sqlite3.Connection, state_dir: Path) -> LogHead:
    head = events.head(db)
    if head is None:
        raise StoreError(f"{state_dir / DATABASE}: the event log is empty")
    return head


def _lines(db: sqlite3.Connection, first: int, head: LogHead) -> Iterator[bytes]:
    genesis = events.genesis(db)
    origin = {"station": genesis.station, "key": genesis.key} if genesis is not None else {"station": "", "key": ""}
    yield _line({"format": FORMAT, **origin, "first": first, "anchor": head.anchor})
    last = first - 1
    while last < head.seq:
        rows = db.execute(
            "SELECT seq, body, hash FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", (last, head.seq, _PAGE_ROWS)
        ).fetchall()
        yield from (_line({"body": body, "hash": digest}) for _, body, digest in rows)
        last = rows[-1][0] if rows else head.seq


def _line(fields: dict[str, str | int]) -> bytes:
    # ensure_ascii=False: each text has one form only, so no byte of the file can change unseen
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """A private file that gets its name only when all of it is on the disk."""
    temp = target.with_name(f".{target.name}.tmp")
    try:
        with os.fdopen(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temp.replace(target)
        sync_folder(target.parent)
    finally:
        temp.unlink(missing_ok=True)
