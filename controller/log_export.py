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
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from controller.jobs import events
from controller.jobs.spool import sync_folder
from controller.jobs.state_folder import EXPORT
from controller.jobs.storage_faults import DATABASE, fault_of, full, refused
from controller.model import LogHead

FORMAT = "print-station log 1"
KEPT_FILES = 90  # a quarter of a year of daily files; the database holds everything
MAX_ROWS = 100_000  # of a daily file: a busy month; what is more becomes several files
OTHER = ".other"  # ends the name of a daily file whose rows are not those of the database
ROW_BYTES = 700  # what a row takes in a file, generously: to see whether there is room
_PAGE_ROWS = 500
_MAX_HEADER_BYTES = 4096  # ours has 250
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

    Blocks; for a worker thread or a command. Raises StoreError when there is no such row, or a disk fails.
    """
    try:
        with closing(_connect(state_dir / DATABASE)) as db:
            head = _head(db, state_dir)
            if first > head.seq:
                raise refused("log_shorter", state_dir, DATABASE, f"the event log ends at row {head.seq}, before row {first}")
            _write(db, target, first, head)
    except (sqlite3.Error, OSError) as error:
        raise fault_of(error, state_dir) from error
    return head


def export_day(state_dir: Path, day: str, has_room: Callable[[int], bool], max_rows: int = MAX_ROWS) -> DailyFile | None:
    """Write what is new since the newest daily file, unless that one is of `day` already; then forget all but KEPT_FILES.

    Returns the last file that it wrote. A file of rows that the database does not hold (any more) is set aside under another
    name, so that the others join without a gap. Blocks; for a worker thread. Raises StoreFull when it would touch the
    journal's reserve, StoreError as `export` does.
    """
    folder, made = state_dir / EXPORT, None
    try:
        with closing(_connect(state_dir / DATABASE)) as db:
            files = _set_others_aside(db, folder, _daily_files(folder))
            head = _head(db, state_dir)
            done = files[-1].last if files else 0
            while done < head.seq and not (made is None and files and files[-1].day == day):
                made = DailyFile(done + 1, min(done + max_rows, head.seq), day)
                if not has_room((made.last - done) * ROW_BYTES):
                    raise full(state_dir, "", "export_no_room", folder / made.name)
                _write(db, folder / made.name, made.first, _row(db, made.last) or head)
                files, done = [*files, made], made.last
        for old in files[:-KEPT_FILES]:
            (folder / old.name).unlink(missing_ok=True)
    except (sqlite3.Error, OSError) as error:
        raise fault_of(error, state_dir) from error
    return made


def _set_others_aside(db: sqlite3.Connection, folder: Path, files: list[DailyFile]) -> list[DailyFile]:
    """The files up to the first whose last row is not the database's, as after an old state was brought back."""
    for index, file in enumerate(files):
        if _announced(folder / file.name) != _row(db, file.last):
            for other in files[index:]:
                (folder / other.name).rename(folder / f"{other.name}{OTHER}")
            return files[:index]
    return files


def _announced(path: Path) -> LogHead | None:
    """The head that an export's first line tells; None when it tells none."""
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
    try:
        seq, digest = str(json.loads(line)["anchor"]).split(":")
        return LogHead(int(seq), digest)
    except (ValueError, KeyError, TypeError):
        return None


def _row(db: sqlite3.Connection, seq: int) -> LogHead | None:
    row = db.execute("SELECT seq, hash FROM event WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else LogHead(row[0], row[1])


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
        raise refused("log_empty", state_dir)
    return head


def _write(db: sqlite3.Connection, target: Path, first: int, last: LogHead) -> None:
    """The rows from `first` to `last` as a file. What is wrong with the file is not said of the database."""
    try:
        with _whole_file(target) as file:
            file.writelines(_lines(db, first, last))
    except OSError as error:
        raise refused("export_unwritten", target.parent, target.absolute(), str(error.strerror)) from error


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
        with suppress(OSError):
            temp.unlink(missing_ok=True)
