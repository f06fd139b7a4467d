"""What is shown several times a second, for years, is never counted through: numbers are kept, rows are found by index."""

from __future__ import annotations

import sqlite3

from controller.jobs import journal, queue
from controller.model import JobState, Verdict
from tests.fakes.stock import finish, passage, plans

KEPT = ["SEARCH tally USING PRIMARY KEY (kind=?)"]


def test_every_state_and_verdict_has_its_number_from_the_start(db: sqlite3.Connection) -> None:
    assert queue.counts(db) == dict.fromkeys(JobState, 0)
    assert journal.outcomes(db) == dict.fromkeys(Verdict, 0)


def test_a_passage_counts_from_its_verdict_on(db: sqlite3.Connection) -> None:
    number = passage(db)
    assert (queue.counts(db)[JobState.ACTIVE], journal.outcomes(db)[Verdict.GOOD]) == (1, 0)
    finish(db, number, Verdict.GOOD)
    assert journal.outcomes(db)[Verdict.GOOD] == 1


def test_jobs_and_outcomes_are_not_counted_through(db: sqlite3.Connection) -> None:
    assert plans(db, queue.counts) == KEPT
    assert plans(db, journal.outcomes) == KEPT


def test_the_passages_of_a_job_are_found_by_index(db: sqlite3.Connection) -> None:
    job = db.execute("SELECT job_id FROM passage WHERE id = ?", (passage(db),)).fetchone()[0]
    found = plans(db, lambda db: journal.of_job(db, job))
    assert found == ["SEARCH passage USING INDEX passage_by_job (job_id=?)",
                     "SEARCH stage USING INDEX sqlite_autoindex_stage_1 (passage_id=?)"]  # fmt: skip
