"""Jobs as rows: accepting, listing, cancelling, choosing the next one. Each function is part of a store transaction."""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from dataclasses import dataclass

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.jobs import epoch, events, states
from controller.jobs.spool import Spool
from controller.jobs.states import JobEvent, WrongState
from controller.model import JobState

PAYLOAD_LOST = "payload_lost"  # reason of a job that is held because the spool has lost its record
DONE = (JobState.ISSUED, JobState.HANDED_OVER)  # these need no payload any more
MAX_PAGE = 500  # rows a listing returns at most: bounds memory and the answer's size


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table."""

    id: int
    record_id: str
    record_digest: str
    payload: str
    state: JobState
    why: Problem | None  # why it is held, failed or ready again
    remakes: int
    received_us: int
    changed_us: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> Job:
        """Build from a `SELECT *` row."""
        why = Problem(row["reason"], "", row["reason_id"], row["reason_en"]) if row["reason"] else None
        return cls(row["id"], row["record_id"], row["record_digest"], row["payload"], JobState(row["state"]), why,
                   row["remakes"], row["received_us"], row["changed_us"])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submit."""

    job: Job
    created: bool  # False: this record was here already


def accept(db: sqlite3.Connection, spool: Spool, digest: str, record_id: str, canonical: bytes) -> Accepted:
    """Make a record a job: payload on disk first, then the row. The same record sent again returns the job it already is;
    one that was cancelled becomes ready again, and a payload that was lost is there again."""
    known = db.execute("SELECT * FROM job WHERE record_digest = ?", (digest,)).fetchone()
    if known is not None:
        return Accepted(_again(db, spool, Job.of(known), canonical), created=False)
    payload = spool.put(canonical)
    now = wall_us()
    row = db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
           VALUES (?, ?, ?, ?, 'ready', ?, ?) RETURNING *""",
        (digest, record_id, payload, len(canonical), now, now),
    ).fetchone()
    events.append(db, "job_accepted", {"job": row["id"], "record": digest})
    return Accepted(_unless_doubted(db, Job.of(row)), created=True)


def _again(db: sqlite3.Connection, spool: Spool, job: Job, canonical: bytes) -> Job:
    """A record was handed in that is a job already: what the spool lost of it is there again."""
    if job.state not in DONE and not spool.holds(job.payload):
        payload = spool.put(canonical)  # another name than before when the centre has sealed the same content anew
        db.execute("UPDATE job SET payload = ?, payload_bytes = ? WHERE id = ?", (payload, len(canonical), job.id))
        events.append(db, "payload_restored", {"job": job.id})
        job = find(db, job.id)
    if job.state is JobState.CANCELLED:
        return _unless_doubted(db, change(db, job, JobEvent.RESUBMIT, remakes=0))
    if job.state is JobState.HELD and job.why is not None and job.why.code == PAYLOAD_LOST:
        return _unless_doubted(db, change(db, job, JobEvent.RETRY, note="the record was handed in again", remakes=0))
    return job


def _unless_doubted(db: sqlite3.Connection, job: Job) -> Job:
    """After a restore nobody knows whether this record's card was issued already: a person must say so first."""
    return change(db, job, JobEvent.HOLD, epoch.why()) if epoch.is_doubted(db) else job


def drop_unowned(db: sqlite3.Connection, spool: Spool, payload: str) -> None:
    """After an accept that failed: remove its payload, unless some job owns it."""
    if db.execute("SELECT 1 FROM job WHERE payload = ?", (payload,)).fetchone() is None:
        spool.drop(payload)


def find(db: sqlite3.Connection, job_id: int) -> Job:
    """The job with this id. Raises RequestRefused when there is none."""
    row = db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
    if row is None:
        problem = Problem("job.unknown", "job", f"Pekerjaan {job_id} tidak ada; lihat 'print-station jobs'.",
                          f"There is no job {job_id}; see 'print-station jobs'.")  # fmt: skip
        raise RequestRefused(problem, found=False)
    return Job.of(row)


def page(db: sqlite3.Connection, state: JobState | None, after_id: int, limit: int) -> list[Job]:
    """Jobs in order of arrival, after the given id, at most `limit` and never more than MAX_PAGE."""
    wanted = (after_id, min(limit, MAX_PAGE))
    if state is None:
        rows = db.execute("SELECT * FROM job WHERE id > ? ORDER BY id LIMIT ?", wanted)
    else:
        rows = db.execute("SELECT * FROM job WHERE state = ? AND id > ? ORDER BY id LIMIT ?", (state, *wanted))
    return [Job.of(row) for row in rows]


