"""The journal of passages: intents before physical acts, outcomes after them. Each function is part of a store transaction.

A passage whose intent has no outcome is *unknown*. Nothing here guesses: a start after an unclean stop marks it, and only a
person's word (`resolve`) ends it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from controller.clock import wall_us
from controller.conditions import CONDITIONS
from controller.errors import Problem, RequestRefused
from controller.jobs import ledger, queue, states
from controller.jobs.ledger import Account
from controller.jobs.states import JobEvent, WrongState
from controller.model import PassageState, Verdict

Evidence = Mapping[str, Any]  # JSON-able facts; never a person's data

STATION = "station"  # who moved a blank when no person did


class ChipUsed(Exception):
    """The chip UID already belongs to another passage."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One row of the passage table."""

    id: int
    job_id: int
    lane: str
    plan: str
    printer_serial: str
    chip_uid: str | None
    state: PassageState
    verdict: Verdict | None
    reason: str
    started_us: int
    ended_us: int | None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Passage:
        """Build from a `SELECT *` row."""
        verdict = None if row["verdict"] is None else Verdict(row["verdict"])
        return cls(row["id"], row["job_id"], row["lane"], row["plan"], row["printer_serial"], row["chip_uid"],
                   PassageState(row["state"]), verdict, row["reason"], row["started_us"], row["ended_us"])  # fmt: skip


def begin(
    db: sqlite3.Connection, job_id: int, lane: str, plan: str, printer_serial: str, stage: str, intent: Evidence
) -> Passage | None:
    """Claim a ready job for a lane and write the first stage's intent, in one commit. None when the job is no longer ready."""
    try:
        queue.change(db, queue.find(db, job_id), JobEvent.FEED)
    except WrongState:
        return None
    row = db.execute(
        """INSERT INTO passage (job_id, lane, plan, printer_serial, state, started_us)
           VALUES (?, ?, ?, ?, 'live', ?) RETURNING *""",
        (job_id, lane, plan, printer_serial, wall_us()),
    ).fetchone()
    intend(db, row["id"], stage, intent)
    return Passage.of(row)


def intend(db: sqlite3.Connection, passage_id: int, stage: str, intent: Evidence) -> None:
    """Write that a stage is about to act."""
    db.execute(
        """INSERT INTO stage (passage_id, seq, name, intent_us, intent)
           SELECT ?, 1 + coalesce(max(seq), 0), ?, ?, ? FROM stage WHERE passage_id = ?""",
        (passage_id, stage, wall_us(), _json(intent), passage_id),
    )


def conclude(db: sqlite3.Connection, passage_id: int, outcome: str, evidence: Evidence, elapsed_ms: int) -> None:
    """Write the outcome (`done` or `failed`) of the stage that is under way."""
    changed = db.execute(
        """UPDATE stage SET outcome = ?, outcome_us = ?, evidence = ?, elapsed_ms = ?
           WHERE passage_id = ? AND outcome IS NULL""",
        (outcome, wall_us(), _json(evidence), elapsed_ms, passage_id),
    )
    if changed.rowcount != 1:
        raise WrongState(f"passage {passage_id} has {changed.rowcount} stages under way, not one")


def took_blank(db: sqlite3.Connection, passage: Passage) -> None:
    """Account for the blank that left the hopper for this passage."""
    ledger.move(db, passage.lane, Account.HOPPER, Account.PASSAGE, passage_id=passage.id, who=STATION, reason="feed")


def bind_chip(db: sqlite3.Connection, passage_id: int, uid: str) -> None:
    """Bind the blank's identity to the passage. Raises ChipUsed when another passage already has it."""
    try:
        db.execute("UPDATE passage SET chip_uid = ? WHERE id = ?", (uid, passage_id))
    except sqlite3.IntegrityError as error:
        raise ChipUsed(uid) from error


def end(db: sqlite3.Connection, passage: Passage, verdict: Verdict, condition: str, max_remakes: int, who: str = "",
        why: str = "") -> queue.Job:  # fmt: skip
    """Give a passage its verdict: the passage, its job and its blank change in this one commit.

    `condition` says why it is not good (a key of CONDITIONS); `who` and `why` are a person's, when a person said so.
    """
    db.execute(
        """UPDATE passage SET state = 'ended', verdict = ?, reason = ?, resolved_by = ?, resolved_why = ?, ended_us = ?
           WHERE id = ?""",
        (verdict, condition, who, why, wall_us(), passage.id),
    )
    if verdict is not Verdict.STILL_BLANK and not _blank_is_out(db, passage.id):
        took_blank(db, passage)  # it left the hopper all the same: a card exists
    _settle_blank(db, passage, verdict, who or STATION)
    job = queue.find(db, passage.job_id)
    event = states.event_of(verdict, job.remakes, max_remakes)
    remakes = job.remakes + (verdict is Verdict.SPOILED)
    return queue.change(db, job, event, None if verdict is Verdict.GOOD else _problem(condition), remakes=remakes)


def suspect(db: sqlite3.Connection, passage_id: int, reason: str) -> None:
    """Mark a live passage unknown: something may have been done and nobody can tell."""
    db.execute("UPDATE passage SET state = 'unknown', reason = ? WHERE id = ? AND state = 'live'", (reason, passage_id))


