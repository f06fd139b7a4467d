"""The journal of passages: intents before physical acts, outcomes after them. Each function is part of a store transaction.

A passage whose intent has no outcome is *unknown*. Nothing here guesses: a start after an unclean stop marks it, and only a
verdict (`controller.jobs.verdict`) lets it go on or ends it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.clock import wall_us
from controller.conditions import CONDITIONS
from controller.errors import Problem, RequestRefused
from controller.jobs import epoch, events, incidents, ledger, queue, states
from controller.jobs.evidence import VERDICT
from controller.jobs.states import JobEvent, WrongState
from controller.model import PassageState, Verdict

Facts = Mapping[str, Any]  # JSON-able facts; never a person's data

_OPEN = "SELECT * FROM passage WHERE state <> 'ended' AND state = 'unknown'"  # the first half is what the partial index says
STATION = "station"  # who moved a blank when no person did


class ChipRefused(Exception):
    """This chip must not be used; nothing of the transaction may be kept."""

    def __init__(self, condition: str, uid: str) -> None:
        super().__init__(f"{condition}: {uid}")
        self.condition = condition  # key of CONDITIONS
        self.uid = uid


@dataclass(frozen=True, slots=True)
class Passage:
    """One row of the passage table."""

    id: int
    job_id: int
    lane: str
    plan: str
    printer_serial: str
    reader: str
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
        return cls(row["id"], row["job_id"], row["lane"], row["plan"], row["printer_serial"], row["reader"],
                   row["chip_uid"], PassageState(row["state"]), verdict, row["reason"], row["started_us"],
                   row["ended_us"])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """What a passage is begun for, and on which devices: their serials are its epoch."""

    job_id: int
    lane: str
    plan: str
    printer_serial: str
    reader: str  # its PC/SC name, which holds the serial number of a USB reader


def begin(db: sqlite3.Connection, claim: Claim, stage: str, intent: Facts) -> Passage | None:
    """Claim a ready job for a lane and write the first stage's intent, in one commit. None when the job is no longer ready."""
    try:
        queue.change(db, queue.find(db, claim.job_id), JobEvent.FEED)
    except WrongState:
        return None
    row = db.execute(
        """INSERT INTO passage (job_id, lane, plan, printer_serial, reader, state, started_us)
           VALUES (?, ?, ?, ?, ?, 'live', ?) RETURNING *""",
        (claim.job_id, claim.lane, claim.plan, claim.printer_serial, claim.reader, wall_us()),
    ).fetchone()
    events.append(db, "passage_begun", {"passage": row["id"], "job": claim.job_id, "lane": claim.lane,
                                        "printer": claim.printer_serial, "reader": claim.reader})  # fmt: skip
    intend(db, row["id"], stage, intent)
    return Passage.of(row)


def intend(db: sqlite3.Connection, passage_id: int, stage: str, intent: Facts) -> None:
    """Write that a stage is about to act."""
    db.execute(
        """INSERT INTO stage (passage_id, seq, name, intent_us, intent)
           SELECT ?, 1 + coalesce(max(seq), 0), ?, ?, ? FROM stage WHERE passage_id = ?""",
        (passage_id, stage, wall_us(), _json(intent), passage_id),
    )
    events.append(db, "intent", {"passage": passage_id, "stage": stage, "facts": intent})


def conclude(db: sqlite3.Connection, passage_id: int, outcome: str, evidence: Facts, elapsed_ms: int) -> None:
    """Write the outcome (`done` or `failed`) of the stage that is under way."""
    changed = db.execute(
        """UPDATE stage SET outcome = ?, outcome_us = ?, evidence = ?, elapsed_ms = ?
           WHERE passage_id = ? AND outcome IS NULL""",
        (outcome, wall_us(), _json(evidence), elapsed_ms, passage_id),
    )
    if changed.rowcount != 1:
        raise WrongState(f"passage {passage_id} has {changed.rowcount} stages under way, not one")
    events.append(db, "outcome", {"passage": passage_id, "outcome": outcome, "facts": evidence})


def interrupt(db: sqlite3.Connection, passage_id: int) -> None:
    """Close the stage that was under way when the daemon ended, if one was: its outcome is not known and never will be."""
    if db.execute("SELECT 1 FROM stage WHERE passage_id = ? AND outcome IS NULL", (passage_id,)).fetchone() is not None:
        conclude(db, passage_id, "failed", {"condition": "interrupted", "detail": "", "error": "Interrupted"}, 0)


def note_verdict(db: sqlite3.Connection, passage_id: int, found: Facts, ruling: Facts) -> None:
    """Write what recovery found and what was decided, as a row of the journal."""
    interrupt(db, passage_id)
    intend(db, passage_id, VERDICT, found)
    conclude(db, passage_id, "done", ruling, 0)


def resume(db: sqlite3.Connection, passage_id: int) -> None:
    """An unknown passage goes on."""
    changed = db.execute("UPDATE passage SET state = 'live', reason = '' WHERE id = ? AND state = 'unknown'", (passage_id,))
    if changed.rowcount != 1:
        raise WrongState(f"passage {passage_id} is not unknown: it cannot be gone on with")


