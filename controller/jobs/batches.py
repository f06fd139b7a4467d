"""Batches of blanks and ribbons: what was received, under which number, with which chips; and whether a chip may be used.

Every blank's chip has a UID that the centre knows (field.md A1, "Blank identity"). A batch lists its UIDs or is received by count
only; where every batch lists them, a chip that none lists is a stranger.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.jobs import events, incidents, ledger

MAX_QUANTITY = 100_000  # six times what a province gives a big office at once (field.md 0): more is a typing error
MAX_UIDS = 20_000  # one batch with its list is one transaction, about 0.2 s
LISTED = 200  # batches in one answer, the newest

_UID = re.compile(r"[0-9A-F]{14}|[0-9A-F]{16}")  # 7 bytes (type A) or 8 (type B)
_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}")


@dataclass(frozen=True, slots=True)
class UidRange:
    """Chips with consecutive UIDs, both ends included."""

    first: str
    last: str

    @property
    def size(self) -> int:
        """How many chips."""
        return int(self.last, 16) - int(self.first, 16) + 1


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of the batch table, with what became of it as far as its chips tell."""

    id: int
    number: str
    item: str
    quantity: int
    document: str
    uids: int  # 0: received by count only
    received_us: int
    used: int  # its chips in passages that ended good or spoiled


def receive(db: sqlite3.Connection, number: str, quantity: int, document: str, who: str, reason: str,
            uids: Sequence[str] | None = None, item: str = ledger.BLANK) -> Batch:  # fmt: skip
    """Enter a batch, supplier to store, in the caller's transaction. `uids` are UIDs or ranges `A-B`; None: by count only.

    Spaces around the number and double ones in it do not count, nor do capitals. Raises RequestRefused for a number received
    before, an absurd quantity, and a list that is empty, wrong or of another length.
    """
    check_quantity(quantity, MAX_QUANTITY)
    number = " ".join(part for part in number.split(" ") if part)
    if not _NUMBER.fullmatch(number):
        raise refused("batch.number", "number", "Nomor batch salah; pakai huruf, angka, spasi dan . / _ -, paling banyak 64.",
                      "The batch number is wrong; use letters, digits, spaces and . / _ -, at most 64.")  # fmt: skip
    if db.execute("SELECT 1 FROM batch WHERE number = ? COLLATE NOCASE", (number,)).fetchone() is not None:
        raise refused("batch.twice", "number", f"Batch {number} sudah diterima; periksa nomornya.",
                      f"Batch {number} was already received; check its number.")  # fmt: skip
    ranges = listed_uids(uids)
    listed = sum(span.size for span in ranges)
    if listed not in (0, quantity):
        raise refused("batch.uids", "uids", f"Daftar berisi {listed} UID, jumlahnya {quantity}; periksa daftar.",
                      f"The list holds {listed} UIDs, the quantity is {quantity}; check the list.")  # fmt: skip
    _refuse_overlap(db, ranges)
    row = db.execute(
        "INSERT INTO batch (number, item, quantity, document, uids, received_us) VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
        (number, item, quantity, document, listed, wall_us()),
    ).fetchone()
    batch = Batch(**dict(row))
    db.executemany(
        "INSERT INTO uid_range (digits, first, last, batch_id) VALUES (?, ?, ?, ?)",
        [(len(span.first), span.first, span.last, batch.id) for span in ranges],
    )
    events.append(db, "batch", {"batch": batch.id, "number": number, "item": item, "quantity": quantity, "document": document,
                                "uids": _list_digest(ranges), "who": who})  # fmt: skip
    source, target = (ledger.SUPPLIER, ledger.STORE) if item == ledger.BLANK else (ledger.RIBBON_SUPPLIER, ledger.RIBBON_STORE)
    ledger.post(db, source, target, quantity, who=who, reason=reason, batch_id=batch.id, document=document, item=item)
    return batch


def judge_uid(db: sqlite3.Connection, uid: str, passage_id: int | None = None) -> str | None:
    """The condition that forbids using this chip, None when nothing does. `passage_id`: the passage that has it now.

    Unknown cannot be judged while any blank was received by count only, or none was received at all.
    """
    if db.execute("SELECT 1 FROM destroyed_uid WHERE uid = ?", (uid,)).fetchone() is not None:
        return "chip_destroyed"
    used = db.execute(
        "SELECT 1 FROM passage WHERE chip_uid = ? AND chip_uid IS NOT NULL AND verdict IS NOT 'still_blank' AND id IS NOT ?",
        (uid, passage_id),
    ).fetchone()
    if used is not None:
        return "chip_used"
    return "chip_unknown" if ledger.batch_of(db, uid) is None and _every_blank_is_listed(db) else None


def admit(db: sqlite3.Connection, uid: str, lane: str, passage_id: int, policy: str) -> str | None:
    """The condition to refuse a chip with, in the transaction that binds it; None to go on.

    `policy` is [station] unknown_uid: with "warn" a chip that no batch lists is used, and an incident says so.
    """
    condition = judge_uid(db, uid, passage_id)
    if condition == "chip_unknown" and policy == "warn":
        incidents.raise_incident(db, "uid_warned", lane, f"chip {uid} in passage {passage_id}", passage_id, add=True)
        return None
    return condition


