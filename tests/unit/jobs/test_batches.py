"""Batches: received once, with sound lists of chips; and the judgement of a chip by them."""

from __future__ import annotations

import sqlite3

import pytest

from controller.errors import RequestRefused
from controller.jobs import batches, incidents, journal, ledger, stock
from controller.jobs.batches import MAX_QUANTITY, MAX_UIDS, UidRange, parse_uids
from controller.model import Verdict
from tests.fakes.stock import fill, passage, plans

UID = "04A10000000000"


def _uid(number: int) -> str:
    return f"{int(UID, 16) + number:014X}"


def _receive(db: sqlite3.Connection, number: str, quantity: int, *uids: str) -> batches.Batch:
    return batches.receive(db, number, quantity, "BAST 1", "ani", "received", uids or None)


def test_a_batch_comes_into_the_store(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 500)
    assert ledger.balances(db) == {ledger.STORE: 500, ledger.SUPPLIER: -500}
    assert [(batch.number, batch.quantity, batch.uids) for batch in batches.newest(db)] == [("B-1", 500, 0)]


def test_a_batch_received_twice_is_refused(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 500)
    with pytest.raises(RequestRefused, match="B-1 was already received"):
        _receive(db, "B-1", 400)
    assert ledger.held(db, ledger.STORE) == 500


@pytest.mark.parametrize("number", ["Box 7", "Box 7 ", " Box 7", "Box  7", "box 7", "BOX 7"])
def test_a_number_written_a_little_differently_is_the_same_batch(db: sqlite3.Connection, number: str) -> None:
    assert _receive(db, " Box  7 ", 500).number == "Box 7"
    with pytest.raises(RequestRefused, match="already received"):
        _receive(db, number, 400)
    assert ledger.held(db, ledger.STORE) == 500


def test_the_database_itself_refuses_a_number_in_other_capitals(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 5)
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE.*batch\.number"):
        db.execute(
            "INSERT INTO batch (number, item, quantity, document, uids, received_us) VALUES ('b-1', 'blank', 1, 'd', 0, 1)"
        )


def test_a_list_without_a_uid_does_not_mean_that_there_is_no_list(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    with pytest.raises(RequestRefused, match="list of UIDs is empty"):
        batches.receive(db, "B-2", 5, "BAST 2", "ani", "received", [])
    assert batches.judge_uid(db, _uid(10)) == "chip_unknown"  # strangers are still told


@pytest.mark.parametrize("quantity", [0, -1, MAX_QUANTITY + 1, 10**30])
def test_an_absurd_quantity_is_refused(db: sqlite3.Connection, quantity: int) -> None:
    with pytest.raises(RequestRefused, match="count again"):
        _receive(db, "B-1", quantity)
    assert batches.newest(db) == []


@pytest.mark.parametrize("number", ["", " ", "B\n1", "é", "x" * 65, "-1"])
def test_a_batch_number_that_nobody_could_type_again_is_refused(db: sqlite3.Connection, number: str) -> None:
    with pytest.raises(RequestRefused, match="batch number is wrong"):
        _receive(db, number, 5)


def test_a_list_must_be_as_long_as_the_quantity(db: sqlite3.Connection) -> None:
    with pytest.raises(RequestRefused, match="holds 10 UIDs, the quantity is 11"):
        _receive(db, "B-1", 11, f"{_uid(0)}-{_uid(9)}")
    assert ledger.balances(db) == {}


def test_ranges_of_two_batches_may_not_overlap(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 100, f"{_uid(0)}-{_uid(99)}")
    _receive(db, "B-2", 100, f"{_uid(100)}-{_uid(199)}")
    for first, last in ((99, 99), (50, 60), (199, 250), (100, 199)):
        with pytest.raises(RequestRefused, match="overlap batch B-"):
            _receive(db, "B-3", last - first + 1, f"{_uid(first)}-{_uid(last)}")


def test_the_database_itself_refuses_overlapping_ranges(db: sqlite3.Connection) -> None:
    batch = _receive(db, "B-1", 100, f"{_uid(0)}-{_uid(99)}")
    with pytest.raises(sqlite3.IntegrityError, match="overlaps"):
        db.execute("INSERT INTO uid_range VALUES (14, ?, ?, ?)", (_uid(50), _uid(150), batch.id))


def test_a_whole_list_of_the_longest_kind_is_taken(db: sqlite3.Connection) -> None:
    uids = [_uid(2 * number) for number in range(MAX_UIDS)]  # no two are neighbours
    assert _receive(db, "B-1", MAX_UIDS, *uids).uids == MAX_UIDS
    assert (ledger.batch_of(db, uids[-1]), ledger.batch_of(db, _uid(1))) == (1, None)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["04A1"], "'04A1' is no UID"),
        (["04A1000000000G"], "is no UID"),
        ([f"{UID}-"], "is no UID"),
        ([f"{_uid(9)}-{_uid(0)}"], "is no UID"),
        ([f"{UID}-{UID}00"], "is no UID"),
        (["٠٤٠٤٠٤٠٤٠٤٠٤٠٤"], "is no UID"),  # digits, but not ours
        ([UID, UID], "is listed twice"),
        ([f"{_uid(0)}-{_uid(9)}", _uid(5)], "is listed twice"),
        ([f"{_uid(0)}-{_uid(MAX_UIDS)}"], "More than 20000 UIDs"),
        ([f"{'0' * 16}-{'F' * 16}"], "More than 20000 UIDs"),
    ],
)
def test_a_list_with_a_mistake_is_refused(texts: list[str], complaint: str) -> None:
    with pytest.raises(RequestRefused, match=complaint):
        parse_uids(texts)


