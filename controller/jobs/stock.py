"""Acts of staff on the stock: load, unload, count, destroy, return. Each is one store transaction with who, when and why.

What an account does not hold cannot be taken from it: the books are right until a count says otherwise, and only a count changes
them, by an entry to MISSING or from SURPLUS and an incident. A count is blind: the number is given before the books tell theirs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from controller.clock import wall_us
from controller.jobs import events, incidents, ledger
from controller.jobs.batches import MAX_QUANTITY, check_quantity, listed_uids, refused, single_uids

MAX_LOAD = 1000  # more than any hopper holds: a typing error, not a count
MAX_COUNT = 1_000_000  # more than a province ever had in one room
MAX_DESTROYED_UIDS = 1000  # in one act, which takes about 20 ms of the database's time; minutes with more are several acts
# Written as the index one_passage_per_chip wants it: a scan of all passages for each chip would stop the station for seconds.
_ISSUED_OR_IN_WORK = """SELECT 1 FROM passage WHERE chip_uid = ? AND chip_uid IS NOT NULL
                        AND verdict IS NOT 'still_blank' AND verdict IS NOT 'spoiled'"""
COUNTED_BY = {ledger.BLANK: (ledger.MISSING, ledger.SURPLUS), ledger.RIBBON: (ledger.RIBBON_MISSING, ledger.RIBBON_UNRECORDED)}


@dataclass(frozen=True, slots=True)
class Count:
    """What a count said, and what the books had said."""

    account: str
    counted: int
    ledger: int

    @property
    def difference(self) -> int:
        """How many more were counted than the books knew."""
        return self.counted - self.ledger


def load(db: sqlite3.Connection, lane: str, quantity: int, who: str, reason: str) -> int:
    """Store to hopper; returns what the hopper now holds by the ledger. Raises RequestRefused."""
    check_quantity(quantity, MAX_LOAD)
    _take(db, ledger.STORE, ledger.hopper(lane), quantity, who, reason)
    return ledger.held(db, ledger.hopper(lane))


def unload(db: sqlite3.Connection, lane: str, quantity: int, who: str, reason: str) -> int:
    """Hopper to store; returns what the hopper now holds. Raises RequestRefused, also while a card is in work in the lane."""
    check_quantity(quantity, MAX_LOAD)
    refuse_open_passage(db, lane)
    _take(db, ledger.hopper(lane), ledger.STORE, quantity, who, reason)
    return ledger.held(db, ledger.hopper(lane))


def give_back(db: sqlite3.Connection, quantity: int, document: str, who: str, reason: str) -> int:
    """Store to the province or another office; returns what the store now holds. Raises RequestRefused."""
    check_quantity(quantity, MAX_QUANTITY)
    _take(db, ledger.STORE, ledger.RETURNED, quantity, who, reason, document)
    return ledger.held(db, ledger.STORE)


def destroy(db: sqlite3.Connection, account: str, quantity: int, document: str, who: str, reason: str,
            uids: Sequence[str] | None = None) -> int:  # fmt: skip
    """Destroy what lies in the store or a reject bin, under the minutes (BA) `document`; returns what is left there.

    `uids` are those chips of them that could be read, None when none could: they are never taken for blanks again.
    Raises RequestRefused, also for a chip on a card that was issued or is in work.
    """
    check_quantity(quantity, MAX_QUANTITY)
    chips = _chips(uids, quantity)
    for chip in chips:
        _refuse_undestroyable(db, chip)
    entry = _take(db, account, ledger.DESTROYED, quantity, who, reason, document)
    db.executemany("INSERT INTO destroyed_uid (uid, entry_id) VALUES (?, ?)", [(chip, entry) for chip in chips])
    return ledger.held(db, account)


def count(db: sqlite3.Connection, account: str, counted: int, who: str, reason: str, lane: str | None = None) -> Count:
    """Enter a blind count. A difference moves to MISSING or from SURPLUS and opens an incident that somebody has to explain.

    Raises RequestRefused for an absurd number, and while a card is in work in the lane of a hopper or reject bin: it would be
    counted on one side and booked on the other.
    """
    check_quantity(counted, MAX_COUNT, least=0)
    if lane is not None:
        refuse_open_passage(db, lane)
    result = Count(account, counted, ledger.held(db, account))
    row = db.execute(
        "INSERT INTO stock_count (at_us, account, counted, ledger, who, reason) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (wall_us(), account, counted, result.ledger, who, reason),
    ).fetchone()
    facts = {"count": row["id"], "account": account, "counted": counted, "ledger": result.ledger, "who": who}
    events.append(db, "stock_count", facts)
    if result.difference != 0:
        _correct(db, result, who, reason)
    if lane is not None and account == ledger.hopper(lane):
        incidents.explain_open(db, "count_required", lane, who, f"counted {counted}, the ledger said {result.ledger}")
    return result


def refuse_open_passage(db: sqlite3.Connection, lane: str) -> None:
    """Raises RequestRefused while a blank is, or a test card may be, between the hopper and its bin."""
    found = db.execute("SELECT 1 FROM passage WHERE lane = ? AND state <> 'ended'", (lane,)).fetchone()
    if found is not None:
        raise refused("stock.passage", "lane", f"Satu kartu masih diproses di jalur {lane}; tunggu, lalu hitung lagi.",
                      f"A card is still in work in lane {lane}; wait until it is settled, then count again.")  # fmt: skip
    if db.execute("SELECT 1 FROM care_act WHERE lane = ? AND ended_us IS NULL", (lane,)).fetchone() is not None:
        raise refused("stock.care", "lane", f"Perawatan printer di jalur {lane} sedang berjalan; tunggu, lalu hitung lagi.",
                      f"The printer of lane {lane} is being cared for; wait until that is over, then count again.")  # fmt: skip


def _take(db: sqlite3.Connection, source: str, target: str, quantity: int, who: str, reason: str, document: str = "") -> int:
    have = ledger.held(db, source)
    if have < quantity:
        raise refused("stock.short", "quantity",
                      f"Menurut buku '{source}' berisi {have}, bukan {quantity}; hitung dulu, atau catat batchnya.",
                      f"By the ledger '{source}' holds {have}, not {quantity}; count it, or receive the batch.")  # fmt: skip
    return ledger.post(db, source, target, quantity, who=who, reason=reason, document=document)


def _correct(db: sqlite3.Connection, result: Count, who: str, reason: str) -> None:
    item = ledger.RIBBON if result.account == ledger.RIBBON_STORE else ledger.BLANK
    missing, surplus = COUNTED_BY[item]
    short = result.difference < 0
    source, target = (result.account, missing) if short else (surplus, result.account)
    entry = ledger.post(db, source, target, abs(result.difference), who=who, reason=reason, item=item)
    detail = f"counted {result.counted}, the ledger said {result.ledger} (entry {entry})"
    incidents.raise_incident(db, "count_short" if short else "count_over", result.account, detail, add=True)


def _chips(uids: Sequence[str] | None, quantity: int) -> list[str]:
    ranges = listed_uids(uids)
    size = sum(span.size for span in ranges)
    if size > MAX_DESTROYED_UIDS:
        raise refused("stock.uids", "uids", f"Lebih dari {MAX_DESTROYED_UIDS} UID; catat dalam beberapa perintah.",
                      f"More than {MAX_DESTROYED_UIDS} UIDs; enter them as several acts.")  # fmt: skip
    if size > quantity:
        raise refused("stock.uids", "uids", f"{size} UID untuk {quantity} kartu; periksa daftar.",
                      f"{size} UIDs for {quantity} cards; check the list.")  # fmt: skip
    return list(single_uids(ranges))


def _refuse_undestroyable(db: sqlite3.Connection, uid: str) -> None:
    if db.execute("SELECT 1 FROM destroyed_uid WHERE uid = ?", (uid,)).fetchone() is not None:
        raise refused("stock.destroyed", "uids", f"Chip {uid} sudah dimusnahkan.", f"Chip {uid} was already destroyed.")
    if db.execute(_ISSUED_OR_IN_WORK, (uid,)).fetchone() is not None:
        raise refused("stock.issued", "uids", f"Chip {uid} ada pada kartu yang sudah terbit atau sedang diproses.",
                      f"Chip {uid} is on a card that was issued or is in work.")  # fmt: skip
