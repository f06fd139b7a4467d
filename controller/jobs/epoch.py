"""Which station and epoch a database belongs to, and whether its memory is in doubt. Each function is part of a transaction.

A restore brings back an old memory: cards may have been issued that it does not know. So a restore begins a new epoch, and
until a person says otherwise (`print-station store trust`) every job waits for a person's word before it is made.
"""

from __future__ import annotations

import sqlite3

from controller.conditions import CONDITIONS
from controller.errors import Problem
from controller.jobs.state_folder import Marker

RESTORED = "restored"  # key of CONDITIONS, reason of jobs and passages, and the flag that says so


def identity(db: sqlite3.Connection) -> tuple[str | None, int]:
    """The station's id and the epoch; no id when the database was never taken up by a station."""
    rows = dict(db.execute("SELECT name, value FROM flag WHERE name IN ('station', 'epoch')").fetchall())
    return rows.get("station"), int(rows.get("epoch", "0"))


def take_up(db: sqlite3.Connection, marker: Marker) -> None:
    """Write a station's identity into its database."""
    for name, value in (("station", marker.station), ("epoch", str(marker.epoch))):
        db.execute("INSERT OR REPLACE INTO flag (name, value) VALUES (?, ?)", (name, value))


def doubt(db: sqlite3.Connection) -> None:
    """From now on every job needs a person's word."""
    db.execute("INSERT OR REPLACE INTO flag (name, value) VALUES (?, 'yes')", (RESTORED,))


def is_doubted(db: sqlite3.Connection) -> bool:
    """Whether the memory is an old one and nobody has vouched for it yet."""
    return db.execute("SELECT 1 FROM flag WHERE name = ?", (RESTORED,)).fetchone() is not None


def trust(db: sqlite3.Connection) -> None:
    """A person vouches for what is here."""
    db.execute("DELETE FROM flag WHERE name = ?", (RESTORED,))


def why() -> Problem:
    """Why a job is held after a restore."""
    row = CONDITIONS[RESTORED]
    return Problem(row.code, "", row.id, row.en)