def took_blank(db: sqlite3.Connection, passage: Passage) -> None:
    """Account for the blank that left the hopper for this passage."""
    ledger.take_blank(db, passage.lane, passage.id)


def make_sure_blank_is_out(db: sqlite3.Connection, passage: Passage) -> None:
    """A card of this passage exists, so a blank left the hopper, whether or not the feed's outcome was written."""
    if not ledger.blank_is_out(db, passage.id):
        took_blank(db, passage)


def bind_chip(db: sqlite3.Connection, passage_id: int, uid: str) -> None:
    """Bind the blank's identity to the passage. Raises ChipRefused when another passage already has it."""
    try:
        db.execute("UPDATE passage SET chip_uid = ? WHERE id = ?", (uid, passage_id))
    except sqlite3.IntegrityError as error:
        raise ChipRefused("chip_used", uid) from error


def end(db: sqlite3.Connection, passage: Passage, verdict: Verdict, condition: str, max_remakes: int, who: str = "",
        why: str = "", *, missing: bool = False) -> queue.Job:  # fmt: skip
    """Give a passage its verdict: the passage, its job and its blank change in this one commit.

    `condition` says why it is not good (a key of CONDITIONS); `who` and `why` are a person's, when a person said so.
    `missing`: nobody has the card. A spoiled card is made again while its job has remakes left of `max_remakes`; 0: never.
    """
    row = db.execute(
        """UPDATE passage SET state = 'ended', verdict = ?, reason = ?, resolved_by = ?, resolved_why = ?, ended_us = ?
           WHERE id = ? AND state <> 'ended' RETURNING chip_uid""",
        (verdict, condition, who, why, wall_us(), passage.id),
    ).fetchone()
    if row is None:
        raise WrongState(f"passage {passage.id} has its verdict already")
    if verdict is not Verdict.STILL_BLANK:
        make_sure_blank_is_out(db, passage)
    _settle_blank(db, passage, verdict, who or STATION, missing=missing)
    if condition == "feed_unproven":
        incidents.raise_incident(db, "feed_disputed", passage.lane, f"passage {passage.id}", passage.id)
    job = queue.find(db, passage.job_id)
    event = states.event_of(verdict, job.remakes, max_remakes)
    events.append(db, "verdict", {"passage": passage.id, "job": job.id, "verdict": verdict, "condition": condition,
                                  "uid": row["chip_uid"], "who": who, "missing": missing})  # fmt: skip
    if event is JobEvent.BACK and passage.reason == epoch.RESTORED:  # an old memory: it may have been issued since
        event, condition = JobEvent.HOLD, epoch.RESTORED
    remakes = job.remakes + (verdict is Verdict.SPOILED)
    return queue.change(db, job, event, None if verdict is Verdict.GOOD else _problem(condition), remakes=remakes)


def suspect(db: sqlite3.Connection, passage_id: int, reason: str) -> None:
    """Mark a live passage unknown: something may have been done and nobody can tell."""
    db.execute("UPDATE passage SET state = 'unknown', reason = ? WHERE id = ? AND state = 'live'", (reason, passage_id))


def suspect_all(db: sqlite3.Connection) -> list[Passage]:
    """At start: whatever was live when the last run ended is unknown. Returns every unknown passage."""
    db.execute("UPDATE passage SET state = 'unknown', reason = 'interrupted' WHERE state <> 'ended' AND state = 'live'")
    return unknown(db)


def unknown(db: sqlite3.Connection) -> list[Passage]:
    """Every unknown passage, oldest first."""
    return [Passage.of(row) for row in db.execute(f"{_OPEN} ORDER BY id")]


def unknown_in(db: sqlite3.Connection, lane: str) -> Passage | None:
    """The unknown passage that holds a lane, if any."""
    row = db.execute(f"{_OPEN} AND lane = ?", (lane,)).fetchone()
    return None if row is None else Passage.of(row)


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
    found = {row[0]: row[1] for row in db.execute("SELECT name, number FROM tally WHERE kind = 'passage'")}
    return {verdict: found[verdict] for verdict in Verdict}


def held_flag(db: sqlite3.Connection) -> bool:
    """Whether staff pressed HOLD and not GO since."""
    return db.execute("SELECT 1 FROM flag WHERE name = 'hold'").fetchone() is not None


def set_held_flag(db: sqlite3.Connection, who: str, *, held: bool) -> None:
    """Remember HOLD or GO over a restart."""
    if held != held_flag(db):
        events.append(db, "hold" if held else "go", {"who": who})
    if held:
        db.execute("INSERT OR REPLACE INTO flag (name, value) VALUES ('hold', 'yes')")
    else:
        db.execute("DELETE FROM flag WHERE name = 'hold'")


def _settle_blank(db: sqlite3.Connection, passage: Passage, verdict: Verdict, who: str, *, missing: bool) -> None:
    if ledger.blank_is_out(db, passage.id):
        ledger.settle_blank(db, passage.lane, passage.id, verdict, who, missing=missing)


def _json(facts: Facts) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _problem(condition: str) -> Problem:
    row = CONDITIONS[condition]
    return Problem(row.code, "", row.id, row.en)


def _refused(code: str, text_id: str, text_en: str, *, found: bool = True) -> RequestRefused:
    return RequestRefused(Problem(code, "passage", text_id, text_en), found=found)