def next_ready(db: sqlite3.Connection, skip: frozenset[int] = frozenset()) -> Job | None:
    """The oldest ready job that is not in `skip` (jobs that other lanes are preparing)."""
    rows = db.execute("SELECT * FROM job WHERE state = 'ready' ORDER BY id LIMIT ?", (len(skip) + 1,))
    return next((Job.of(row) for row in rows if row["id"] not in skip), None)


def counts(db: sqlite3.Connection) -> dict[JobState, int]:
    """How many jobs are in each state; every state is present."""
    found = {row[0]: row[1] for row in db.execute("SELECT name, number FROM tally WHERE kind = 'job'")}
    return {state: found[state] for state in JobState}


class Owned:
    """Which payloads belong to jobs, by the first 8 of their 32 bytes: a set of names would take 16 MiB for 100,000 jobs."""

    def __init__(self, db: sqlite3.Connection) -> None:
        rows = db.execute("SELECT DISTINCT substr(payload, 1, 16) AS prefix FROM job ORDER BY prefix")
        self._prefixes = array("Q", (int(row[0], 16) for row in rows))

    def __contains__(self, payload: object) -> bool:
        prefix = int(str(payload)[:16], 16)
        place = bisect_left(self._prefixes, prefix)
        return place < len(self._prefixes) and self._prefixes[place] == prefix


def payloads(db: sqlite3.Connection) -> set[str]:
    """Every payload a job refers to."""
    return {row[0] for row in db.execute("SELECT payload FROM job")}


def cancel(db: sqlite3.Connection, job_id: int, who: str, reason: str) -> Job:
    """Take a job back while no card of it is in work. Raises RequestRefused otherwise."""
    job = find(db, job_id)
    try:
        return change(db, job, JobEvent.CANCEL, note=f"{who}: {reason}", who=who)
    except WrongState:
        problem = Problem("job.not_cancellable", "job",
                          f"Pekerjaan {job_id} sudah '{job.state}' dan tak dapat dibatalkan; kartunya sedang atau sudah dibuat.",
                          f"Job {job_id} is '{job.state}' and cannot be cancelled; its card is in work or done.")  # fmt: skip
        raise RequestRefused(problem) from None


def retry(db: sqlite3.Connection, job_id: int, who: str, reason: str) -> Job:
    """A person removed the cause: a held or failed job is ready again, with all its remakes. Raises RequestRefused otherwise."""
    job = find(db, job_id)
    try:
        return change(db, job, JobEvent.RETRY, note=f"{who}: {reason}", remakes=0, who=who)
    except WrongState:
        problem = Problem("job.not_waiting", "job",
                          f"Pekerjaan {job_id} sedang '{job.state}'; hanya yang ditahan atau gagal dapat diulang.",
                          f"Job {job_id} is '{job.state}'; only a held or failed one can be tried again.")  # fmt: skip
        raise RequestRefused(problem) from None


def hold(db: sqlite3.Connection, job_id: int, why: Problem) -> Job | None:
    """Put a ready job aside because it cannot be printed as it is; None when it is no longer ready."""
    job = find(db, job_id)
    return change(db, job, JobEvent.HOLD, why) if job.state is JobState.READY else None


def change(db: sqlite3.Connection, job: Job, event: JobEvent, why: Problem | None = None, *, note: str | None = None,
           remakes: int | None = None, who: str = "") -> Job:  # fmt: skip
    """Move a job along the state table; `who` is the person who asked for it. Raises WrongState and then changes nothing."""
    state = states.after(job.state, event)
    code, text_id, text_en = ("", "", "") if why is None else (why.code, why.id, why.en)
    row = db.execute(
        """UPDATE job SET state = ?, reason = ?, reason_id = ?, reason_en = ?, staff_note = coalesce(?, staff_note),
           remakes = ?, changed_us = ? WHERE id = ? RETURNING *""",
        (state, code, text_id, text_en, note, job.remakes if remakes is None else remakes, wall_us(), job.id),
    ).fetchone()
    changed = {"job": job.id, "event": event, "state": state, "reason": code, "remakes": row["remakes"]}
    events.append(db, "job_changed", changed | ({"who": who} if who else {}))
    return Job.of(row)
