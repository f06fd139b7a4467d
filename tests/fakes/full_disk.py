"""A disk that is full for the database, as SQLite itself tells it, and has room again."""

from __future__ import annotations

import sqlite3


def fill_disk(db: sqlite3.Connection) -> None:
    """From now on nothing that goes into the event log can be written."""
    db.execute("CREATE TABLE bulk (bytes BLOB)")
    db.execute("CREATE TRIGGER bulky BEFORE INSERT ON event BEGIN INSERT INTO bulk VALUES (zeroblob(1000000)); END")
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")


def free_disk(db: sqlite3.Connection) -> None:
    """There is room again."""
    db.execute("PRAGMA max_page_count = 1000000")
    db.execute("DROP TRIGGER bulky")
