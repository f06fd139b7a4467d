"""Ribbons in sets (one set prints one side): booked from roll to used, with each roll's measured yield.

The books never stop a print: a set from a roll that nobody booked is taken from RIBBON_UNRECORDED and an incident. The printer's
own counter of sets only contradicts.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from controller.clock import wall_us
from controller.jobs import incidents, ledger
from controller.jobs.batches import check_quantity, refused
from controller.jobs.ledger import RIBBON, RIBBON_STORE, RIBBON_UNRECORDED, RIBBON_USED, RIBBON_WASTED, STATION

MAX_SETS = 5000  # on one roll; the longest sold for such printers have 1,000
LISTED = 50  # rolls in one answer, the newest


@dataclass(frozen=True, slots=True)
class Roll:
    """One roll and what it yielded so far, or in all once it was taken off."""

    id: int
    lane: str
    sets: int  # by its box
    used: int  # printed with it
    remaining: int | None  # by the printer's own counter, when last seen
    fitted_us: int
    removed_us: int | None


def fit(db: sqlite3.Connection, lane: str, sets: int, who: str, reason: str) -> Roll | None:
    """A new roll from the store is in the lane's printer; what was left of the old one is wasted. Returns the old one, if any.

    Raises RequestRefused when the store does not hold so many sets.
    """
    check_quantity(sets, MAX_SETS)
    have = ledger.held(db, RIBBON_STORE)
    if have < sets:
        raise refused("stock.short", "quantity", f"Menurut buku hanya ada {have} set pita di gudang; catat penerimaannya dulu.",
                      f"By the ledger the store holds {have} ribbon sets, not {sets}; receive them first.")  # fmt: skip
    left = ledger.held(db, ledger.ribbon(lane))
    if left > 0:
        ledger.post(db, ledger.ribbon(lane), RIBBON_WASTED, left, who=who, reason=reason, item=RIBBON)
    row = db.execute(
        "UPDATE roll SET removed_us = ? WHERE lane = ? AND removed_us IS NULL RETURNING *", (wall_us(), lane)
    ).fetchone()
    db.execute("INSERT INTO roll (lane, sets, fitted_us) VALUES (?, ?, ?)", (lane, sets, wall_us()))
    ledger.post(db, RIBBON_STORE, ledger.ribbon(lane), sets, who=who, reason=reason, item=RIBBON)
    return None if row is None else _roll(row)


def used(db: sqlite3.Connection, lane: str, serial: str, remaining_before: int | None, remaining_after: int | None,
         passage_id: int | None = None) -> None:  # fmt: skip
    """One side was printed, in the transaction of the print's outcome. `remaining_*`: the printer's own counter, if it told."""
    booked = ledger.held(db, ledger.ribbon(lane)) > 0
    source = ledger.ribbon(lane) if booked else RIBBON_UNRECORDED
    ledger.post(db, source, RIBBON_USED, who=STATION, reason="print", passage_id=passage_id, item=RIBBON)
    row = db.execute("SELECT * FROM roll WHERE lane = ? AND removed_us IS NULL", (lane,)).fetchone()
    roll = None if row is None else _roll(row)
    if not booked:
        detail = f"printer {serial} prints with sets that were never booked"
        incidents.raise_incident(db, "ribbon_unrecorded", lane, detail, passage_id)
    for kind, detail in contradictions(roll, remaining_before, remaining_after):
        incidents.raise_incident(db, kind, lane, f"printer {serial}: {detail}", passage_id)
    if roll is not None:
        known = roll.remaining if remaining_after is None else remaining_after
        db.execute("UPDATE roll SET used = used + 1, remaining = ? WHERE id = ?", (known, roll.id))


def contradictions(roll: Roll | None, before: int | None, after: int | None) -> list[tuple[str, str]]:
    """What the printer's own counter says against the books, as incident kinds with their details. Pure."""
    found: list[tuple[str, str]] = []
    last = None if roll is None else roll.sets if roll.remaining is None else roll.remaining
    if last is not None and before is not None and before > last:
        found.append(("ribbon_unrecorded", f"{last} sets were left, now {before}: another roll was fitted"))
    elif last is not None and before is not None and before < last:
        found.append(("ribbon_counter", f"{last} sets were left, now {before}, and none was printed by this station"))
    if before is not None and after is not None and before - after != 1:
        found.append(("ribbon_counter", f"one set was printed, the printer counted {before - after}"))
    return found


def newest(db: sqlite3.Connection) -> list[Roll]:
    """The newest rolls, at most LISTED, newest first."""
    return [_roll(row) for row in db.execute("SELECT * FROM roll ORDER BY id DESC LIMIT ?", (LISTED,))]


def _roll(row: sqlite3.Row) -> Roll:
    return Roll(row["id"], row["lane"], row["sets"], row["used"], row["remaining"], row["fitted_us"], row["removed_us"])
