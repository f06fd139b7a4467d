"""Brings a snapshot back into a state folder whose daemon is stopped. Nothing is deleted, and nothing is printed by itself after.

A restored state is old: cards may have been issued, and records accepted, that it does not know. So every job that is not done
is held until a person lets it go on, an interrupted card waits for a person, records of the spool that the snapshot does not
know become held jobs, the station is put on HOLD, and a new epoch begins in which every new record is held too, until somebody
vouches for the state (`print-station store trust`). What was in the folder is moved aside into `broken-<time>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.clock import wall_text, wall_us
from controller.errors import StoreError
from controller.jobs import epoch, events, journal, queue, state_folder
from controller.jobs.queue import Job
from controller.jobs.snapshot import COPY, Manifest, read_manifest
from controller.jobs.spool import sync_folder, write_synced
from controller.jobs.state_folder import LOG_KEY, MARKER, Marker, MarkerWrong
from controller.jobs.states import JobEvent
from controller.jobs.storage_faults import DATABASE, SHM, SPOOL, WAL, fault_of
from controller.jobs.store import APPLICATION_ID, prepare, take_lock, transaction
from controller.model import JobState
from controller.records.canonical import canonical_bytes

_NEW = "station.db.restoring"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore, or a person's word, did."""

    epoch: int
    held: int = 0  # jobs that wait for a person's word
    unknown: int = 0  # passages whose card a person has to find
    adopted: int = 0  # records of the spool that had no job
    missing: int = 0  # jobs whose record the spool does not hold: to be handed in again
    aside: Path | None = None  # where the broken files are now


def restore(snapshot: Path, state_dir: Path, who: str) -> Restored:
    """Put the snapshot's state into the folder. Raises StoreError, and then the folder's own files are where they were."""
    manifest = read_manifest(snapshot)
    with _locked(state_dir):
        try:
            return _restore(snapshot, manifest, state_dir, who)
        except (sqlite3.Error, OSError) as error:
            raise fault_of(error, state_dir) from error


def trust(state_dir: Path, who: str) -> Restored:
    """A person vouches for what the folder holds: a lost WAL, a lost spool and the doubt after a restore are accepted.

    Records of the spool that have no job become held jobs: they may be what the lost WAL held. Raises StoreError.
    """
    with _locked(state_dir):
        try:
            return _trust(state_dir, who)
        except (sqlite3.Error, OSError) as error:
            raise fault_of(error, state_dir) from error


@contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    lock = take_lock(state_dir)
    try:
        yield
        _give_to_owner(state_dir)
    finally:
        os.close(lock)


def _restore(snapshot: Path, manifest: Manifest, state_dir: Path, who: str) -> Restored:
    number = 1 + max(manifest.epoch, _epoch_here(state_dir, manifest))
    marker = Marker(manifest.station, number)
    building = state_dir / _NEW
    for name in (_NEW, f"{_NEW}-wal", f"{_NEW}-shm"):  # of a restore that broke off
        (state_dir / name).unlink(missing_ok=True)
    write_synced(building, b"")
    shutil.copyfile(snapshot / COPY, building)
    done = _make_old(building, state_dir, manifest, marker, who)
    aside = _move_aside(state_dir, snapshot)
    building.rename(state_dir / DATABASE)
    if (snapshot / LOG_KEY).exists() and not (state_dir / LOG_KEY).exists():
        write_synced(state_dir / LOG_KEY, (snapshot / LOG_KEY).read_bytes())
    (state_dir / SPOOL).mkdir(exist_ok=True, mode=0o700)
    sync_folder(state_dir)
    state_folder.write_marker(state_dir, marker)
    return Restored(number, *done, aside)


def _epoch_here(state_dir: Path, manifest: Manifest) -> int:
    """The folder's own epoch. A damaged marker says nothing; one of another station is a mistake of the person."""
    try:
        marker = state_folder.read_marker(state_dir)
    except MarkerWrong:
        return 0
    if marker is not None and marker.station != manifest.station:
        raise StoreError(
            f"{state_dir}: belongs to station {marker.station}, the snapshot to {manifest.station}; take the right one"
        )
    return 0 if marker is None else marker.epoch


