"""The books for tests: a database in memory with the whole schema, and blanks for tests that only need some."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from controller.jobs import ledger
from controller.jobs.store import migrations
from controller.model import Verdict


def memory_db(schema: int | None = None) -> sqlite3.Connection:
    """A database in memory as the first `schema` migrations make it, or all of them; in autocommit."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = 1")
    for script in migrations()[:schema]:
        db.executescript(f"BEGIN; {script}\nCOMMIT;")
    return db


def fill(db: sqlite3.Connection, lane: str, quantity: int) -> None:
    """So many blanks, from nowhere in particular, in a hopper. Part of the caller's transaction."""
    ledger.post(db, ledger.SUPPLIER, ledger.hopper(lane), quantity, who="test", reason="filled")


def plans(db: sqlite3.Connection, work: Callable[[sqlite3.Connection], object]) -> list[str]:
    """How SQLite does everything that `work` reads: a line for each table or index it goes through."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    work(db)
    db.set_trace_callback(None)
    return [row["detail"] for statement in asked for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]


def passage(db: sqlite3.Connection, lane: str = "1", uid: str | None = None, verdict: Verdict | None = None,
            serial: str = "SN") -> int:  # fmt: skip
    """A job with one passage, live or ended, as rows only; returns the passage's id."""
    job = db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
           VALUES (hex(randomblob(16)), 'r', 'p', 1, 'active', 0, 0) RETURNING id"""
    ).fetchone()
    state = "live" if verdict is None else "ended"
    row = db.execute(
        """INSERT INTO passage (job_id, lane, plan, printer_serial, chip_uid, state, verdict, started_us)
           VALUES (?, ?, 'held', ?, ?, ?, ?, 0) RETURNING id""",
        (job["id"], lane, serial, uid, state, verdict),
    ).fetchone()
    return int(row["id"])


def finish(db: sqlite3.Connection, passage_id: int, verdict: Verdict, lane: str = "1") -> None:
    """End a live passage and settle its blank."""
    db.execute("UPDATE passage SET state = 'ended', verdict = ? WHERE id = ?", (verdict, passage_id))
    if ledger.blank_is_out(db, passage_id):
        ledger.settle_blank(db, lane, passage_id, verdict, ledger.STATION)
