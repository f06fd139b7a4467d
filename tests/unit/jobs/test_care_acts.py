"""Cleaning and test card in the books: who may ask, what a test card takes, and that counters are explained by it."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from controller.conditions import CONDITIONS
from controller.errors import RequestRefused
from controller.jobs import care_acts, incidents, ledger
from controller.jobs.care_acts import CareAct, End, Kind, Outcome, blanks_taken, doubt, obstacle
from controller.model import CardPosition, LaneLevels, PrinterWitness, Verdict
from tests.fakes.stock import fill, finish, passage

BEFORE = PrinterWitness(CardPosition.NONE, 100, 500, 50)
AFTER = PrinterWitness(CardPosition.NONE, 101, 501, 49)
LEVELS = LaneLevels(False, False, False, hopper_low=False, hopper_empty=False, bin_full=False)

OBSTACLES: list[tuple[str, dict[str, Any]]] = [
    ("cover_open", {"witness": replace(BEFORE, cover_open=True)}),
    ("card_inside", {"witness": replace(BEFORE, position=CardPosition.CONTACT)}),
    ("bin_full", {"levels": replace(LEVELS, bin_full=True)}),
    ("ribbon_end", {"witness": replace(BEFORE, ribbon_remaining=0)}),
    ("hopper_empty", {"levels": replace(LEVELS, hopper_empty=True)}),
    ("hopper_uncounted", {"hopper_count": 0}),
]
FREE: dict[str, Any] = {"witness": BEFORE, "levels": LEVELS, "hopper_count": 5}


@pytest.mark.parametrize(("condition", "change"), OBSTACLES)
def test_what_keeps_a_test_card_from_being_begun(condition: str, change: dict[str, Any]) -> None:
    assert obstacle(Kind.TEST_CARD, **FREE | change) == condition
    assert condition in CONDITIONS


@pytest.mark.parametrize(("earlier", "later"), list(itertools.combinations(OBSTACLES, 2)))
def test_the_earlier_row_wins(earlier: tuple[str, dict[str, Any]], later: tuple[str, dict[str, Any]]) -> None:
    assert obstacle(Kind.TEST_CARD, **FREE | later[1] | earlier[1]) == earlier[0]


@pytest.mark.parametrize("condition", ["bin_full", "ribbon_end", "hopper_empty", "hopper_uncounted"])
def test_cleaning_needs_no_blank_and_no_ribbon(condition: str) -> None:
    assert obstacle(Kind.CLEAN, **FREE | dict(OBSTACLES)[condition]) is None


def test_a_printer_that_never_says_where_its_card_is_and_a_lane_without_sensors_hinder_nothing() -> None:
    assert obstacle(Kind.TEST_CARD, replace(BEFORE, position=CardPosition.UNTOLD), None, 1) is None


def _asked(db: sqlite3.Connection, kind: Kind = Kind.TEST_CARD) -> CareAct:
    fill(db, "1", 3)
    return care_acts.find(db, care_acts.ask(db, "1", kind, "ani", "a look at the dots"))


def _begun(db: sqlite3.Connection, kind: Kind = Kind.TEST_CARD) -> CareAct:
    return care_acts.begin(db, _asked(db, kind), "SN1", BEFORE)


def _held(db: sqlite3.Connection) -> tuple[int, int]:
    return ledger.held(db, ledger.hopper("1")), ledger.held(db, ledger.reject_bin("1"))


def _open(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [(row.kind, row.detail) for row in incidents.open_incidents(db) if row.kind != "ribbon_unrecorded"]


def test_a_test_card_is_booked_from_the_hopper_to_the_reject_bin_with_who_and_its_ribbon_as_used(db: sqlite3.Connection) -> None:
    ended = care_acts.end(db, _begun(db), End(Outcome.DONE, after=AFTER, passed=1))
    assert (ended.outcome, ended.counted, _held(db), _open(db)) == ("done", 1, (2, 1), [])
    row = db.execute("SELECT who, document, reason FROM entry WHERE target = 'reject:1'").fetchone()
    assert tuple(row) == ("ani", f"test card {ended.id}", "a look at the dots")
    assert ledger.held(db, ledger.RIBBON_USED) == 1


def test_what_it_counted_is_explained_and_nothing_else(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO printer_seen (serial, lane, cards_fed, entry_id) VALUES ('SN1', '1', 90, 0), ('SN1', '2', 7, 0)")
    care_acts.end(db, _begun(db), End(Outcome.DONE, after=AFTER, passed=1))
    assert [row[0] for row in db.execute("SELECT cards_fed FROM printer_seen ORDER BY lane")] == [91, 7]


def test_cleaning_cards_take_no_blank_and_are_explained(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO printer_seen (serial, lane, cards_fed, entry_id) VALUES ('SN1', '1', 100, 0)")
    act = care_acts.end(db, _begun(db, Kind.CLEAN), End(Outcome.DONE, after=replace(AFTER, ribbon_remaining=None), passed=1))
    assert (_held(db), _open(db), db.execute("SELECT cards_fed FROM printer_seen").fetchone()[0]) == ((3, 0), [], 101)
    cleaned = care_acts.last_cleaned(db, "1")
    assert (cleaned is not None and cleaned.id, cleaned is not None and cleaned.who) == (act.id, "ani")


@pytest.mark.parametrize(
    ("how", "counted", "blanks", "why"),
    [
        (End(Outcome.DONE, passed=1), 1, 1, None),
        (End(Outcome.DONE), 1, 1, None),  # nobody watched the beam
        (End(Outcome.FAILED, passed=0), 0, 0, None),
        (End(Outcome.FAILED, passed=1), 1, 1, None),  # jammed behind the beam, and counted
        (End(Outcome.FAILED, passed=1), 0, 0, "the printer counted 0 cards, the feed beam saw 1"),
        (End(Outcome.DONE, passed=2), 2, 2, "one card was asked for, the printer counted 2"),
        (End(Outcome.DONE, passed=0), 0, 1, "one card was asked for, the printer counted 0"),
        (End(Outcome.DONE, passed=9), 9, 1, "the printer counted 9 cards"),
        (End(Outcome.DONE, passed=1), -40, 1, "the printer counted -40 cards"),
        (End(Outcome.UNKNOWN), 1, 1, "the end was not seen, the printer counted 1"),
        (End(Outcome.UNKNOWN), None, 0, "nobody can tell whether a blank was taken"),
    ],
)
def test_what_a_test_card_took_and_when_the_hopper_has_to_be_counted(
    how: End, counted: int | None, blanks: int, why: str | None
) -> None:
    assert (blanks_taken(how, counted), doubt(how, counted)) == (blanks, why)


def test_a_doubt_asks_for_a_count_of_the_hopper(db: sqlite3.Connection) -> None:
    care_acts.end(db, _begun(db), End(Outcome.UNKNOWN, "care_interrupted", after=AFTER))
    assert _held(db) == (2, 1)
    assert _open(db) == [("count_required", "test card 1: the end was not seen, the printer counted 1")]


def test_more_blanks_than_the_books_know_are_a_surplus(db: sqlite3.Connection) -> None:
    begun = _begun(db)
    ledger.post(db, ledger.hopper("1"), ledger.STORE, 3, who="ani", reason="taken out")
    care_acts.end(db, begun, End(Outcome.DONE, after=AFTER, passed=1))
    assert (_held(db), ledger.held(db, ledger.SURPLUS), [kind for kind, _ in _open(db)]) == ((0, 1), -1, ["count_over"])


def test_what_was_refused_before_it_began_books_nothing_and_is_no_event(db: sqlite3.Connection) -> None:
    ended = care_acts.end(db, _asked(db), End(Outcome.REFUSED, "cover_open"))
    assert (ended.outcome, ended.condition, _held(db)) == ("refused", "cover_open", (3, 0))
    assert db.execute("SELECT count(*) FROM event WHERE body LIKE '%care_%'").fetchone()[0] == 0


def test_nothing_is_asked_of_a_printer_with_a_card_in_work(db: sqlite3.Connection) -> None:
    fill(db, "1", 3)
    number = passage(db)
    with pytest.raises(RequestRefused, match="A card is still in work in lane 1"):
        care_acts.ask(db, "1", Kind.CLEAN, "ani", "due")
    finish(db, number, Verdict.GOOD)
    assert care_acts.ask(db, "1", Kind.CLEAN, "ani", "due") == 1


def test_one_act_at_a_time_and_no_test_card_from_an_empty_hopper(db: sqlite3.Connection) -> None:
    with pytest.raises(RequestRefused, match="By the ledger the hopper is empty"):
        care_acts.ask(db, "1", Kind.TEST_CARD, "ani", "look")
    care_acts.ask(db, "1", Kind.CLEAN, "ani", "due")
    with pytest.raises(RequestRefused, match="being cared for already"):
        care_acts.ask(db, "1", Kind.CLEAN, "ani", "due")


def test_what_was_asked_of_an_earlier_run_is_not_done_and_what_was_begun_stays_open(db: sqlite3.Connection) -> None:
    asked, begun = _asked(db), care_acts.find(db, care_acts.ask(db, "2", Kind.CLEAN, "ani", "due"))
    care_acts.begin(db, begun, "SN2", BEFORE)
    care_acts.forget_asked(db)
    assert (care_acts.find(db, asked.id).outcome, care_acts.open_in(db, "1")) == ("refused", None)
    still_open = care_acts.open_in(db, "2")
    assert still_open is not None
    assert still_open.begun


def test_an_ended_act_cannot_change_and_none_is_lost(db: sqlite3.Connection) -> None:
    act = care_acts.end(db, _begun(db), End(Outcome.DONE, after=AFTER, passed=1))
    with pytest.raises(sqlite3.IntegrityError, match="an ended care act cannot change"):
        care_acts.end(db, act, End(Outcome.FAILED))
    with pytest.raises(sqlite3.IntegrityError, match="care acts are kept"):
        db.execute("DELETE FROM care_act")
