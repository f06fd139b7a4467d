"""Books begun before the double-entry ledger are carried over: every old move is an entry, and nothing starts below zero."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from controller.jobs import journal, ledger, queue
from controller.jobs.store import migrations
from controller.model import Balance, JobState, Verdict
from tests.fakes.stock import memory_db, passage

LEDGER = 3


@pytest.fixture
def old() -> Iterator[sqlite3.Connection]:
    """A database as the first release made it."""
    db = memory_db(1)
    yield db
    db.close()


def _move(
    db: sqlite3.Connection, source: str, target: str, quantity: int = 1, number: int | None = None, lane: str = "1"
) -> None:
    db.execute(
        "INSERT INTO blank_move (at_us, lane, source, target, quantity, passage_id, who, reason)"
        " VALUES (7, ?, ?, ?, ?, ?, 'ani', 'x')",
        (lane, source, target, quantity, number),
    )


def _trip(db: sqlite3.Connection, verdict: Verdict | None) -> int:
    number = passage(db, verdict=verdict)
    _move(db, "hopper", "passage", number=number)
    if verdict is not None:
        _move(db, "passage", "hopper" if verdict is Verdict.STILL_BLANK else "outside", number=number)
    return number


def _migrate(db: sqlite3.Connection) -> None:
    for script in migrations()[1:]:
        db.executescript(f"BEGIN; {script}\nCOMMIT;")


def test_old_moves_become_entries(old: sqlite3.Connection) -> None:
    _move(old, "outside", "hopper", 100)
    _move(old, "outside", "hopper", 5, lane="2")
    for verdict in (Verdict.GOOD, Verdict.GOOD, Verdict.SPOILED, Verdict.STILL_BLANK, None):
        _trip(old, verdict)
    _migrate(old)
    assert ledger.of_lane(old, "1") == Balance(hopper=96, passage=1, reject=1)
    assert ledger.of_lane(old, "2") == Balance(hopper=5)
    assert (ledger.held(old, ledger.SUPPLIER), ledger.held(old, ledger.ISSUED)) == (-105, 2)
    assert ledger.faults(old) == []


def test_who_when_and_for_which_passage_stay(old: sqlite3.Connection) -> None:
    _move(old, "outside", "hopper", 10)
    number = _trip(old, Verdict.GOOD)
    _migrate(old)
    row = old.execute("SELECT * FROM entry WHERE target = 'issued'").fetchone()
    assert (row["passage_id"], row["at_us"], row["who"], row["reason"]) == (number, 7, "ani", "x")
    assert ledger.blank_is_out(old, number)


def test_a_hopper_that_was_below_zero_starts_with_a_surplus(old: sqlite3.Connection) -> None:
    for _ in range(3):
        _trip(old, Verdict.GOOD)
    _move(old, "outside", "hopper", 10)
    _migrate(old)
    assert (ledger.held(old, ledger.SURPLUS), ledger.of_lane(old, "1")) == (-3, Balance(hopper=10))
    assert ledger.faults(old) == []


def test_a_live_passage_can_be_settled_after_the_move(old: sqlite3.Connection) -> None:
    _move(old, "outside", "hopper", 10)
    number = _trip(old, None)
    _migrate(old)
    ledger.settle_blank(old, "1", number, Verdict.SPOILED, "ani")
    assert ledger.of_lane(old, "1") == Balance(hopper=9, passage=0, reject=1)


def test_jobs_and_passages_from_before_are_tallied(old: sqlite3.Connection) -> None:
    for verdict in (Verdict.GOOD, Verdict.GOOD, Verdict.SPOILED, None):
        passage(old, verdict=verdict)
    old.execute("UPDATE job SET state = 'issued' WHERE id < 3")
    _migrate(old)
    assert journal.outcomes(old) == {Verdict.GOOD: 2, Verdict.SPOILED: 1, Verdict.STILL_BLANK: 0}
    assert queue.counts(old) == dict.fromkeys(JobState, 0) | {JobState.ISSUED: 2, JobState.ACTIVE: 2}


def test_an_empty_old_database_has_empty_books(old: sqlite3.Connection) -> None:
    _migrate(old)
    assert ledger.balances(old) == {}
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []


def test_the_old_table_is_gone_and_foreign_keys_hold(old: sqlite3.Connection) -> None:
    _move(old, "outside", "hopper", 10)
    _trip(old, Verdict.SPOILED)
    _migrate(old)
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        old.execute("SELECT * FROM blank_move")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        ledger.post(old, ledger.SUPPLIER, ledger.STORE, who="a", reason="b", passage_id=999)
