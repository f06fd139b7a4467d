"""The books: entries that stay, balances that the database keeps, and nothing below zero."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from controller.jobs import incidents, ledger
from controller.jobs.ledger import ISSUED, MISSING, STORE, SUPPLIER, SURPLUS, Fault, hopper, in_passage, reject_bin
from controller.model import Balance, Verdict
from tests.fakes.stock import fill, finish, passage


def _post(db: sqlite3.Connection, source: str, target: str, quantity: int = 1) -> int:
    return ledger.post(db, source, target, quantity, who="ani", reason="test")


def test_an_entry_takes_from_one_account_what_it_gives_another(db: sqlite3.Connection) -> None:
    _post(db, SUPPLIER, STORE, 100)
    _post(db, STORE, hopper("1"), 30)
    assert ledger.balances(db) == {SUPPLIER: -100, STORE: 70, hopper("1"): 30}
    assert sum(ledger.balances(db).values()) == 0


@pytest.mark.parametrize("source", [STORE, hopper("1"), reject_bin("1"), ISSUED, MISSING])
def test_the_database_lets_no_account_fall_below_zero(db: sqlite3.Connection, source: str) -> None:
    _post(db, SUPPLIER, source, 2)
    with pytest.raises(sqlite3.IntegrityError, match="cannot fall below zero"):
        _post(db, source, ledger.DESTROYED, 3)
    assert ledger.balances(db) == ledger.recompute(db) == {SUPPLIER: -2, source: 2}


@pytest.mark.parametrize("source", [SUPPLIER, SURPLUS])
def test_where_blanks_come_from_may_fall_below_zero(db: sqlite3.Connection, source: str) -> None:
    _post(db, source, STORE, 5)
    assert ledger.held(db, source) == -5


@pytest.mark.parametrize(
    "change", ["UPDATE entry SET quantity = 2", "DELETE FROM entry", "INSERT OR REPLACE INTO entry SELECT * FROM entry"]
)
def test_a_written_entry_can_never_change(db: sqlite3.Connection, change: str) -> None:
    _post(db, SUPPLIER, STORE, 10)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(change)


@pytest.mark.parametrize(
    ("source", "target", "quantity", "item"),
    [
        (SUPPLIER, STORE, 0, "blank"),
        (SUPPLIER, STORE, -1, "blank"),
        (STORE, STORE, 1, "blank"),
        (SUPPLIER, "cupboard", 1, "blank"),
        (SUPPLIER, "hopper:", 1, "blank"),
        (SUPPLIER, STORE, 1, "ribbon"),
        (SUPPLIER, ledger.RIBBON_STORE, 1, "blank"),
        (SUPPLIER, STORE, 1, "paper"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_whole(
    db: sqlite3.Connection, source: str, target: str, quantity: int, item: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        ledger.post(db, source, target, quantity, who="ani", reason="test", item=item)
    assert (ledger.recompute(db), sum(ledger.balances(db).values())) == ({}, 0)


def test_even_an_entry_that_ignores_conflicts_is_not_half_made(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="cannot fall below zero"):
        db.execute("INSERT OR IGNORE INTO entry (at_us, item, source, target, quantity, who, reason)"
                   " VALUES (0, 'blank', 'store', 'issued', 1, 'x', 'x')")  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "balance", "place"),
    [
        (Verdict.GOOD, Balance(9, 0, 0), ISSUED),
        (Verdict.SPOILED, Balance(9, 0, 1), reject_bin("1")),
        (Verdict.STILL_BLANK, Balance(10, 0, 0), hopper("1")),
    ],
)
def test_the_blank_of_a_passage_goes_where_the_verdict_says(
    db: sqlite3.Connection, verdict: Verdict, balance: Balance, place: str
) -> None:
    fill(db, "1", 10)
    number = passage(db)
    before = ledger.held(db, place)
    ledger.take_blank(db, "1", number)
    assert (ledger.of_lane(db, "1"), ledger.blank_is_out(db, number)) == (Balance(9, 1, 0), True)
    finish(db, number, verdict)
    assert (ledger.of_lane(db, "1"), ledger.held(db, place)) == (balance, before + (verdict is not Verdict.STILL_BLANK))


def test_a_card_that_nobody_has_is_missing(db: sqlite3.Connection) -> None:
    fill(db, "1", 10)
    number = passage(db)
    ledger.take_blank(db, "1", number)
    ledger.settle_blank(db, "1", number, Verdict.SPOILED, "ani", missing=True)
    assert (ledger.held(db, MISSING), ledger.of_lane(db, "1")) == (1, Balance(9, 0, 0))


def test_a_blank_from_a_hopper_that_is_empty_by_the_ledger_is_a_surplus_and_an_incident(db: sqlite3.Connection) -> None:
    number = passage(db)
    ledger.take_blank(db, "1", number)
    assert (ledger.held(db, SURPLUS), ledger.held(db, in_passage("1"))) == (-1, 1)
    assert incidents.is_open(db, "count_over", hopper("1"))


def test_balances_changed_behind_the_entries_back_are_found(db: sqlite3.Connection) -> None:
    _post(db, SUPPLIER, STORE, 10)
    assert ledger.faults(db) == []
    db.execute("UPDATE account SET balance = 11 WHERE name = 'store'")
    assert ledger.faults(db) == [Fault(STORE, stored=11, entered=10)]


def test_every_entry_is_an_event_that_holds_no_words_of_staff(db: sqlite3.Connection) -> None:
    ledger.post(db, SUPPLIER, STORE, 3, who="ani", reason="for Budi Santoso", document="BAST 1")
    row = db.execute("SELECT body FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    assert '"kind":"ledger_entry"' in row["body"]
    assert '"document":"BAST 1"' in row["body"]
    assert '"reason":"sha256:' in row["body"]
    assert "Budi" not in row["body"]


def test_the_document_names_every_account_incident_and_reason_to_refuse_a_chip() -> None:
    text = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text(encoding="utf-8")
    ribbons = (ledger.RIBBON_SUPPLIER, ledger.RIBBON_STORE, ledger.RIBBON_USED, ledger.RIBBON_WASTED, ledger.RIBBON_MISSING,
               ledger.RIBBON_UNRECORDED)  # fmt: skip
    lane = (hopper("LANE"), in_passage("LANE"), reject_bin("LANE"), ledger.ribbon("LANE"))
    named = (*ledger.PLACES, *ribbons, *lane, *incidents.KINDS, "chip_unknown", "chip_used", "chip_destroyed")
    assert [name for name in named if f"`{name}`" not in text] == []