def newest(db: sqlite3.Connection) -> list[Batch]:
    """The newest batches, at most LISTED, newest first."""
    return [Batch(**dict(row)) for row in db.execute("SELECT * FROM batch ORDER BY id DESC LIMIT ?", (LISTED,))]


def listed_uids(uids: Sequence[str] | None) -> list[UidRange]:
    """`parse_uids` of a list that somebody gave; nothing for None. A list without any UID is a mistake, not a missing list."""
    if uids is None:
        return []
    if not uids:
        raise refused("uid.none", "uids", "Daftar UID kosong; isi daftarnya, atau jangan sertakan daftar.",
                      "The list of UIDs is empty; fill it, or give no list.")  # fmt: skip
    return parse_uids(uids)


def parse_uids(texts: Iterable[str]) -> list[UidRange]:
    """UIDs and ranges in order, neighbours joined. Pure. Raises RequestRefused for what is no UID, too many, or there twice."""
    spans = sorted((_parse(text) for text in texts), key=lambda span: (len(span.first), span.first))
    if sum(span.size for span in spans) > MAX_UIDS:
        raise refused("uid.many", "uids", f"Lebih dari {MAX_UIDS} UID; terima dalam beberapa batch.",
                      f"More than {MAX_UIDS} UIDs; receive them as several batches.")  # fmt: skip
    for before, after in pairwise(spans):
        if len(before.first) == len(after.first) and after.first <= before.last:
            raise refused("uid.twice", "uids", f"UID {after.first} tercantum dua kali.", f"UID {after.first} is listed twice.")
    return list(_joined(spans))


def single_uids(ranges: Iterable[UidRange]) -> Iterator[str]:
    """Every UID of the ranges."""
    for span in ranges:
        width = len(span.first)
        yield from (f"{value:0{width}X}" for value in range(int(span.first, 16), int(span.last, 16) + 1))


def check_quantity(quantity: int, most: int, least: int = 1) -> None:
    """Raises RequestRefused for a number that cannot be a count."""
    if not least <= quantity <= most:
        raise refused("stock.quantity", "quantity", f"Jumlah harus {least} sampai {most}; hitung lagi.",
                      f"The number must be {least} to {most}; count again.")  # fmt: skip


def refused(code: str, place: str, text_id: str, text_en: str) -> RequestRefused:
    """An act on the stock that changed nothing."""
    return RequestRefused(Problem(code, place, text_id, text_en))


def _parse(text: str) -> UidRange:
    first, dash, last = (part.strip().replace(":", "").upper() for part in text.partition("-"))
    span = UidRange(first, last if dash else first)
    sound = _UID.fullmatch(span.first) and _UID.fullmatch(span.last) and len(span.first) == len(span.last)
    if not sound or span.last < span.first:
        shown = text[:40]
        raise refused("uid.wrong", "uids", f"'{shown}' bukan UID atau rentang; tulis 14 atau 16 angka heksadesimal, atau A-B.",
                      f"'{shown}' is no UID or range; write 14 or 16 hexadecimal digits, or A-B.")  # fmt: skip
    return span


def _joined(spans: Iterable[UidRange]) -> Iterator[UidRange]:
    """Ranges that follow each other without a gap become one: a long list is mostly a few of them."""
    held: UidRange | None = None
    for span in spans:
        if held is not None and len(held.last) == len(span.first) and int(span.first, 16) == int(held.last, 16) + 1:
            held = UidRange(held.first, span.last)
            continue
        if held is not None:
            yield held
        held = span
    if held is not None:
        yield held


def _refuse_overlap(db: sqlite3.Connection, ranges: Iterable[UidRange]) -> None:
    for span in ranges:
        other = db.execute(
            """SELECT number, last FROM uid_range JOIN batch ON batch.id = batch_id
               WHERE digits = ? AND first <= ? ORDER BY first DESC LIMIT 1""",
            (len(span.first), span.last),
        ).fetchone()
        if other is not None and other["last"] >= span.first:
            raise refused("uid.batch", "uids", f"UID {span.first}-{span.last} sudah ada di batch {other['number']}.",
                          f"UIDs {span.first}-{span.last} overlap batch {other['number']}.")  # fmt: skip


def _every_blank_is_listed(db: sqlite3.Connection) -> bool:
    """Whether blanks came, and none of them without its UID: in a batch by count, or from before there were batches."""
    by_count = db.execute(
        """SELECT 1 FROM batch WHERE item = 'blank' AND uids = 0
           UNION ALL SELECT 1 FROM entry WHERE source = 'supplier' AND batch_id IS NULL LIMIT 1"""
    ).fetchone()
    return by_count is None and db.execute("SELECT 1 FROM batch WHERE item = 'blank' LIMIT 1").fetchone() is not None


def _list_digest(ranges: Sequence[UidRange]) -> str:
    """Stands for the list of UIDs in the event log; empty for a batch by count."""
    if not ranges:
        return ""
    return hashlib.sha256("\n".join(f"{span.first}-{span.last}" for span in ranges).encode()).hexdigest()
