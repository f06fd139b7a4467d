"""Writes a verdict down and carries out what of it is bookkeeping. Each function is part of a store transaction."""

from __future__ import annotations

import sqlite3
from typing import Any

from controller.jobs import incidents, journal, ribbons
from controller.jobs.evidence import VERDICT, LaneEvidence, as_facts
from controller.jobs.journal import Passage
from controller.jobs.verdict import Answer, Ruling
from controller.model import Verdict

_PRINTS = ("print", "print and deliver")


def settle(db: sqlite3.Connection, passage: Passage, ruling: Ruling, evidence: LaneEvidence, max_remakes: int, who: str = "",
           why: str = "") -> None:  # fmt: skip
    """End a passage whose card needs no more motion: good, spoiled or still blank."""
    _note(db, passage, ruling, evidence)
    journal.end(
        db,
        passage,
        Verdict(ruling.answer),
        ruling.condition,
        max_remakes if ruling.remake else 0,
        who,
        why,
        missing=ruling.missing,
    )
    if ruling.count:
        incidents.raise_incident(db, "count_required", passage.lane, f"passage {passage.id}: {ruling.row}", passage.id)
    if ruling.missing:
        incidents.raise_incident(db, "card_missing", passage.lane, f"passage {passage.id}: {why}", passage.id)


def resume(db: sqlite3.Connection, passage: Passage, ruling: Ruling, evidence: LaneEvidence) -> None:
    """Let a passage go on: at the stage of a `continue`, or with the move into the reject bin."""
    _note(db, passage, ruling, evidence)
    if ruling.answer is Answer.CONTINUE:
        journal.make_sure_blank_is_out(db, passage)
    journal.resume(db, passage.id)


def _note(db: sqlite3.Connection, passage: Passage, ruling: Ruling, evidence: LaneEvidence) -> None:
    """The verdict in the journal, and the ribbon that an interrupted print has used."""
    rows = reversed(journal.stages(db, passage.id))
    last = next((row for row in rows if row["name"] in (*_PRINTS, VERDICT)), None)  # an earlier verdict has counted it already
    journal.note_verdict(db, passage.id, as_facts(evidence), _facts(ruling))
    if last is None or last["outcome"] == "done" or evidence.witness is None:
        return
    before, after = last["intent"].get("ribbon_remaining"), evidence.witness.ribbon_remaining  # nothing noted: nothing was sent
    most = last["intent"].get("ribbon_sets", 1)
    if before is not None and after is not None and 0 < before - after <= most:
        ribbons.used(db, passage.lane, passage.printer_serial, before, after, passage.id, before - after)


def _facts(ruling: Ruling) -> dict[str, Any]:
    return {"row": ruling.row, "answer": ruling.answer, "condition": ruling.condition, "resume": ruling.resume}
