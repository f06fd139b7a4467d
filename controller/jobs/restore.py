"""Brings a snapshot back into a state folder whose daemon is stopped. Nothing is deleted, and nothing is printed by itself after.

A restored state is old, and so is a database whose WAL is lost: `old_memory` says what that means. The next database is built
beside the old one and put in its place at the end; what was in the folder is moved aside into `broken-<time>`. A cut on the way
leaves a folder on which no station starts, and the same command does it again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from controller.clock import wall_text, wall_us
from controller.errors import StoreError
from controller.jobs import epoch, events, old_memory, state_folder
from controller.jobs.old_memory import Restored
from controller.jobs.snapshot import COPY, Manifest, read_manifest
from controller.jobs.spool import sync_folder, write_synced
from controller.jobs.state_folder import ASIDE, EXPORT, LOG_KEY, MARKER, RESTORING, Marker, MarkerWrong
from controller.jobs.storage_faults import DATABASE, SHM, SPOOL, WAL, broken, fault_of, refused
from controller.jobs.store import APPLICATION_ID, prepare, take_lock, transaction


def restore(snapshot: Path, state_dir: Path, who: str) -> Restored:
    """Put the snapshot's state into the folder. Raises StoreError, and then the folder's own files are where they were."""
    manifest = read_manifest(snapshot)
    with _locked(state_dir):
        try:
            return _restore(snapshot, manifest, state_dir, who)
        except (sqlite3.Error, OSError) as error:
            raise fault_of(error, state_dir) from error


def trust(state_dir: Path, who: str) -> Restored:
    """A person vouches for what the folder holds: a lost spool and the doubt after a restore are accepted.

    Records of the spool that have no job become held jobs. A lost WAL is not made good by a word: what was committed in it is
    not known, so the database is an old memory and is treated as after a restore. Raises StoreError.
    """
    if not (state_dir / DATABASE).exists() or (state_dir / DATABASE).stat().st_size == 0:
        raise refused("nothing_to_trust", state_dir)
    with _locked(state_dir):
        try:
            found = state_folder.look(state_dir)
            if any(trouble.code == "wal_missing" for trouble in state_folder.examine(found)):
                return _trust_without_wal(state_dir, found.marker, who)
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
    marker = Marker(manifest.station, 1 + max(manifest.epoch, _epoch_here(state_dir, manifest)))

    def rewrite(db: sqlite3.Connection) -> Restored:
        done = old_memory.make_old(db, state_dir / SPOOL, marker, who)
        if events.head(db) is not None:  # the first row of a log is its genesis, which only a start can write
            facts = {"epoch": marker.epoch, "taken_us": manifest.taken_us, "head": manifest.head, "held": done.held, "unknown":
                     done.unknown, "adopted": done.adopted, "records": done.records, "who": who}  # fmt: skip
            events.append(db, "state_restored", facts)
        return done

    done = _build(snapshot / COPY, state_dir, rewrite, is_snapshot=True)
    aside = _move_aside(state_dir, snapshot)
    if (snapshot / LOG_KEY).exists() and not (state_dir / LOG_KEY).exists():
        write_synced(state_dir / LOG_KEY, (snapshot / LOG_KEY).read_bytes())
    _put_in_place(state_dir, marker)
    return replace(done, aside=aside)


def _trust_without_wal(state_dir: Path, marker: Marker | MarkerWrong | None, who: str) -> Restored:
    """Only a copy is opened: to open the database itself would make an empty WAL, which nobody can tell from a whole one."""
    if not isinstance(marker, Marker):
        raise broken("marker", state_dir, MARKER)
    now = replace(marker, epoch=marker.epoch + 1, open=False)  # epochs are told apart by restores and by losses

    def rewrite(db: sqlite3.Connection) -> Restored:
        station, number = epoch.identity(db)
        state_folder.refuse(state_dir, state_folder.examine_identity(marker, station, number))
        done = old_memory.make_old(db, state_dir / SPOOL, replace(now, epoch=max(now.epoch, number + 1)), who)
        if events.head(db) is not None:
            facts = {"epoch": done.epoch, "held": done.held, "unknown": done.unknown, "adopted": done.adopted,
                     "records": done.records, "who": who}  # fmt: skip
            events.append(db, "state_trusted", facts)
        return done

    done = _build(state_dir / DATABASE, state_dir, rewrite)
    aside = _new_aside(state_dir)
    os.link(state_dir / DATABASE, aside / DATABASE)
    if (state_dir / SHM).exists():
        (state_dir / SHM).rename(aside / SHM)
    sync_folder(aside)
    _put_in_place(state_dir, replace(now, epoch=done.epoch))
    return replace(done, aside=aside)


def _put_in_place(state_dir: Path, marker: Marker) -> None:
    (state_dir / SPOOL).mkdir(exist_ok=True, mode=0o700)
    sync_folder(state_dir)
    (state_dir / RESTORING).rename(state_dir / DATABASE)
    sync_folder(state_dir)
    state_folder.write_marker(state_dir, marker)


def _epoch_here(state_dir: Path, manifest: Manifest) -> int:
    """The folder's own epoch, also of what a restore that broke off moved aside. A damaged marker says nothing.

    Raises StoreError when the folder is another station's: a mistake of the person.
    """
    number = 0
    for folder in (state_dir, *state_dir.glob(f"{ASIDE}*")):
        with suppress(MarkerWrong):
            marker = state_folder.read_marker(folder)
            if marker is not None and marker.station == manifest.station:
                number = max(number, marker.epoch)
            elif marker is not None and folder == state_dir:
                text = f"belongs to station {marker.station}, the snapshot to {manifest.station}"
                raise refused("not_this_station", state_dir, detail=text)
    return number


def _build(
    source: Path, state_dir: Path, rewrite: Callable[[sqlite3.Connection], Restored], *, is_snapshot: bool = False
) -> Restored:
    """Make the folder's next database from a copy of `source`; nothing else of the folder is touched."""
    building = state_dir / RESTORING
    names = [building, *(building.with_name(f"{RESTORING}{end}") for end in ("-wal", "-shm"))]
    for name in names:  # of a restore that broke off
        name.unlink(missing_ok=True)
    try:
        write_synced(building, b"")
        shutil.copyfile(source, building)
        with closing(sqlite3.connect(building, isolation_level=None)) as db:
            if is_snapshot:
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            prepare(db)
            faults = [row[0] for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
            if faults and is_snapshot:
                raise refused("snapshot_damaged", source.parent, source.name, faults[0])
            if faults:
                raise broken("corrupt", state_dir, DATABASE, faults[0])
            done = transaction(db, lambda: rewrite(db))
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with building.open("rb+") as file:
            os.fsync(file.fileno())
    except (sqlite3.Error, OSError, StoreError):
        for name in names:
            name.unlink(missing_ok=True)
        raise
    return done


def _move_aside(state_dir: Path, snapshot: Path) -> Path | None:
    """Move what the restore replaces out of the way: database, WAL, marker, the exports of what is not known any more, and a key
    that is not the snapshot's. The database first: one without its WAL and marker would look like a whole one."""
    other_key = (snapshot / LOG_KEY).exists() and _bytes(state_dir / LOG_KEY) not in (None, _bytes(snapshot / LOG_KEY))
    names = [DATABASE, WAL, SHM, MARKER, EXPORT, *([LOG_KEY] if other_key else [])]
    there = [name for name in names if (state_dir / name).exists()]
    if not there:
        return None
    aside = _new_aside(state_dir)
    for name in there:
        (state_dir / name).rename(aside / name)
    sync_folder(aside)
    return aside


def _new_aside(state_dir: Path) -> Path:
    aside = state_dir / f"{ASIDE}{wall_text(wall_us()).replace(':', '')}"
    while aside.exists():
        aside = aside.with_name(f"{aside.name}x")
    aside.mkdir(mode=0o700)
    sync_folder(state_dir)
    return aside


def _trust(state_dir: Path, who: str) -> Restored:
    try:
        marker = state_folder.read_marker(state_dir)
    except MarkerWrong:
        marker = None  # the database says who it is
    with closing(sqlite3.connect(state_dir / DATABASE, isolation_level=None)) as db:
        prepare(db)
        station, number = epoch.identity(db)
        state_folder.refuse(state_dir, state_folder.examine_identity(marker, station, number))

        def write() -> Restored:
            adopted = old_memory.adopt(db, state_dir / SPOOL)
            epoch.trust(db)
            done = Restored(number, adopted=len(adopted), records=old_memory.digest(adopted))
            if events.head(db) is not None:
                facts = {"epoch": number, "adopted": done.adopted, "records": done.records, "who": who}
                events.append(db, "state_trusted", facts)
            return done

        done = transaction(db, write)
    (state_dir / SPOOL).mkdir(exist_ok=True, mode=0o700)
    sync_folder(state_dir)
    if station is not None:
        state_folder.write_marker(state_dir, Marker(station, number))
    return done


def _give_to_owner(state_dir: Path) -> None:
    """Root restores for the daemon's user: what is new in the folder belongs to the folder's owner."""
    owner = state_dir.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (state_dir, *state_dir.glob("*"), *state_dir.glob("broken-*/*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