def _make_old(path: Path, state_dir: Path, manifest: Manifest, marker: Marker, who: str) -> tuple[int, int, int, int]:
    """Turn the copy into a database of the new epoch; returns held, unknown, adopted, missing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        prepare(db)
        faults = [row[0] for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
        if faults:
            raise StoreError(f"the snapshot's database is damaged: {faults[0]}; take another snapshot")
        done = transaction(db, lambda: _rewrite(db, state_dir / SPOOL, manifest, marker, who))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return done


def _rewrite(db: sqlite3.Connection, spool: Path, manifest: Manifest, marker: Marker, who: str) -> tuple[int, int, int, int]:
    epoch.take_up(db, marker)
    epoch.doubt(db)
    journal.set_held_flag(db, "restore", held=True)
    # Its devices are none that exist now, so that no evidence is read from them: it waits for a person (verdict.py).
    unknown = db.execute(
        "UPDATE passage SET state = 'unknown', reason = ?, reader = ? WHERE state <> 'ended'",
        (epoch.RESTORED, f"before epoch {marker.epoch}"),
    ).rowcount
    held = _hold_all(db)
    adopted = _adopt(db, spool)
    facts = {"epoch": marker.epoch, "taken_us": manifest.taken_us, "head": manifest.head, "held": held, "unknown": unknown,
             "adopted": adopted, "who": who}  # fmt: skip
    events.append(db, "state_restored", facts)
    needed = db.execute("SELECT payload FROM job WHERE state IN ('held', 'active')").fetchall()
    missing = sum(not (spool / f"{row[0]}.json").exists() for row in needed)
    return held, unknown, adopted, missing


def _hold_all(db: sqlite3.Connection) -> int:
    """Hold every job that could be made. An active one waits with its passage and is held when that has ended."""
    waiting = (JobState.READY, JobState.HELD, JobState.FAILED)
    rows = db.execute("SELECT * FROM job WHERE state IN (?, ?, ?) ORDER BY id", waiting).fetchall()
    for row in rows:
        queue.change(db, Job.of(row), JobEvent.HOLD, epoch.why())
    return len(rows)


def _adopt(db: sqlite3.Connection, spool: Path) -> int:
    """Records of the spool that no job owns were accepted after the snapshot, or before a WAL was lost: make them held jobs."""
    if not spool.is_dir():
        return 0
    known = {row[0] for row in db.execute("SELECT payload FROM job")}
    strays = sorted((path for path in spool.glob("*.json") if path.stem not in known), key=lambda path: path.stat().st_mtime_ns)
    return sum(_adopt_one(db, path) for path in strays)


def _adopt_one(db: sqlite3.Connection, path: Path) -> bool:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != path.stem:
        return False
    record = json.loads(data)  # whole by its hash, so it is what the intake once accepted
    digest = hashlib.sha256(canonical_bytes({name: value for name, value in record.items() if name != "seal"})).hexdigest()
    if db.execute("SELECT 1 FROM job WHERE record_digest = ?", (digest,)).fetchone() is not None:
        return False
    now = wall_us()
    row = db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
           VALUES (?, ?, ?, ?, 'ready', ?, ?) RETURNING *""",
        (digest, record["record_id"], path.stem, len(data), now, now),
    ).fetchone()
    events.append(db, "job_accepted", {"job": row["id"], "record": digest})
    queue.change(db, Job.of(row), JobEvent.HOLD, epoch.why())
    return True


def _move_aside(state_dir: Path, snapshot: Path) -> Path | None:
    """Move what the restore replaces out of the way: database, WAL, marker, and a key that is not the snapshot's."""
    other_key = (snapshot / LOG_KEY).exists() and _bytes(state_dir / LOG_KEY) not in (None, _bytes(snapshot / LOG_KEY))
    names = [DATABASE, WAL, SHM, MARKER, *([LOG_KEY] if other_key else [])]
    there = [name for name in names if (state_dir / name).exists()]
    if not there:
        return None
    aside = state_dir / f"broken-{wall_text(wall_us()).replace(':', '')}"
    while aside.exists():
        aside = aside.with_name(f"{aside.name}x")
    aside.mkdir(mode=0o700)
    for name in there:
        (state_dir / name).rename(aside / name)
    sync_folder(aside)
    return aside


def _trust(state_dir: Path, who: str) -> Restored:
    try:
        marker = state_folder.read_marker(state_dir)
    except MarkerWrong:
        marker = None  # the database says who it is
    if not (state_dir / DATABASE).exists() or (state_dir / DATABASE).stat().st_size == 0:
        raise StoreError(f"{state_dir}: there is no {DATABASE} to trust; restore a snapshot")
    with closing(sqlite3.connect(state_dir / DATABASE, isolation_level=None)) as db:
        prepare(db)
        station, number = epoch.identity(db)
        state_folder.refuse(state_dir, state_folder.examine_identity(marker, station, number))

        def write() -> int:
            adopted = _adopt(db, state_dir / SPOOL)
            epoch.trust(db)
            events.append(db, "state_trusted", {"epoch": number, "adopted": adopted, "who": who})
            return adopted

        adopted = transaction(db, write)
    (state_dir / SPOOL).mkdir(exist_ok=True, mode=0o700)
    sync_folder(state_dir)
    if station is not None:
        state_folder.write_marker(state_dir, Marker(station, number))
    return Restored(number, adopted=adopted)


def _give_to_owner(state_dir: Path) -> None:
    """Root restores for the daemon's user: what is new in the folder belongs to the folder's owner."""
    owner = state_dir.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (state_dir, *state_dir.glob("*"), *state_dir.glob("broken-*/*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
