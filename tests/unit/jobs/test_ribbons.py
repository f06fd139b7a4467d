"""Ribbons: sets from the store to a roll to used, measured yield, and counters that only contradict."""

from __future__ import annotations

import sqlite3

import pytest

from controller.errors import RequestRefused
from controller.jobs import batches, incidents, ledger, ribbons
from controller.jobs.ledger import RIBBON_STORE, RIBBON_SUPPLIER, RIBBON_UNRECORDED, RIBBON_USED, RIBBON_WASTED, ribbon
from controller.model import RollYield


@pytest.fixture(autouse=True)
def _received(db: sqlite3.Connection) -> None:
    batches.receive(db, "R-1", 600, "BAST 2", "ani", "received", item=ledger.RIBBON)


def _print(db: sqlite3.Connection, before: int | None, after: int | None) -> None:
    ribbons.used(db, "1", "SN", before, after)


def _open(db: sqlite3.Connection) -> list[str]:
    return [row.kind for row in incidents.open_incidents(db)]


def test_a_roll_is_used_set_by_set_and_the_printer_agrees(db: sqlite3.Connection) -> None:
    assert ribbons.fit(db, "1", 200, "ani", "new roll") is None
    for left in range(200, 190, -1):
        _print(db, left, left - 1)
    assert (ledger.held(db, ribbon("1")), ledger.held(db, RIBBON_USED), _open(db)) == (190, 10, [])
    assert [(roll.sets, roll.used, roll.remaining) for roll in ribbons.newest(db)] == [(200, 10, 190)]


def test_what_is_left_on_a_roll_that_is_taken_off_is_waste_and_its_yield_known(db: sqlite3.Connection) -> None:
    ribbons.fit(db, "1", 200, "ani", "new roll")
    for _ in range(3):
        _print(db, None, None)
    old = ribbons.fit(db, "1", 250, "ani", "torn")
    assert old is not None
    assert (old.used, old.removed_us is None) == (3, False)
    held = {name: number for name, number in ledger.balances(db).items() if number}
    assert held == {RIBBON_SUPPLIER: -600, RIBBON_STORE: 150, RIBBON_USED: 3, RIBBON_WASTED: 197, ribbon("1"): 250}


def test_a_print_from_a_roll_that_nobody_booked_goes_on_with_an_incident(db: sqlite3.Connection) -> None:
    _print(db, 40, 39)
    _print(db, 39, 38)
    assert (ledger.held(db, RIBBON_USED), ledger.held(db, RIBBON_UNRECORDED), _open(db)) == (2, -2, ["ribbon_unrecorded"])


def test_a_roll_that_yields_more_than_its_box_says_is_measured(db: sqlite3.Connection) -> None:
    ribbons.fit(db, "1", 2, "ani", "new roll")
    for _ in range(3):
        _print(db, None, None)
    assert (ribbons.newest(db)[0].used, ledger.held(db, ribbon("1")), ledger.held(db, RIBBON_UNRECORDED)) == (3, 0, -1)
    old = ribbons.fit(db, "1", 5, "ani", "used up")
    assert (old is not None and old.used, ledger.held(db, RIBBON_WASTED)) == (3, 0)


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        (200, 199, []),
        (None, None, []),
        (200, None, []),
        (200, 198, ["ribbon_counter"]),  # two sets for one side
        (200, 200, ["ribbon_counter"]),
        (199, 198, ["ribbon_counter"]),  # somebody printed without us
        (300, 299, ["ribbon_unrecorded"]),  # another roll than the one that was booked
    ],
)
def test_the_printers_counter_only_contradicts(
    db: sqlite3.Connection, before: int | None, after: int | None, kinds: list[str]
) -> None:
    ribbons.fit(db, "1", 200, "ani", "new roll")
    _print(db, before, after)
    assert (_open(db), ledger.held(db, ribbon("1"))) == (kinds, 199)


