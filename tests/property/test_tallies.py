"""The numbers that triggers keep are those that a full count finds, whatever is done to jobs and passages in whatever order."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.jobs import journal, queue
from controller.model import JobState, PassageState, Verdict
from tests.fakes.stock import memory_db, passage

Step = tuple[str, int, str | None]

some_row = st.integers(1, 5)
job_steps = st.tuples(st.sampled_from(("job", "job and undo")), some_row, st.sampled_from(list(JobState)))
passage_steps = st.tuples(
    st.sampled_from(("passage", "end", "new")), some_row, st.one_of(st.none(), st.sampled_from(list(Verdict)))
)
deletions = st.tuples(st.sampled_from(("forget passage", "forget job")), some_row, st.none())


def _do(db: sqlite3.Connection, step: Step) -> None:
    act, row, value = step
    state = PassageState.LIVE if value is None else PassageState.ENDED
    if act == "new":
        passage(db, lane=f"{row}", verdict=None if value is None else Verdict(value))
    elif act.startswith("job"):
        db.execute("UPDATE job SET state = ?, remakes = remakes + 1 WHERE id = ?", (value, row))
    elif act == "passage":
        db.execute("INSERT INTO passage (job_id, lane, plan, printer_serial, state, verdict, started_us)"
                   " VALUES (?, 'x', 'held', 'SN', ?, ?, 0)", (row, state, value))  # fmt: skip
    elif act == "end":
        db.execute("UPDATE passage SET state = ?, verdict = ? WHERE id = ?", (state, value, row))
    else:
        db.execute(f"DELETE FROM {act.removeprefix('forget ')} WHERE id = ?", (row,))


def _counted(db: sqlite3.Connection) -> tuple[Counter[str], Counter[str]]:
    jobs = Counter(row[0] for row in db.execute("SELECT state FROM job"))
    return jobs, Counter(row[0] for row in db.execute("SELECT verdict FROM passage WHERE verdict IS NOT NULL"))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(job_steps, passage_steps, deletions), max_size=30))
def test_tallies_are_what_a_full_count_finds(steps: list[Step]) -> None:
    db = memory_db()
    for lane in "123":
        passage(db, lane)
    for step in steps:
        db.execute("BEGIN")
        with suppress(sqlite3.IntegrityError):  # a second good card, a second open passage, a job that has passages
            _do(db, step)
        db.execute("ROLLBACK" if step[0].endswith("undo") else "COMMIT")
        jobs, passages = _counted(db)
        assert queue.counts(db) == {state: jobs[state] for state in JobState}
        assert journal.outcomes(db) == {verdict: passages[verdict] for verdict in Verdict}
    db.close()
