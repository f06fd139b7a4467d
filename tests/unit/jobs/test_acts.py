"""An act with a key is done once; another command with the same key is a mistake."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from controller import staff
from controller.errors import RequestRefused
from controller.jobs import acts, journal, ledger, questions
from controller.jobs.batches import refused

COMMAND = {"path": "load", "quantity": 5}


def _work(db: sqlite3.Connection) -> Mapping[str, Any]:
    ledger.post(db, ledger.SUPPLIER, ledger.STORE, 5, who="ani", reason="x")
    return {"store": ledger.held(db, ledger.STORE)}


def test_the_same_act_again_is_answered_and_not_done(db: sqlite3.Connection) -> None:
    first = acts.once(db, "key-00001", COMMAND, _work)
    assert acts.once(db, "key-00001", dict(reversed(COMMAND.items())), _work) == first == {"store": 5}
    assert ledger.held(db, ledger.STORE) == 5


@pytest.mark.parametrize("key", [None, "key-00002"])
def test_another_key_or_none_is_another_act(db: sqlite3.Connection, key: str | None) -> None:
    acts.once(db, "key-00001", COMMAND, _work)
    assert acts.once(db, key, COMMAND, _work) == {"store": 10}


def test_a_key_cannot_be_used_for_another_command(db: sqlite3.Connection) -> None:
    acts.once(db, "key-00001", COMMAND, _work)
    with pytest.raises(RequestRefused, match="used for another command"):
        acts.once(db, "key-00001", COMMAND | {"quantity": 6}, _work)
    assert ledger.held(db, ledger.STORE) == 5


def test_a_refused_act_leaves_its_key_free(db: sqlite3.Connection) -> None:
    def no(_db: sqlite3.Connection) -> Mapping[str, Any]:
        raise refused("x", "", "tidak", "no")

    with pytest.raises(RequestRefused, match="no"):
        acts.once(db, "key-00001", COMMAND, no)
    assert acts.once(db, "key-00001", COMMAND, _work) == {"store": 5}


def test_the_names_under_which_the_station_writes_itself_are_no_persons() -> None:
    assert {ledger.STATION, journal.STATION, questions.DESK, staff.PANEL} == acts.NO_PERSONS


@pytest.mark.parametrize("who", ["station", "Station", " station ", "front  panel", "DESK READER"])
def test_an_act_in_the_name_of_the_station_is_refused(who: str) -> None:
    with pytest.raises(RequestRefused, match="give the name of a person") as refused:
        acts.must_be_person(who)
    assert "nama petugas" in refused.value.problem.id


@pytest.mark.parametrize("who", ["ani", "stationmaster", "ani, front panel"])
def test_any_other_name_may_be_a_person(who: str) -> None:
    acts.must_be_person(who)
