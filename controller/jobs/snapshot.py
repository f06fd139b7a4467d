"""A snapshot of the state: the database as it was at one instant, the marker, the log's key, and which payloads belong to it.

Made by SQLite's online backup through a read-only connection, so a running station hands on its state without stopping; the
read transaction is taken first, so that commits made meanwhile do not start the copy anew. A snapshot is a folder that is
there whole or not at all. Its database carries another application id: nobody can start a station on it by mistake.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from controller.clock import wall_us
from controller.jobs import epoch, events, state_folder
from controller.jobs.spool import sync_folder, write_synced
from controller.jobs.state_folder import LOG_KEY, MARKER, Marker
from controller.jobs.storage_faults import DATABASE, fault_of, refused
from controller.jobs.store import SNAPSHOT_ID

COPY, MANIFEST, PAYLOADS = "snapshot.db", "manifest.json", "payloads.jsonl"
FORMAT = 1
_PAGES_A_STEP = 256  # 1 MiB, then others may have the disk
_PAUSE_S = 0.01
_CACHE_KIB = 256  # SQLite's own default is 2 MiB a connection: the daemon has no memory to spare
_BLOCK_BYTES = 256 * 1024


class Interrupted(Exception):
    """The work was told to stop before its end; nothing is left of it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself."""

    station: str
    epoch: int
    taken_us: int  # wall clock: for people
    database_sha256: str
    jobs: int
    payloads: int
    head: str  # "seq:hash" of the event log's last row; "" for an empty log
    format: int = FORMAT


@contextmanager
def read_only(path: Path, *, immutable: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. `immutable`: nobody else has the file open, and SQLite leaves no file beside it."""
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)) as db:
        db.row_factory = sqlite3.Row
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        yield db


def take(state_dir: Path, out: Path, stop: threading.Event | None = None) -> Manifest:
    """Copy the state of a folder, running or not, into the new folder `out`. Blocks for seconds; call it in a thread.

    Raises StoreError when it cannot be done, Interrupted when `stop` was set; then there is no `out`.
    """
    temp = out.with_name(f".{out.name}.tmp")
    try:
        if out.exists():
            raise refused("exists", state_dir, out.absolute())
        shutil.rmtree(temp, ignore_errors=True)  # of a snapshot that a power cut broke off
        temp.mkdir(parents=True, mode=0o700)
        sync_folder(out.parent.parent)  # the folder of the snapshots may be new
        manifest = _fill(state_dir, temp, stop or threading.Event())
        sync_folder(temp)
        temp.rename(out)
        sync_folder(out.parent)
    except sqlite3.Error as error:
        raise fault_of(error, state_dir) from error
    except OSError as error:
        raise refused("snapshot_unwritten", state_dir, out.absolute(), str(error.strerror)) from error
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return manifest


def read_manifest(snapshot: Path) -> Manifest:
    """What a snapshot says of itself, once its database is proven to be whole. Raises StoreError."""
    try:
        facts = json.loads((snapshot / MANIFEST).read_bytes())
        if facts.get("format") != FORMAT:
            text = f"its format is {facts.get('format')}, this program knows {FORMAT}"
            raise refused("snapshot_format", snapshot, MANIFEST, text)
        manifest = Manifest(**facts)
        found = _sha256(snapshot / COPY)
    except OSError as error:
        raise refused("no_snapshot", snapshot, "", f"{error.strerror}: {error.filename}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise refused("snapshot_unreadable", snapshot, MANIFEST) from error
    if found != manifest.database_sha256:
        raise refused("snapshot_changed", snapshot, COPY)
    return manifest


def _fill(state_dir: Path, temp: Path, stop: threading.Event) -> Manifest:
    found = state_folder.look(state_dir)
    state_folder.refuse(state_dir, state_folder.examine(found))  # also: to read a database whose WAL is lost makes an empty one
    marker = found.marker
    if not isinstance(marker, Marker) or not found.database_bytes:
        raise refused("no_station", state_dir)
    with read_only(state_dir / DATABASE) as db:
        db.execute("BEGIN")
        head = events.head(db)
        station, number = epoch.identity(db)
        jobs = db.execute("SELECT count(*) FROM job").fetchone()[0]
        _copy(db, temp / COPY, stop)
        payloads = _list_payloads(db, temp / PAYLOADS)
    write_synced(temp / MARKER, (state_dir / MARKER).read_bytes())
    if (state_dir / LOG_KEY).exists():
        write_synced(temp / LOG_KEY, (state_dir / LOG_KEY).read_bytes())
    manifest = Manifest(station or marker.station, number, wall_us(), _sha256(temp / COPY), jobs, payloads,
                        "" if head is None else head.anchor)  # fmt: skip
    write_synced(temp / MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")
    return manifest


def _copy(db: sqlite3.Connection, path: Path, stop: threading.Event) -> None:
    def pause(_status: int, _left: int, _total: int) -> None:
        if stop.wait(_PAUSE_S):
            raise Interrupted

    write_synced(path, b"")  # makes it private
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        db.backup(copy, pages=_PAGES_A_STEP, progress=pause, sleep=0)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute(f"PRAGMA application_id = {SNAPSHOT_ID}")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _list_payloads(db: sqlite3.Connection, path: Path) -> int:
    """One line for each payload that a job needs or may need."""
    rows = db.execute(
        "SELECT payload, payload_bytes, id, state FROM job WHERE state NOT IN ('issued', 'handed_over') ORDER BY id"
    )
    count = 0
    write_synced(path, b"")
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps({"sha256": row[0], "bytes": row[1], "job": row[2], "state": row[3]}) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
