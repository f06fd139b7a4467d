"""Incidents: one open of a kind for a place, closed only by a person with a reason, and never lost."""

from __future__ import annotations

import sqlite3

import pytest

from controller.errors import RequestRefused
from controller.jobs import incidents
from controller.jobs.incidents import KINDS, MAX_DETAIL


def test_the_same_again_is_the_same_incident_until_it_is_explained(db: sqlite3.Connection) -> None:
    first = incidents.raise_incident(db, "hopper_sensor", "1", "empty")
    assert incidents.raise_incident(db, "hopper_sensor", "1", "still empty") == first
    assert incidents.raise_incident(db, "hopper_sensor", "2", "empty") != first
    incidents.explain(db, first, "ani", "sensor was dirty")
    assert incidents.raise_incident(db, "hopper_sensor", "1", "again") > first
    assert incidents.counts(db)["hopper_sensor"] == 2


def test_another_happening_joins_the_open_incident_within_bounds(db: sqlite3.Connection) -> None:
    number = incidents.raise_incident(db, "count_short", "store", "counted 9", add=True)
    for _ in range(200):
        incidents.raise_incident(db, "count_short", "store", "counted 8, the ledger said 9", add=True)
    detail = incidents.find(db, number).detail
    assert detail.startswith("counted 9; counted 8, the ledger said 9; ")
    assert len(detail) == MAX_DETAIL


def test_an_explanation_has_a_name_and_is_told(db: sqlite3.Connection) -> None:
    number = incidents.raise_incident(db, "card_missing", "1", "passage 7")
    closed = incidents.explain(db, number, "ani", "it lay under the table")
    assert (closed.explained_by, closed.explanation, incidents.open_incidents(db)) == ("ani", "it lay under the table", [])
    kinds = [row[0] for row in db.execute("SELECT json_extract(body, '$.kind') FROM event ORDER BY seq")]
    assert kinds == ["incident_opened", "incident_explained"]


def test_an_incident_that_is_not_there_or_closed_cannot_be_explained(db: sqlite3.Connection) -> None:
    with pytest.raises(RequestRefused, match="There is no incident 7") as missing:
        incidents.explain(db, 7, "ani", "x")
    assert missing.value.found is False
    number = incidents.raise_incident(db, "card_missing", "1", "passage 7")
    incidents.explain(db, number, "ani", "x")
    with pytest.raises(RequestRefused, match="already explained by ani"):
        incidents.explain(db, number, "budi", "y")
    assert incidents.find(db, number).explained_by == "ani"


@pytest.mark.parametrize("change", ["UPDATE incident SET explanation = 'other'", "DELETE FROM incident",
                                    "UPDATE incident SET explained_us = NULL, explained_by = '', explanation = ''"])  # fmt: skip
def test_the_database_keeps_explained_incidents_as_they_are(db: sqlite3.Connection, change: str) -> None:
    incidents.explain(db, incidents.raise_incident(db, "card_missing", "1", "x"), "ani", "y")
    with pytest.raises(sqlite3.IntegrityError, match=r"kept|cannot change"):
        db.execute(change)


def test_counts_name_every_kind_and_every_kind_says_what_to_do() -> None:
    for kind in KINDS.values():
        assert kind.id.endswith(".")
        assert kind.en.endswith(".")
        assert ";" in kind.en  # one sentence, one action


def test_a_kind_that_is_not_in_the_table_is_a_mistake_of_the_program(db: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="no incident 'odd'"):
        incidents.raise_incident(db, "odd", "1", "x")
    assert incidents.counts(db) == dict.fromkeys(KINDS, 0)


def test_a_required_count_is_answered_only_where_one_waits(db: sqlite3.Connection) -> None:
    incidents.explain_open(db, "count_required", "1", "ani", "counted 5")
    number = incidents.raise_incident(db, "count_required", "1", "passage 7")
    incidents.explain_open(db, "count_required", "1", "ani", "counted 5")
    assert incidents.find(db, number).explanation == "counted 5"
