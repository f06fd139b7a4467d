"""Acts of staff on the stock: what they move, and how nonsense changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from controller.errors import RequestRefused
from controller.jobs import batches, care_acts, incidents, ledger, stock
from controller.jobs.ledger import DESTROYED, ISSUED, MISSING, RETURNED, STORE, SUPPLIER, SURPLUS, hopper, reject_bin
from controller.model import Verdict
from tests.fakes.stock import finish, passage, plans

UID = "04A10000000000"


@pytest.fixture(autouse=True)
def _received(db: sqlite3.Connection) -> None:
    batches.receive(db, "B-1", 100, "BAST 1", "ani", "received")


def _spoil(db: sqlite3.Connection, uid: str | None = None) -> None:
    number = passage(db, uid=uid)
    ledger.take_blank(db, "1", number)
    finish(db, number, Verdict.SPOILED)


def test_blanks_go_to_the_hopper_and_back(db: sqlite3.Connection) -> None:
    assert stock.load(db, "1", 40, "ani", "filled") == 40
    assert stock.unload(db, "1", 15, "ani", "evening") == 25
    assert (ledger.held(db, STORE), ledger.held(db, hopper("1"))) == (75, 25)


def test_blanks_are_given_back(db: sqlite3.Connection) -> None:
    assert stock.give_back(db, 30, "Surat 5", "ani", "lent to the next office") == 70
    assert ledger.held(db, RETURNED) == 30


def test_spoiled_cards_are_destroyed_and_their_chips_remembered(db: sqlite3.Connection) -> None:
    stock.load(db, "1", 10, "ani", "filled")
    _spoil(db, UID)
    _spoil(db)
    assert stock.destroy(db, reject_bin("1"), 2, "BA 3/2026", "ani", "burned", [UID]) == 0
    assert (ledger.held(db, DESTROYED), batches.judge_uid(db, UID)) == (2, "chip_destroyed")


Act = Callable[[sqlite3.Connection], object]


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda db: stock.load(db, "1", 101, "a", "b"), "'store' holds 100, not 101"),
        (lambda db: stock.load(db, "1", 0, "a", "b"), "must be 1 to 1000"),
        (lambda db: stock.load(db, "1", -1, "a", "b"), "must be 1 to 1000"),
        (lambda db: stock.load(db, "1", stock.MAX_LOAD + 1, "a", "b"), "must be 1 to 1000"),
        (lambda db: stock.unload(db, "1", 1, "a", "b"), "'hopper:1' holds 0"),
        (lambda db: stock.give_back(db, 101, "d", "a", "b"), "'store' holds 100"),
        (lambda db: stock.destroy(db, reject_bin("1"), 1, "d", "a", "b"), "'reject:1' holds 0"),
        (lambda db: stock.destroy(db, STORE, 1, "d", "a", "b", [UID, "04A10000000001"]), "2 UIDs for 1 cards"),
        (lambda db: stock.destroy(db, STORE, 1, "d", "a", "b", ["what"]), "is no UID"),
        (lambda db: stock.destroy(db, STORE, 1, "d", "a", "b", []), "list of UIDs is empty"),
        (lambda db: stock.destroy(db, STORE, stock.MAX_LOAD, "d", "a", "b", ["04A10000000000-04A100000003E8"]), "More than 1000"),
        (lambda db: stock.count(db, STORE, -1, "a", "b"), "must be 0 to"),
        (lambda db: stock.count(db, STORE, 10**18, "a", "b"), "must be 0 to"),
    ],
)
def test_an_act_that_cannot_be_changes_nothing(db: sqlite3.Connection, act: Act, complaint: str) -> None:
    with pytest.raises(RequestRefused, match=complaint) as refused:
        act(db)
    assert refused.value.problem.id != refused.value.problem.en
    assert ledger.balances(db) == {STORE: 100, SUPPLIER: -100}
    assert incidents.open_incidents(db) == []


def test_a_chip_is_destroyed_once(db: sqlite3.Connection) -> None:
    stock.destroy(db, STORE, 1, "BA 1", "ani", "bent", [UID])
    with pytest.raises(RequestRefused, match="already destroyed"):
        stock.destroy(db, STORE, 1, "BA 1", "ani", "bent", [UID])


@pytest.mark.parametrize("verdict", [Verdict.GOOD, None])
def test_the_chip_of_a_card_that_was_issued_or_may_be_issued_yet_is_not_destroyed(
    db: sqlite3.Connection, verdict: Verdict | None
) -> None:
    passage(db, uid=UID, verdict=verdict)
    with pytest.raises(RequestRefused, match="a card that was issued or is in work"):
        stock.destroy(db, STORE, 1, "BA 1", "ani", "bent", [UID])
    assert batches.judge_uid(db, UID) == "chip_used"


@pytest.mark.parametrize("verdict", [Verdict.SPOILED, Verdict.STILL_BLANK])
def test_the_chip_of_a_card_that_is_not_issued_can_be_destroyed(db: sqlite3.Connection, verdict: Verdict) -> None:
    passage(db, uid=UID, verdict=verdict)
    stock.destroy(db, STORE, 1, "BA 1", "ani", "bent", [UID])
    assert batches.judge_uid(db, UID) == "chip_destroyed"


def test_however_many_passages_there_were_a_chip_to_destroy_is_looked_up_by_an_index(db: sqlite3.Connection) -> None:
    found = plans(db, lambda db: stock._refuse_undestroyable(db, UID))
    assert found == ["SEARCH destroyed_uid USING PRIMARY KEY (uid=?)",
                     "SEARCH passage USING INDEX one_passage_per_chip (chip_uid=?)"]  # fmt: skip


def test_a_count_that_agrees_is_kept_and_moves_nothing(db: sqlite3.Connection) -> None:
    assert stock.count(db, STORE, 100, "ani", "day count").difference == 0
    row = db.execute("SELECT * FROM stock_count").fetchone()
    assert (row["counted"], row["ledger"], row["who"]) == (100, 100, "ani")
    assert incidents.open_incidents(db) == []


@pytest.mark.parametrize(("counted", "kind", "missing", "surplus"), [(99, "count_short", 1, 0), (101, "count_over", 0, -1)])
def test_one_card_of_difference_is_booked_and_stays_open(
    db: sqlite3.Connection, counted: int, kind: str, missing: int, surplus: int
) -> None:
    result = stock.count(db, STORE, counted, "ani", "day count")
    assert (result.ledger, result.difference) == (100, counted - 100)
    assert (ledger.held(db, STORE), ledger.held(db, MISSING), ledger.held(db, SURPLUS)) == (counted, missing, surplus)
    assert [(row.kind, row.place) for row in incidents.open_incidents(db)] == [(kind, STORE)]


def test_a_second_difference_joins_the_open_incident(db: sqlite3.Connection) -> None:
    stock.count(db, STORE, 99, "ani", "day count")
    stock.count(db, STORE, 97, "ani", "day count")
    (incident,) = incidents.open_incidents(db)
    assert "counted 99" in incident.detail
    assert "counted 97" in incident.detail


@pytest.mark.parametrize("act", [
    lambda db: stock.unload(db, "1", 1, "a", "b"),
    lambda db: stock.count(db, hopper("1"), 9, "a", "b", "1"),
    lambda db: stock.count(db, reject_bin("1"), 0, "a", "b", "1"),
])  # fmt: skip
def test_nothing_is_counted_round_a_card_in_work(db: sqlite3.Connection, act: Act) -> None:
    stock.load(db, "1", 10, "ani", "filled")
    passage(db)
    with pytest.raises(RequestRefused, match="still in work in lane 1"):
        act(db)
    assert ledger.held(db, hopper("1")) == 10


def test_nothing_is_counted_while_a_test_card_may_take_a_blank(db: sqlite3.Connection) -> None:
    stock.load(db, "1", 10, "ani", "filled")
    number = care_acts.ask(db, "1", care_acts.Kind.TEST_CARD, "ani", "pale")
    for act in (
        lambda: stock.count(db, ledger.hopper("1"), 9, "ani", "day", lane="1"),
        lambda: stock.unload(db, "1", 1, "a", "b"),
    ):
        with pytest.raises(RequestRefused, match="The printer of lane 1 is being cared for"):
            act()
    care_acts.end(db, care_acts.find(db, number), care_acts.End(care_acts.Outcome.REFUSED, "cover_open"))
    assert stock.count(db, ledger.hopper("1"), 10, "ani", "day", lane="1").difference == 0


def test_counting_the_hopper_answers_a_required_count_and_nothing_else(db: sqlite3.Connection) -> None:
    stock.load(db, "1", 10, "ani", "filled")
    incidents.raise_incident(db, "count_required", "1", "passage 1")
    incidents.raise_incident(db, "count_required", "2", "passage 2")
    incidents.raise_incident(db, "feed_disputed", "1", "passage 1")
    stock.count(db, hopper("1"), 10, "ani", "looked", "1")
    assert [(row.kind, row.place) for row in incidents.open_incidents(db)] == [("count_required", "2"), ("feed_disputed", "1")]


def test_all_that_was_received_is_somewhere(db: sqlite3.Connection) -> None:
    stock.load(db, "1", 20, "ani", "filled")
    _spoil(db)
    stock.destroy(db, reject_bin("1"), 1, "BA 1", "ani", "burned")
    stock.count(db, hopper("1"), 18, "ani", "day count", "1")
    held = ledger.balances(db)
    assert held == {SUPPLIER: -100, STORE: 80, hopper("1"): 18, "passage:1": 0, reject_bin("1"): 0, DESTROYED: 1, MISSING: 1}
    assert ISSUED not in held
