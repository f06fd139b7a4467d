"""The double-entry account of blanks and ribbons: every entry takes from one account what it gives another.

Entries are only ever added; the database keeps each balance in the same statement and refuses one below zero (sql/0003). So the
sum of all balances is always zero: `received + surplus = store + hoppers + passages + issued + rejects + destroyed + returned +
missing` (field.md D2, "Blank ledger"). Sensors and counters never change a balance.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.clock import wall_us
from controller.jobs import events, incidents
from controller.model import Balance, Verdict

BLANK: Final = "blank"
RIBBON: Final = "ribbon"

SUPPLIER: Final = "supplier"  # where blanks come from: minus all that were ever received
STORE: Final = "store"  # the locked cupboard
ISSUED: Final = "issued"  # good cards that left into an output bin
DESTROYED: Final = "destroyed"
RETURNED: Final = "returned"  # given back, or lent to another office
MISSING: Final = "missing"  # a count found so many fewer
SURPLUS: Final = "surplus"  # minus what counts found more
PLACES: Final = (SUPPLIER, STORE, ISSUED, DESTROYED, RETURNED, MISSING, SURPLUS)

RIBBON_SUPPLIER: Final = "ribbon_supplier"
RIBBON_STORE: Final = "ribbon_store"
RIBBON_USED: Final = "ribbon_used"
RIBBON_WASTED: Final = "ribbon_wasted"  # what was left on rolls that were taken off
RIBBON_MISSING: Final = "ribbon_missing"
RIBBON_UNRECORDED: Final = "ribbon_unrecorded"  # minus the sets printed from rolls that nobody booked

STATION: Final = "station"  # who made an entry when no person did


@dataclass(frozen=True, slots=True)
class Fault:
    """An account whose stored balance is not the sum of its entries, or that is below zero without leave."""

    account: str
    stored: int
    entered: int


def hopper(lane: str) -> str:
    """The account of the blanks in a lane's hopper."""
    return f"hopper:{lane}"


def in_passage(lane: str) -> str:
    """The account of the blank on its way through a lane."""
    return f"passage:{lane}"


def reject_bin(lane: str) -> str:
    """The account of the spoiled cards of a lane that await destruction."""
    return f"reject:{lane}"


def ribbon(lane: str) -> str:
    """The account of the ribbon sets left on a lane's roll."""
    return f"ribbon:{lane}"


def post(db: sqlite3.Connection, source: str, target: str, quantity: int = 1, *, who: str, reason: str,
         passage_id: int | None = None, batch_id: int | None = None, document: str = "", item: str = BLANK) -> int:  # fmt: skip
    """Write one entry and its event, in the caller's transaction; returns its id.

    Raises sqlite3.IntegrityError when the source holds too little: callers that serve people look at `held` first.
    """
    made = db.execute(
        """INSERT INTO entry (at_us, item, source, target, quantity, batch_id, passage_id, who, reason, document)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (wall_us(), item, source, target, quantity, batch_id, passage_id, who, reason, document),
    )
    number = int(made.lastrowid or 0)
    events.append(db, "ledger_entry", {
        "entry": number, "source": source, "target": target, "quantity": quantity, "batch": batch_id, "passage": passage_id,
        "who": who, "reason": reason if who == STATION else digest(reason), "document": document,
    })  # fmt: skip
    return number


def take_blank(db: sqlite3.Connection, lane: str, passage_id: int) -> None:
    """A blank left the hopper for a passage. One that the books do not know of is a surplus, and an incident."""
    source = hopper(lane)
    if held(db, source) < 1:
        source = SURPLUS
        incidents.raise_incident(
            db, "count_over", hopper(lane), "a blank was fed from a hopper that is empty by the ledger", passage_id
        )
    post(db, source, in_passage(lane), who=STATION, reason="feed", passage_id=passage_id)


def blank_is_out(db: sqlite3.Connection, passage_id: int) -> bool:
    """Whether a blank was taken for this passage."""
    row = db.execute("SELECT 1 FROM entry WHERE passage_id = ? AND target GLOB 'passage:*'", (passage_id,)).fetchone()
    return row is not None


def settle_blank(
    db: sqlite3.Connection, lane: str, passage_id: int, verdict: Verdict, who: str, *, missing: bool = False
) -> None:
    """The blank taken for a passage goes where the verdict says, or to MISSING when nobody has the card.

    The entry names the batch that lists the chip, if one does.
    """
    targets = {Verdict.GOOD: ISSUED, Verdict.SPOILED: reject_bin(lane), Verdict.STILL_BLANK: hopper(lane)}
    row = db.execute("SELECT chip_uid FROM passage WHERE id = ?", (passage_id,)).fetchone()
    batch_id = None if row is None or row[0] is None else batch_of(db, row[0])
    target, reason = (MISSING, "nobody has it") if missing else (targets[verdict], verdict.value)
    post(db, in_passage(lane), target, who=who, reason=reason, passage_id=passage_id, batch_id=batch_id)


def batch_of(db: sqlite3.Connection, uid: str) -> int | None:
    """The id of the batch that lists a chip."""
    row = db.execute(
        "SELECT batch_id, last FROM uid_range WHERE digits = ? AND first <= ? ORDER BY first DESC LIMIT 1", (len(uid), uid)
    ).fetchone()
    return row[0] if row is not None and row[1] >= uid else None


def digest(text: str) -> str:
    """Stands for a text that staff typed in the event log, which leaves the station: the text itself may name a resident."""
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"


def held(db: sqlite3.Connection, account: str) -> int:
    """What an account holds now; 0 when nothing was ever entered there."""
    row = db.execute("SELECT balance FROM account WHERE name = ?", (account,)).fetchone()
    return 0 if row is None else int(row[0])


def of_lane(db: sqlite3.Connection, lane: str) -> Balance:
    """The lane's blanks."""
    return Balance(held(db, hopper(lane)), held(db, in_passage(lane)), held(db, reject_bin(lane)))


def balances(db: sqlite3.Connection) -> dict[str, int]:
    """Every account that was ever entered, with its balance."""
    return {row[0]: row[1] for row in db.execute("SELECT name, balance FROM account ORDER BY name")}


def recompute(db: sqlite3.Connection) -> dict[str, int]:
    """The same from the entries alone, for checks; reads them all."""
    rows = db.execute(
        """SELECT name, sum(change) FROM (
               SELECT target AS name, quantity AS change FROM entry UNION ALL SELECT source, -quantity FROM entry)
           GROUP BY name ORDER BY name"""
    )
    return {row[0]: row[1] for row in rows}


def faults(db: sqlite3.Connection) -> list[Fault]:
    """Accounts whose stored balance somebody changed behind the entries' back; empty when the books are sound."""
    stored, entered = balances(db), recompute(db)
    names = sorted(stored.keys() | entered.keys())
    return [
        Fault(name, stored.get(name, 0), entered.get(name, 0)) for name in names if stored.get(name, 0) != entered.get(name, 0)
    ]


def places(db: sqlite3.Connection) -> Mapping[str, int]:
    """The station's own accounts of blanks, those without entries as 0."""
    known = balances(db)
    return {name: known.get(name, 0) for name in PLACES}
