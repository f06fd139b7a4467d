"""The account of blanks: append-only moves between accounts, balances derived and never stored.

Two accounts of each lane so far: what lies in the hopper, and what is in passage. `outside` is the rest of the world
(store, output bin, reject bin), which gets accounts of its own later. Sensors never change a balance; they may contradict it.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.model import Balance

MAX_LOAD = 1000  # more than any hopper holds: a typing error, not a count


class Account(StrEnum):
    """Where blanks are."""

    OUTSIDE = "outside"
    HOPPER = "hopper"
    PASSAGE = "passage"


def move(db: sqlite3.Connection, lane: str, source: Account, target: Account, *, quantity: int = 1,
         passage_id: int | None = None, who: str, reason: str) -> None:  # fmt: skip
    """Write one move. Part of the caller's transaction."""
    db.execute(
        "INSERT INTO blank_move (at_us, lane, source, target, quantity, passage_id, who, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (wall_us(), lane, source, target, quantity, passage_id, who, reason),
    )


def load(db: sqlite3.Connection, lane: str, quantity: int, who: str, reason: str) -> Balance:
    """Count `quantity` blanks into a lane's hopper; returns the new balance. Raises RequestRefused for an absurd number."""
    if not 1 <= quantity <= MAX_LOAD:
        raise RequestRefused(
            Problem("load.quantity", "quantity", f"Jumlah blangko harus 1 sampai {MAX_LOAD}; hitung lagi.",
                    f"The number of blanks must be 1 to {MAX_LOAD}; count again.")
        )  # fmt: skip
    move(db, lane, Account.OUTSIDE, Account.HOPPER, quantity=quantity, who=who, reason=reason)
    return balance(db, lane)


def balance(db: sqlite3.Connection, lane: str) -> Balance:
    """The lane's balances: the sum of its moves."""
    rows = db.execute(
        """SELECT account, sum(quantity) FROM (
               SELECT target AS account, quantity FROM blank_move WHERE lane = :lane
               UNION ALL SELECT source, -quantity FROM blank_move WHERE lane = :lane) GROUP BY account""",
        {"lane": lane},
    )
    sums: dict[str, int] = {row[0]: row[1] for row in rows}
    return Balance(sums.get(Account.HOPPER, 0), sums.get(Account.PASSAGE, 0))
