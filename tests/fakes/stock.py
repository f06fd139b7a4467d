"""Blanks for tests that only need some: received and put into a hopper in one go."""

from __future__ import annotations

import sqlite3

from controller.jobs import ledger


def fill(db: sqlite3.Connection, lane: str, quantity: int) -> None:
    """Part of the caller's transaction."""
    ledger.post(db, ledger.SUPPLIER, ledger.hopper(lane), quantity, who="test", reason="filled")
