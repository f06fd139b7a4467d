"""Ribbons in sets (one set prints one side, or both when the ribbon has panels for the back): booked from roll to used, with each
roll's measured yield.

The books never stop a print: a set from a roll that nobody booked is taken from RIBBON_UNRECORDED and an incident. The printer's
own counter of sets only contradicts. A roll that is changed long before its box promised is an incident: offices were sold
ribbons of "200 cards" that gave 125 (printers.md 8).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.clock import wall_us
from controller.jobs import incidents, ledger
from controller.jobs.batches import check_quantity, refused
from controller.jobs.ledger import RIBBON, RIBBON_STORE, RIBBON_UNRECORDED, RIBBON_USED, RIBBON_WASTED, STATION
from controller.model import RollYield

MAX_SETS = 5000  # on one roll; the longest sold for such printers have 1,000
LISTED = 50  # rolls in one answer, the newest
# What a roll may fall short of its box: a few sets are torn off when it is fitted, and some printers use one to find the panels.
ALLOWED_SHORT, ALLOWED_SHORT_OF_SETS = 5, 0.05  # sets, and as a part of the roll; the larger counts
_NEWEST_TWO = "SELECT * FROM roll WHERE lane = ? ORDER BY id DESC LIMIT 2"


class RibbonType(Protocol):
    """The panels of one set, as the printer's profile lists them."""

    @property
    def panels(self) -> Sequence[str]:
        """Those of the front, in ribbon order."""

    @property
    def back_panels(self) -> Sequence[str]:
        """Those that only the back is printed with; empty: the back takes a set of its own."""


class Face(Protocol):
    """What of a panel decides on the ribbon."""

    @property
    def name(self) -> str:
        """y, m, c, k or o."""

    @property
    def side(self) -> str:
        """front or back."""


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

    @property
    def short(self) -> int:
        """Sets that the box promised and nobody printed, after what the printer says is still on it."""
        return max(0, self.sets - self.used - (self.remaining or 0))


def sets_needed(panels: Iterable[Face], ribbon: RibbonType) -> int | None:
    """How many sets a card takes: one for each side that is printed, one for both when the ribbon has panels for the back.
    None when this ribbon cannot print the card. Pure."""
    listed = list(panels)
    front = {panel.name for panel in listed if panel.side == "front"}
    back = {panel.name for panel in listed if panel.side != "front"}
    if not front <= set(ribbon.panels):
        return None
    if back and back <= set(ribbon.back_panels):
        return 1
    return bool(front) + bool(back) if back <= set(ribbon.panels) else None


def fits(remaining: int | None, sets: int) -> bool:
    """Whether the printer's own count allows a card of so many sets; a tag that cannot be read is no answer. Pure."""
    return remaining is None or remaining >= sets


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
    old = None if row is None else _roll(row)
    if old is not None and is_shortfall(old):
        told = "nobody knows how many" if old.remaining is None else str(old.remaining)
        detail = f"roll {old.id}: {old.sets} sets by its box, {old.used} printed, {told} left by its own count"
        incidents.raise_incident(db, "ribbon_shortfall", lane, detail, add=True)
    return old


def is_shortfall(roll: Roll) -> bool:
    """Whether a roll that was taken off gave so much less than its box says that somebody has to look into it. Pure."""
    return roll.short > max(ALLOWED_SHORT, roll.sets * ALLOWED_SHORT_OF_SETS)


def used(db: sqlite3.Connection, lane: str, serial: str, remaining_before: int | None, remaining_after: int | None,
         passage_id: int | None = None, sets: int = 1) -> None:  # fmt: skip
    """So many sets were printed, in the commit of the print's outcome. `remaining_*`: the printer's own count, if it told."""
    have = min(sets, ledger.held(db, ledger.ribbon(lane)))
    for source, quantity in ((ledger.ribbon(lane), have), (RIBBON_UNRECORDED, sets - have)):
        if quantity:
            ledger.post(db, source, RIBBON_USED, quantity, who=STATION, reason="print", passage_id=passage_id, item=RIBBON)
    row = db.execute("SELECT * FROM roll WHERE lane = ? AND removed_us IS NULL", (lane,)).fetchone()
    roll = None if row is None else _roll(row)
    if have < sets:
        detail = f"printer {serial} prints with sets that were never booked"
        incidents.raise_incident(db, "ribbon_unrecorded", lane, detail, passage_id)
    for kind, detail in contradictions(roll, remaining_before, remaining_after, sets):
        incidents.raise_incident(db, kind, lane, f"printer {serial}: {detail}", passage_id)
    if roll is not None:
        known = roll.remaining if remaining_after is None else remaining_after
        db.execute("UPDATE roll SET used = used + ?, remaining = ? WHERE id = ?", (sets, known, roll.id))


def contradictions(roll: Roll | None, before: int | None, after: int | None, sets: int = 1) -> list[tuple[str, str]]:
    """What the printer's own counter says against the books, as incident kinds with their details. Pure."""
    found: list[tuple[str, str]] = []
    last = None if roll is None else roll.sets if roll.remaining is None else roll.remaining
    if last is not None and before is not None and before > last:
        found.append(("ribbon_unrecorded", f"{last} sets were left, now {before}: another roll was fitted"))
    elif last is not None and before is not None and before < last:
        found.append(("ribbon_counter", f"{last} sets were left, now {before}, and none was printed by this station"))
    if before is not None and after is not None and before - after != sets:
        found.append(("ribbon_counter", f"{sets} sets were to be printed, the printer counted {before - after}"))
    return found


def newest(db: sqlite3.Connection) -> list[Roll]:
    """The newest rolls, at most LISTED, newest first."""
    return [_roll(row) for row in db.execute("SELECT * FROM roll ORDER BY id DESC LIMIT ?", (LISTED,))]


def yields(db: sqlite3.Connection, lanes: Iterable[str]) -> dict[str, RollYield]:
    """What the newest rolls of these lanes gave, by lane; one that never had a roll is left out."""
    found = {lane: [_roll(row) for row in db.execute(_NEWEST_TWO, (lane,))] for lane in lanes}
    return {lane: _yield(rolls) for lane, rolls in found.items() if rolls}


def _yield(rolls: Sequence[Roll]) -> RollYield:
    """`rolls`: the newest, which is fitted, and the one before it if any."""
    now, old = rolls[0], rolls[1] if len(rolls) > 1 else None
    return RollYield(now.sets, now.used) if old is None else RollYield(now.sets, now.used, old.sets, old.used)


def _roll(row: sqlite3.Row) -> Roll:
    return Roll(row["id"], row["lane"], row["sets"], row["used"], row["remaining"], row["fitted_us"], row["removed_us"])
