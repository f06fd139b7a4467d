"""Questions that only a person can answer: where is the card, and is its face complete? Each function is part of a transaction.

A passage is asked about once, and a lane has one open question at most. A question survives restarts with its evidence;
each thing that is said or seen is weighed by the same `verdict` until it ends the passage.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace

from controller.clock import wall_us
from controller.errors import Problem, RequestRefused
from controller.jobs import batches, events, incidents, journal, rulings
from controller.jobs.evidence import Ask, ChipEvidence, LaneEvidence, Look, Past, as_facts, from_facts, past_of
from controller.jobs.journal import ChipRefused, Passage
from controller.jobs.verdict import Answer, Ruling, verdict

DESK = "desk reader"  # who said so, when no person did

MAY_SAY = {
    Ask.TRAY: (Look.NONE, Look.SPOILED, Look.MISSING),
    Ask.DESK: (Look.SPOILED, Look.MISSING),
    Ask.LOOK: (Look.COMPLETE, Look.SPOILED, Look.MISSING),
}


@dataclass(frozen=True, slots=True)
class Question:
    """An open question."""

    id: int
    passage: Passage
    kind: Ask
    past: Past
    evidence: LaneEvidence
    asked_us: int


def ask(db: sqlite3.Connection, passage: Passage, ruling: Ruling, evidence: LaneEvidence) -> None:
    """Ask about a passage. The database refuses a second question about it, and a second open one in its lane."""
    journal.interrupt(db, passage.id)
    db.execute(
        "INSERT INTO question (passage_id, lane, kind, evidence, asked_us) VALUES (?, ?, ?, ?, ?)",
        (passage.id, passage.lane, ruling.ask, json.dumps(as_facts(evidence)), wall_us()),
    )
    events.append(db, "question", {"passage": passage.id, "kind": ruling.ask, "row": ruling.row})
    if ruling.count:
        incidents.raise_incident(db, "count_required", passage.lane, f"passage {passage.id}: {ruling.row}", passage.id)


def ask_about_lost_lanes(db: sqlite3.Connection, lanes: Collection[str]) -> list[Passage]:
    """At start: passages of lanes that the configuration no longer has are for a person. Returns those newly asked about."""
    asked = {row[0] for row in db.execute("SELECT passage_id FROM question")}
    newly: list[Passage] = []
    for passage in journal.unknown(db):
        if passage.lane in lanes or passage.id in asked:
            continue
        evidence = LaneEvidence(same_devices=False)
        journal.interrupt(db, passage.id)
        ruling = verdict(past_of(passage.chip_uid, journal.stages(db, passage.id)), evidence)
        if ruling.ask is None:  # begun by hand, and nothing was read or booked yet: there is nothing to ask about
            rulings.settle(db, passage, ruling, evidence, max_remakes=0)
        else:
            ask(db, passage, ruling, evidence)
            newly.append(passage)
    return newly


def unsettled(db: sqlite3.Connection, lane: str) -> tuple[Passage, Ask | None] | None:
    """The unknown passage that holds a lane, and what is asked about it; read together, for an answer may come any moment."""
    passage = journal.unknown_in(db, lane)
    if passage is None:
        return None
    row = db.execute("SELECT kind FROM question WHERE passage_id = ? AND answered_us IS NULL", (passage.id,)).fetchone()
    return passage, None if row is None else Ask(row["kind"])


def open_in(db: sqlite3.Connection, lane: str) -> Question | None:
    """The lane's open question, if any."""
    row = db.execute("SELECT * FROM question WHERE lane = ? AND answered_us IS NULL", (lane,)).fetchone()
    return None if row is None else _question(db, row)


def open_all(db: sqlite3.Connection) -> list[Question]:
    """Every open question, oldest first."""
    return [_question(db, row) for row in db.execute("SELECT * FROM question WHERE answered_us IS NULL ORDER BY id").fetchall()]


def look(db: sqlite3.Connection, question_id: int, said: Look, who: str, why: str, max_remakes: int) -> Ruling:
    """A person says what they see. Raises RequestRefused when the question does not exist, is settled, or has no such answer."""
    question = _find(db, question_id)
    if said not in MAY_SAY[question.kind]:
        may = ", ".join(MAY_SAY[question.kind])
        raise _refused("question.answer", f"Pertanyaan {question_id} tidak dapat dijawab '{said}'; pilih: {may}.",
                       f"Question {question_id} cannot be answered '{said}'; choose: {may}.")  # fmt: skip
    return _weigh(db, question, replace(question.evidence, look=said), who, why, max_remakes)


