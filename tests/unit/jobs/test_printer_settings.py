"""Settings of a printer: accepted once, compared ever after, told once per change, accepted again by a person only."""

from __future__ import annotations

import json
import sqlite3

import pytest

from controller.errors import RequestRefused
from controller.jobs import incidents, printer_settings
from controller.jobs.printer_settings import MAX_SETTINGS, MAX_VALUE, Setting, accept, bounded, is_news, known, note

FIRST = {"contrast_black": "10", "offset_across": "0"}
TURNED = {"contrast_black": "12", "offset_across": "0"}


def _open(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return [(row.kind, row.place, row.detail) for row in incidents.open_incidents(db)]


def _names(settings: list[Setting]) -> list[str]:
    return [setting.name for setting in settings]


def test_the_first_reading_of_a_unit_is_accepted_silently_and_recorded(db: sqlite3.Connection) -> None:
    assert note(db, "1", "SN1", FIRST) == []
    assert [(row.name, row.accepted, row.accepted_by) for row in known(db, "SN1")] == [
        ("contrast_black", "10", "station"), ("offset_across", "0", "station")]  # fmt: skip
    assert _open(db) == []
    (body,) = db.execute("SELECT body FROM event WHERE body LIKE '%settings_accepted%'").fetchone()
    assert json.loads(body)["facts"]["settings"] == FIRST


def test_a_change_is_an_incident_with_setting_old_and_new_value(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    assert _names(note(db, "1", "SN1", TURNED)) == ["contrast_black"]
    assert _open(db) == [("settings_changed", "1", "printer SN1: contrast_black was '10', now '12'")]


def test_the_same_change_is_told_once_and_another_one_joins_it(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    for _ in range(3):
        note(db, "1", "SN1", TURNED)
    assert len(_open(db)) == 1
    assert not is_news(known(db, "SN1"), TURNED)
    note(db, "1", "SN1", {"contrast_black": "13", "offset_across": "0"})
    assert _open(db)[0][2].endswith("contrast_black was '10', now '12'; printer SN1: contrast_black was '10', now '13'")


def test_a_setting_that_was_set_back_no_longer_differs_and_its_incident_stays_to_be_explained(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    note(db, "1", "SN1", TURNED)
    assert note(db, "1", "SN1", FIRST) == []
    assert _open(db) == [("settings_changed", "1", "printer SN1: contrast_black was '10', now '12'")]


def test_a_person_accepts_what_was_last_read_and_the_incident_is_explained(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    note(db, "1", "SN1", TURNED)
    assert [(row.name, row.accepted, row.seen) for row in accept(db, "1", "SN1", "ani", "new ribbon")] == [
        ("contrast_black", "10", "12")]  # fmt: skip
    assert _open(db) == []
    assert next((row.accepted, row.accepted_by, row.differs) for row in known(db, "SN1")) == ("12", "ani", False)
    assert note(db, "1", "SN1", TURNED) == []


def test_there_must_be_something_to_accept(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    with pytest.raises(RequestRefused, match="No setting of printer SN1 has changed"):
        accept(db, "1", "SN1", "ani", "just so")


def test_units_are_told_apart_and_a_setting_not_read_now_stays(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    assert note(db, "1", "SN2", TURNED) == []
    assert note(db, "1", "SN1", {"offset_across": "0"}) == []
    assert [row.seen for row in known(db, "SN1")] == ["10", "0"]


def test_a_setting_that_a_newer_profile_names_is_accepted_like_a_first_reading(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    assert note(db, "1", "SN1", FIRST | {"speed_black": "3"}) == []
    assert _open(db) == []


def test_a_printer_that_babbles_is_cut_short(db: sqlite3.Connection) -> None:
    babble = {f"setting_{n:03}": "9" * 1000 for n in range(500)}
    assert (len(bounded(babble)), {len(value) for value in bounded(babble).values()}) == (MAX_SETTINGS, {MAX_VALUE})
    note(db, "1", "SN1", babble)
    assert not is_news(known(db, "SN1"), babble)


def test_what_a_person_typed_is_not_in_the_event_log(db: sqlite3.Connection) -> None:
    note(db, "1", "SN1", FIRST)
    note(db, "1", "SN1", TURNED)
    accept(db, "1", "SN1", "ani", "card of Budi was pale")
    bodies = [row[0] for row in db.execute("SELECT body FROM event")]
    assert not any("Budi" in body for body in bodies)
    assert printer_settings.INCIDENT in incidents.KINDS
