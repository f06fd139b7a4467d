"""What the station's own books know of a chip: for `print-station chip`, also while the station works."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from pathlib import Path

from controller.jobs.batches import judge_uid
from controller.jobs.snapshot import read_only
from controller.jobs.storage_faults import DATABASE, WAL


class Known(StrEnum):
    """What is written of a chip."""

    NOTHING = "nothing"  # a blank, or received by count only
    ISSUED = "issued"  # a good card was made of it
    SPOILED = "spoiled"
    OPEN = "open"  # a passage has it now, or nobody has said yet what became of it
    DESTROYED = "destroyed"
    UNLISTED = "unlisted"  # every blank was received chip by chip, and this one never
    NO_BOOKS = "no books"  # there are none here
    UNREADABLE = "unreadable"  # there may be some, and this user cannot read them


_PASSAGES = {"good": Known.ISSUED, "spoiled": Known.SPOILED, None: Known.OPEN}


def known(state_dir: Path, uid: str) -> Known:
    """What the database says of this chip; the newest passage speaks, one that left it blank does not. Changes nothing."""
    database = state_dir / DATABASE
    try:
        database.stat()
        quiet = not (state_dir / WAL).exists()  # then nobody has it open, and SQLite must leave no file beside it
        with read_only(database, immutable=quiet) as db:
            return _known(db, uid)
    except FileNotFoundError:
        return Known.NO_BOOKS
    except (sqlite3.Error, OSError):
        return Known.UNREADABLE


def _known(db: sqlite3.Connection, uid: str) -> Known:
    judged = judge_uid(db, uid)
    if judged == "chip_destroyed":
        return Known.DESTROYED
    row = db.execute(
        "SELECT verdict FROM passage WHERE chip_uid = ? AND verdict IS NOT 'still_blank' ORDER BY id DESC LIMIT 1", (uid,)
    ).fetchone()
    if row is not None:
        return _PASSAGES[row[0]]
    return Known.UNLISTED if judged == "chip_unknown" else Known.NOTHING