def suspect_all(db: sqlite3.Connection) -> list[Passage]:
    """At start: whatever was live when the last run ended is unknown. Returns every unknown passage."""
    db.execute("UPDATE passage SET state = 'unknown', reason = 'passage_unknown' WHERE state = 'live'")
    return [Passage.of(row) for row in db.execute("SELECT * FROM passage WHERE state = 'unknown' ORDER BY id")]


def unknown_in(db: sqlite3.Connection, lane: str) -> Passage | None:
    """The unknown passage that holds a lane, if any."""
    row = db.execute("SELECT * FROM passage WHERE lane = ? AND state = 'unknown'", (lane,)).fetchone()
    return None if row is None else Passage.of(row)


def resolve(db: sqlite3.Connection, passage_id: int, verdict: Verdict, who: str, why: str, max_remakes: int,
            marking: Collection[str]) -> queue.Job:  # fmt: skip
    """A person says what became of an unknown passage's card: spoiled or still blank. Raises RequestRefused otherwise.

    `marking`: the stages that leave something on the card. Once one of them was begun nobody can call the card blank.
    """
    passage = find(db, passage_id)
    if passage.state is not PassageState.UNKNOWN:
        raise _refused("passage.settled", f"Perjalanan kartu {passage_id} tidak menunggu keputusan.",
                       f"Passage {passage_id} does not wait for a decision.")  # fmt: skip
    if verdict is Verdict.GOOD:
        raise _refused("passage.verdict", "Keputusan harus 'spoiled' atau 'still-blank'.",
                       "The decision must be 'spoiled' or 'still-blank'.")  # fmt: skip
    marks = [stage["name"] for stage in stages(db, passage_id) if stage["name"] in marking]
    if verdict is Verdict.STILL_BLANK and marks:
        raise _refused("passage.not_blank", f"Tahap '{marks[0]}' sudah dimulai, jadi kartunya tidak kosong; pakai 'spoiled'.",
                       f"The stage '{marks[0]}' was begun, so the card is not blank; say 'spoiled'.")  # fmt: skip
    return end(db, passage, verdict, passage.reason, max_remakes, who, why)


def find(db: sqlite3.Connection, passage_id: int) -> Passage:
    """The passage with this id. Raises RequestRefused when there is none."""
    row = db.execute("SELECT * FROM passage WHERE id = ?", (passage_id,)).fetchone()
    if row is None:
        raise _refused(
            "passage.unknown", f"Perjalanan kartu {passage_id} tidak ada.", f"There is no passage {passage_id}.", found=False
        )
    return Passage.of(row)


def of_job(db: sqlite3.Connection, job_id: int) -> list[dict[str, Any]]:
    """Every passage of a job with its stages, oldest first, ready for JSON."""
    rows = db.execute("SELECT * FROM passage WHERE job_id = ? ORDER BY id", (job_id,)).fetchall()
    return [dict(row) | {"stages": stages(db, row["id"])} for row in rows]


def stages(db: sqlite3.Connection, passage_id: int) -> list[dict[str, Any]]:
    """A passage's journal in order, ready for JSON."""
    rows = db.execute("SELECT * FROM stage WHERE passage_id = ? ORDER BY seq", (passage_id,))
    return [dict(row) | {"intent": json.loads(row["intent"]), "evidence": json.loads(row["evidence"] or "null")} for row in rows]


def outcomes(db: sqlite3.Connection) -> dict[Verdict, int]:
    """How many passages ended with each verdict; every verdict is present."""
    found = {row[0]: row[1] for row in db.execute("SELECT verdict, count(*) FROM passage WHERE state = 'ended' GROUP BY verdict")}
    return {verdict: found.get(verdict, 0) for verdict in Verdict}


def held_flag(db: sqlite3.Connection) -> bool:
    """Whether staff pressed HOLD and not GO since."""
    return db.execute("SELECT 1 FROM flag WHERE name = 'hold'").fetchone() is not None


def set_held_flag(db: sqlite3.Connection, *, held: bool) -> None:
    """Remember HOLD or GO over a restart."""
    if held:
        db.execute("INSERT OR REPLACE INTO flag (name, value) VALUES ('hold', 'yes')")
    else:
        db.execute("DELETE FROM flag WHERE name = 'hold'")


def _blank_is_out(db: sqlite3.Connection, passage_id: int) -> bool:
    """Whether the ledger already moved a blank from the hopper for this passage."""
    moved = db.execute("SELECT 1 FROM blank_move WHERE passage_id = ? AND target = 'passage'", (passage_id,)).fetchone()
    return moved is not None


def _settle_blank(db: sqlite3.Connection, passage: Passage, verdict: Verdict, who: str) -> None:
    if not _blank_is_out(db, passage.id):
        return
    target = Account.HOPPER if verdict is Verdict.STILL_BLANK else Account.OUTSIDE
    ledger.move(db, passage.lane, Account.PASSAGE, target, passage_id=passage.id, who=who, reason=verdict.value)


def _json(facts: Evidence) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _problem(condition: str) -> Problem:
    row = CONDITIONS[condition]
    return Problem(row.code, "", row.id, row.en)


def _refused(code: str, text_id: str, text_en: str, *, found: bool = True) -> RequestRefused:
    return RequestRefused(Problem(code, "passage", text_id, text_en), found=found)
