"""What is done to a database that is an old memory: it was restored, or its WAL is lost. Each function is part of a transaction.

Cards may have been issued, and records accepted, that it does not know. So every job that is not done is held until a person
lets it go on, an interrupted card waits for a person, records of the spool that no job owns become held jobs, the station is put
on HOLD, and a new epoch begins in which every new record is held too, until somebody vouches for the state
(`print-station store trust`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from controller.clock import wall_us
from controller.jobs import epoch, events, journal, states
from controller.jobs.state_folder import Marker
from controller.jobs.states import JobEvent
from controller.model import JobState
from controller.records.canonical import canonical_bytes

# What could be made. An active one waits with its passage and is held when that has ended.
_TO_HOLD = (JobState.READY, JobState.HELD, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore, or a person's word, did."""

    epoch: int
    held: int = 0  # jobs that wait for a person's word
    unknown: int = 0  # passages whose card a person has to find
    adopted: int = 0  # records of the spool that had no job
    missing: int = 0  # jobs whose record the spool does not hold: to be handed in again
    doubted: bool = False  # the memory is an old one: the station is on HOLD and new records are held as well
    records: str = ""  # SHA-256 over the digests of the adopted records, a line each
    aside: Path | None = None  # where the files that were replaced are now


def make_old(db: sqlite3.Connection, spool: Path, marker: Marker, who: str) -> Restored:
    """A new epoch begins in which nothing of the database is printed without a person's word.

    One row of the log is to tell all of it: rows for thousands of jobs would be a long stretch that nobody has signed.
    """
    epoch.take_up(db, marker)
    epoch.doubt(db)
    if events.head(db) is not None:
        journal.set_held_flag(db, who, held=True)
    else:
        db.execute("INSERT OR REPLACE INTO flag (name, value) VALUES ('hold', 'yes')")
    # Its devices are none that exist now, so that no evidence is read from them: it waits for a person (verdict.py).
    unknown = db.execute(
        "UPDATE passage SET state = 'unknown', reason = ?, reader = ? WHERE state <> 'ended'",
        (epoch.RESTORED, f"before epoch {marker.epoch}"),
    ).rowcount
    held = _hold_all(db)
    adopted = adopt(db, spool)
    needed = db.execute("SELECT payload FROM job WHERE state IN ('held', 'active')").fetchall()
    missing = sum(not (spool / f"{row[0]}.json").exists() for row in needed)
    return Restored(marker.epoch, held, unknown, len(adopted), missing, doubted=True, records=digest(adopted))


def _hold_all(db: sqlite3.Connection) -> int:
    """Hold every job that could be made."""
    why = epoch.why()
    after = {states.after(state, JobEvent.HOLD) for state in _TO_HOLD}
    return db.execute(
        """UPDATE job SET state = ?, reason = ?, reason_id = ?, reason_en = ?, changed_us = ? WHERE state IN (?, ?, ?)""",
        (*after, why.code, why.id, why.en, wall_us(), *_TO_HOLD),
    ).rowcount


def adopt(db: sqlite3.Connection, spool: Path) -> list[str]:
    """Records of the spool that no job owns were accepted after the snapshot, or before a WAL was lost: make them held jobs.

    Returns the digests of their sealed content, in the order of the jobs.
    """
    if not spool.is_dir():
        return []
    known = {row[0] for row in db.execute("SELECT payload FROM job")}
    strays = sorted((path for path in spool.glob("*.json") if path.stem not in known), key=lambda path: path.stat().st_mtime_ns)
    return [digest for digest in (_adopt_one(db, path) for path in strays) if digest is not None]


def digest(adopted: list[str]) -> str:
    """What the log says of adopted records; "" when there are none."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in adopted).encode()).hexdigest() if adopted else ""


def _adopt_one(db: sqlite3.Connection, path: Path) -> str | None:
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != path.stem:
        return None
    record = json.loads(data)  # whole by its hash, so it is what the intake once accepted
    digest = hashlib.sha256(canonical_bytes({name: value for name, value in record.items() if name != "seal"})).hexdigest()
    if db.execute("SELECT 1 FROM job WHERE record_digest = ?", (digest,)).fetchone() is not None:
        return None
    now, why = wall_us(), epoch.why()
    db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, reason, reason_id, reason_en, received_us,
           changed_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (digest, record["record_id"], path.stem, len(data), JobState.HELD, why.code, why.id, why.en, now, now),
    )
    return digest
