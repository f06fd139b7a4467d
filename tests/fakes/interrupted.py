"""Passages that stopped half-way, as the journal of a lane in memory would have them. For tests of what comes after."""

from __future__ import annotations

import sqlite3

from controller.jobs import journal, questions
from controller.jobs.evidence import ChipEvidence, LaneEvidence, Phase, past_of
from controller.jobs.journal import Claim, Passage
from controller.jobs.questions import Question
from controller.jobs.stages import file_hashes, witness_facts
from controller.jobs.verdict import verdict
from controller.model import CardPosition, PrinterWitness
from tests.fakes.lane import FILES, PANELS

UID = "04000000000001"
SERIAL, READER = "SN1", "reader 1"
BEFORE = PrinterWitness(CardPosition.NONE, 100, 500, 50)  # what a fresh FakeLane reports
FED = PrinterWitness(CardPosition.CONTACTLESS, 101, 500, 50)
PRINTED = PrinterWitness(CardPosition.PRINT, 101, 505, 49)
HASHES = file_hashes(FILES)
PANEL_HASHES = {panel.name: panel.sha256 for panel in PANELS}


def stop_at(db: sqlite3.Connection, phase: Phase, uid: str | None = UID, lane: str = "1") -> Passage:
    """A job whose passage is unknown and got as far as `phase`, the stage there still under way. Part of a transaction."""
    job = db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
           VALUES (hex(randomblob(16)), 'r', 'p', 1, 'ready', 0, 0) RETURNING id"""
    ).fetchone()
    plan = "ejecting" if phase is Phase.LEAVING else "held"
    passage = journal.begin(db, Claim(job["id"], lane, plan, SERIAL, READER), "feed", witness_facts(BEFORE))
    assert passage is not None
    if phase is not Phase.FEEDING:
        journal.conclude(db, passage.id, "done", witness_facts(FED), 1)
        journal.took_blank(db, passage)
        _after_the_feed(db, passage, phase, uid)
    journal.suspect(db, passage.id, "printer_lost")
    return journal.find(db, passage.id)


def ask_about(db: sqlite3.Connection, phase: Phase, uid: str | None = UID, evidence: LaneEvidence | None = None,
              lane: str = "1") -> Question:  # fmt: skip
    """A passage that stopped at `phase`, and the question about it that the verdict asks for. Part of a transaction."""
    passage = stop_at(db, phase, uid, lane)
    journal.interrupt(db, passage.id)
    found = gone() if evidence is None else evidence
    past = past_of(passage.chip_uid, journal.stages(db, passage.id))
    questions.ask(db, passage, verdict(past, found), found)
    return questions.open_all(db)[-1]


def gone(fed: int = 1, panels: int = 0, *, ejects: bool = False) -> LaneEvidence:
    """No card inside; so many cards and panels counted since the feed."""
    return LaneEvidence(True, ejects, PrinterWitness(CardPosition.NONE, 100 + fed, 500 + panels, 50))


def whole(uid: str = UID) -> ChipEvidence:
    """The chip as it was to be."""
    return ChipEvidence(uid, False, HASHES)


def _after_the_feed(db: sqlite3.Connection, passage: Passage, phase: Phase, uid: str | None) -> None:
    if phase is Phase.CONDEMNED:
        _failed(db, passage, "probe", "chip_refused")
        return
    if uid is None:
        return
    journal.intend(db, passage.id, "probe", {})
    journal.conclude(db, passage.id, "done", {"uid": uid}, 1)
    journal.bind_chip(db, passage.id, uid)
    if phase is Phase.FED:
        return
    journal.intend(db, passage.id, "encode", {"uid": uid, "files": HASHES})
    if phase is Phase.WRITING:
        return
    journal.conclude(db, passage.id, "done", {"bytes": 1}, 1)
    name = "print and deliver" if phase is Phase.LEAVING else "print"
    journal.intend(db, passage.id, name, {**witness_facts(FED), "panels": PANEL_HASHES})
    if phase is not Phase.CHECKED:
        return
    journal.conclude(db, passage.id, "done", witness_facts(PRINTED), 1)
    journal.intend(db, passage.id, "check", witness_facts(PRINTED))
    journal.conclude(db, passage.id, "done", {"uid": uid}, 1)


def _failed(db: sqlite3.Connection, passage: Passage, stage: str, condition: str) -> None:
    journal.intend(db, passage.id, stage, {})
    journal.conclude(db, passage.id, "failed", {"condition": condition, "detail": "", "error": "CardWrong"}, 1)