@pytest.mark.parametrize("sets", [0, -1, ribbons.MAX_SETS + 1])
def test_an_absurd_roll_is_refused(db: sqlite3.Connection, sets: int) -> None:
    with pytest.raises(RequestRefused, match="count again"):
        ribbons.fit(db, "1", sets, "ani", "x")


def test_a_roll_that_the_store_does_not_hold_is_refused_and_the_old_one_stays(db: sqlite3.Connection) -> None:
    ribbons.fit(db, "1", 400, "ani", "new roll")
    with pytest.raises(RequestRefused, match="holds 200 ribbon sets, not 201"):
        ribbons.fit(db, "1", 201, "ani", "another")
    assert ribbons.newest(db)[0].removed_us is None


def test_a_card_of_two_sides_takes_two_sets_and_the_printer_agrees(db: sqlite3.Connection) -> None:
    ribbons.fit(db, "1", 200, "ani", "new roll")
    ribbons.used(db, "1", "SN", 200, 198, sets=2)
    ribbons.used(db, "1", "SN", 198, 197, sets=1)
    assert (ledger.held(db, ribbon("1")), ribbons.newest(db)[0].used, _open(db)) == (197, 3, [])
    ribbons.used(db, "1", "SN", 197, 196, sets=2)
    assert _open(db) == ["ribbon_counter"]


def test_the_last_set_of_a_roll_is_booked_and_what_it_did_not_have_is_unrecorded(db: sqlite3.Connection) -> None:
    ribbons.fit(db, "1", 1, "ani", "new roll")
    ribbons.used(db, "1", "SN", None, None, sets=2)
    assert (ledger.held(db, ribbon("1")), ledger.held(db, RIBBON_USED), ledger.held(db, RIBBON_UNRECORDED)) == (0, 2, -1)
    assert _open(db) == ["ribbon_unrecorded"]


@pytest.mark.parametrize(
    ("sets", "used", "left", "is_short"),
    [
        (200, 125, 0, True),  # as offices were sold them
        (200, 125, None, True),  # the tag was never read
        (200, 125, 75, False),  # taken off early: what is on it can still be seen
        (200, 190, 0, False),  # a few sets are torn off
        (200, 189, 0, True),
        (20, 15, 0, False),
        (200, 203, 0, False),
    ],
)
def test_a_roll_that_gave_far_less_than_its_box_says_is_an_incident_when_it_is_changed(
    db: sqlite3.Connection, sets: int, used: int, left: int | None, is_short: bool
) -> None:
    ribbons.fit(db, "1", sets, "ani", "new roll")
    db.execute("UPDATE roll SET used = ?, remaining = ?", (used, left))
    ribbons.fit(db, "1", 100, "ani", "used up")
    assert _open(db) == ["ribbon_shortfall"] * is_short


@pytest.mark.parametrize(("left", "said"), [(None, "nobody knows how many left"), (10, "10 left")])
def test_what_is_left_on_a_short_roll_is_only_said_when_the_printer_told(
    db: sqlite3.Connection, left: int | None, said: str
) -> None:
    ribbons.fit(db, "1", 200, "ani", "new roll")
    db.execute("UPDATE roll SET used = 125, remaining = ?", (left,))
    ribbons.fit(db, "1", 100, "ani", "used up")
    assert incidents.open_incidents(db)[0].detail == f"roll 1: 200 sets by its box, 125 printed, {said} by its own count"


def test_the_yield_of_the_fitted_roll_and_the_one_before_is_told_by_lane(db: sqlite3.Connection) -> None:
    assert ribbons.yields(db, ["1", "2"]) == {}
    ribbons.fit(db, "1", 200, "ani", "new roll")
    _print(db, None, None)
    assert ribbons.yields(db, ["1", "2"]) == {"1": RollYield(200, 1)}
    ribbons.fit(db, "1", 300, "ani", "torn")
    assert ribbons.yields(db, ["1"]) == {"1": RollYield(300, 0, 200, 1)}
