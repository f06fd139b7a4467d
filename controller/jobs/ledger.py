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
    """The lane's balances: the sum of all its moves."""
    return _sum(db, lane, 0, Balance())[1]


class Balances:
    """The lanes' balances, kept up by adding only the moves that are new: a year's moves are not summed again for each card.

    Used outside transactions only: a move that is rolled back must never have been added.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Balance]] = {}

    def of(self, db: sqlite3.Connection, lane: str) -> Balance:
        """The lane's balances by all committed moves."""
        if db.in_transaction:
            raise RuntimeError("balances were asked for inside a transaction")
        last_id, known = self._known.get(lane, (0, Balance()))
        self._known[lane] = _sum(db, lane, last_id, known)
        return self._known[lane][1]


def _sum(db: sqlite3.Connection, lane: str, after_id: int, known: Balance) -> tuple[int, Balance]:
    """Add the moves after `after_id` to a known balance; returns the last id with the sum."""
    row = db.execute(
        """SELECT max(id), total(quantity * ((target = 'hopper') - (source = 'hopper'))),
                  total(quantity * ((target = 'passage') - (source = 'passage')))
           FROM blank_move WHERE lane = ? AND id > ?""",
        (lane, after_id),
    ).fetchone()
    return (row[0] or after_id), Balance(known.hopper + int(row[1]), known.passage + int(row[2]))
