"""One number for everything a database says, to tell whether two are in the same state."""

from __future__ import annotations

import hashlib
import sqlite3

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%' ORDER BY name"


def digest(db: sqlite3.Connection) -> str:
    """Of every row of every table, in the tables' own order. Sees what the connection sees, open transaction included."""
    look = db.cursor()
    look.row_factory = None
    hashed = hashlib.blake2b(digest_size=16)
    for (table,) in look.execute(_TABLES).fetchall():
        hashed.update(repr((table, look.execute(f'SELECT * FROM "{table}"').fetchall())).encode())  # noqa: S608 - names from the schema
    return hashed.hexdigest()