def test_lists_are_taken_as_people_write_them_and_joined() -> None:
    written = ["04:a1:00:00:00:00:02", f"{_uid(0)} - {_uid(1)}", "0011223344556677"]
    assert parse_uids(written) == [UidRange(_uid(0), _uid(2)), UidRange("0011223344556677", "0011223344556677")]


def test_a_listed_chip_may_be_used_and_a_stranger_may_not(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    assert [batches.judge_uid(db, uid) for uid in (_uid(0), _uid(9), _uid(10))] == [None, None, "chip_unknown"]
    assert batches.judge_uid(db, UID + "00") == "chip_unknown"  # the same digits in a longer UID are another chip


def test_nothing_is_unknown_while_a_batch_was_received_by_count(db: sqlite3.Connection) -> None:
    assert batches.judge_uid(db, _uid(99)) is None  # nothing was received at all
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    _receive(db, "B-2", 10)
    assert batches.judge_uid(db, _uid(99)) is None


def test_nothing_is_unknown_while_blanks_from_before_the_batches_may_be_about(db: sqlite3.Connection) -> None:
    fill(db, "1", 10)
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    assert batches.judge_uid(db, _uid(99)) is None


@pytest.mark.parametrize(("verdict", "condition"), [(Verdict.GOOD, "chip_used"), (Verdict.SPOILED, "chip_used"),
                                                    (Verdict.STILL_BLANK, None), (None, "chip_used")])  # fmt: skip
def test_a_chip_may_be_used_again_only_if_it_stayed_blank(
    db: sqlite3.Connection, verdict: Verdict | None, condition: str | None
) -> None:
    number = passage(db, uid=UID, verdict=verdict)
    assert batches.judge_uid(db, UID) == condition
    assert batches.judge_uid(db, UID, number) is None  # by the passage itself


def test_a_destroyed_chip_is_refused_also_where_nothing_else_is_known(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10)
    stock.destroy(db, ledger.STORE, 1, "BA 1", "ani", "bent", [UID])
    assert batches.judge_uid(db, UID) == "chip_destroyed"


def test_an_unknown_chip_is_refused_or_warned_of_as_configured(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    number = passage(db)
    assert batches.admit(db, _uid(50), "1", number, "refuse") == "chip_unknown"
    assert incidents.open_incidents(db) == []
    assert batches.admit(db, _uid(50), "1", number, "warn") is None
    assert [(row.kind, row.place, row.passage_id) for row in incidents.open_incidents(db)] == [("uid_warned", "1", number)]


def test_warning_never_lets_a_destroyed_or_used_chip_through(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    stock.destroy(db, ledger.STORE, 1, "BA 1", "ani", "bent", [_uid(1)])
    passage(db, uid=_uid(2), verdict=Verdict.GOOD)
    number = passage(db, lane="2")
    assert [batches.admit(db, _uid(n), "2", number, "warn") for n in (1, 2)] == ["chip_destroyed", "chip_used"]


def test_a_batch_shows_how_many_of_its_chips_are_used(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    stock.load(db, "1", 10, "ani", "filled")
    for number, verdict in enumerate((Verdict.GOOD, Verdict.SPOILED, Verdict.STILL_BLANK)):
        made = passage(db, uid=_uid(number), verdict=verdict)
        ledger.take_blank(db, "1", made)
        ledger.settle_blank(db, "1", made, verdict, ledger.STATION)
    lost = passage(db, uid=_uid(5), verdict=Verdict.SPOILED)
    ledger.take_blank(db, "1", lost)
    ledger.settle_blank(db, "1", lost, Verdict.SPOILED, "ani", missing=True)
    assert batches.newest(db)[0].used == 3


def test_a_card_that_nobody_has_is_missing_from_its_batch(db: sqlite3.Connection) -> None:
    _receive(db, "B-1", 10, f"{_uid(0)}-{_uid(9)}")
    stock.load(db, "1", 10, "ani", "filled")
    number = passage(db, uid=_uid(3))
    ledger.take_blank(db, "1", number)
    journal.end(db, journal.find(db, number), Verdict.SPOILED, "card_lost", 1, "ani", "searched", missing=True)
    row = db.execute("SELECT batch_id, reason FROM entry WHERE target = 'missing'").fetchone()
    assert (row["batch_id"], row["reason"], batches.newest(db)[0].used) == (1, "nobody has it", 1)


def test_the_newest_batches_are_told_without_reading_the_entries(db: sqlite3.Connection) -> None:
    assert plans(db, batches.newest) == ["SCAN batch"]  # from its end, at most LISTED
