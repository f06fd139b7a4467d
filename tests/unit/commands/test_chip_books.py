"""What the station's own books know of a chip, for `print-station chip`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.commands.chip_books import Known, known
from controller.jobs.store import migrations
from controller.model import Verdict
from tests.fakes.chip import OTHER_UID, UID
from tests.fakes.stock import passage


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    with closing(_books(tmp_path)) as db:
        for script in migrations():
            db.executescript(script)
    return tmp_path


@pytest.mark.parametrize(
    ("verdict", "said"), [("good", Known.ISSUED), ("spoiled", Known.SPOILED), (None, Known.OPEN), ("still_blank", Known.NOTHING)]
)
def test_the_books_tell_what_became_of_a_chip(state_dir: Path, verdict: Verdict | None, said: Known) -> None:
    with closing(_books(state_dir)) as db:
        passage(db, uid=UID, verdict=verdict)
    assert known(state_dir, UID) is said
    assert known(state_dir, OTHER_UID) is Known.NOTHING


def test_the_books_are_left_as_they_were(state_dir: Path) -> None:
    known(state_dir, UID)
    assert [path.name for path in state_dir.iterdir()] == ["station.db"]


def test_no_books_are_not_books_that_cannot_be_read(tmp_path: Path) -> None:
    assert known(tmp_path / "nowhere", UID) is Known.NO_BOOKS
    (tmp_path / "station.db").write_bytes(b"no database, but long enough to be looked at" * 100)
    assert known(tmp_path, UID) is Known.UNREADABLE


def _books(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "station.db", isolation_level=None)
    db.row_factory = sqlite3.Row
    return db