def card_for(db: sqlite3.Connection, uid: str, *, just_laid: bool = True) -> Question:
    """The question that a card on the desk reader answers: the one of its chip, or one whose chip was never read.

    A card that lay there before the question came up (not `just_laid`) answers only for its own chip: nobody brought it for
    another. Raises RequestRefused for a card of another passage, one that never was ours, and one that nobody asks for.
    """
    questions = open_all(db)
    ours = next((question for question in questions if question.past.uid == uid), None)
    if ours is not None:
        return ours
    unread = next((question for question in questions if question.past.uid is None), None)
    if unread is None or not just_laid or batches.judge_uid(db, uid) is not None or _fed_elsewhere(db, uid, unread.passage):
        raise _other_card()
    return unread


def sight(db: sqlite3.Connection, question_id: int, chip: ChipEvidence, max_remakes: int) -> Ruling:
    """The desk reader read a card that `card_for` found to be this question's. Raises RequestRefused as `look` does."""
    question = _find(db, question_id)
    if question.past.uid is None:
        if not chip.fresh:  # its chip was never read, so nothing was ever written: what holds data came from elsewhere
            raise _other_card()
        try:
            journal.bind_chip(db, question.passage.id, chip.uid)
        except ChipRefused:
            raise _other_card() from None
        question = _find(db, question_id)
    known = question.evidence.desk
    if known is not None and known.uid == chip.uid and known.files and not chip.files:
        chip = known  # it was read before: that it cannot be read now takes nothing away
    return _weigh(db, question, replace(question.evidence, desk=chip, beside=False), DESK, "", max_remakes)


def _fed_elsewhere(db: sqlite3.Connection, uid: str, passage: Passage) -> bool:
    """Another passage had this chip while this one was under way, so it cannot be the one that was fed for it."""
    row = db.execute(
        "SELECT 1 FROM passage WHERE chip_uid = ? AND id <> ? AND coalesce(ended_us, ?) >= ?",
        (uid, passage.id, passage.started_us, passage.started_us),
    ).fetchone()
    return row is not None


def _weigh(db: sqlite3.Connection, question: Question, evidence: LaneEvidence, who: str, why: str, max_remakes: int) -> Ruling:
    ruling = verdict(question.past, evidence)
    facts = {"passage": question.passage.id, "row": ruling.row, "answer": ruling.answer, "who": who}
    events.append(db, "answer", facts)
    if ruling.answer is Answer.ASK:
        db.execute(
            "UPDATE question SET kind = ?, evidence = ? WHERE id = ?", (ruling.ask, json.dumps(as_facts(evidence)), question.id)
        )
        return ruling
    if ruling.answer is Answer.CONTINUE:
        raise RuntimeError("a card that is asked for lies outside: its passage cannot go on")
    rulings.settle(db, question.passage, ruling, evidence, max_remakes, who, why)
    db.execute(
        "UPDATE question SET answered_us = ?, verdict = ?, evidence = ?, who = ?, why = ? WHERE id = ?",
        (wall_us(), ruling.answer, json.dumps(as_facts(evidence)), who, why, question.id),
    )
    return ruling


def _find(db: sqlite3.Connection, question_id: int) -> Question:
    row = db.execute("SELECT * FROM question WHERE id = ?", (question_id,)).fetchone()
    if row is None:
        raise _refused("question.unknown", f"Pertanyaan {question_id} tidak ada; lihat 'print-station question list'.",
                       f"There is no question {question_id}; see 'print-station question list'.", found=False)  # fmt: skip
    if row["answered_us"] is not None:
        raise _refused("question.settled", f"Pertanyaan {question_id} sudah dijawab ({row['verdict']}); tidak ada yang diubah.",
                       f"Question {question_id} is answered already ({row['verdict']}); nothing was changed.")  # fmt: skip
    return _question(db, row)


def _question(db: sqlite3.Connection, row: sqlite3.Row) -> Question:
    passage = journal.find(db, row["passage_id"])
    past = past_of(passage.chip_uid, journal.stages(db, passage.id))
    return Question(row["id"], passage, Ask(row["kind"]), past, from_facts(json.loads(row["evidence"])), row["asked_us"])


def _other_card() -> RequestRefused:
    return _refused("question.other_card", "Kartu ini bukan yang ditanyakan; ambil kartu dari baki keluaran jalur itu.",
                    "This is not the card that is asked for; take the one from that lane's output tray.")  # fmt: skip


def _refused(code: str, text_id: str, text_en: str, *, found: bool = True) -> RequestRefused:
    return RequestRefused(Problem(code, "question", text_id, text_en), found=found)
