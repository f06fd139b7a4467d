"""What must be true of a station in memory when its job is over, whatever happened: belief and world are one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from controller.chips.profile_tables import LENGTH_PREFIX_BYTES
from controller.jobs import ledger, queue
from controller.model import ChipFile, JobState
from tests.crash.hand_person import HandPerson
from tests.crash.person import Person
from tests.fakes.lane import Card, FakeLane


class Outcome(Protocol):
    """What is judged."""

    lane: FakeLane
    files: Sequence[ChipFile]
    person: Person | HandPerson
    kills: int
    losses: int


def broken_promises(db: sqlite3.Connection, outcome: Outcome) -> list[str]:
    """Every promise that was not kept, in words; empty when all is well."""
    return [*_job(db, outcome), *_books(db, outcome.lane), *_cards(outcome.lane), *_questions(db, outcome)]


def is_whole(card: Card, files: Sequence[ChipFile]) -> bool:
    """Every file on the chip, every panel on the face, each once."""
    chip = all(
        bytes(card.chip.memory[file.fid][: LENGTH_PREFIX_BYTES + len(file.content)])
        == len(file.content).to_bytes(LENGTH_PREFIX_BYTES, "big") + file.content
        for file in files
    )
    return chip and card.face_complete


def _job(db: sqlite3.Connection, outcome: Outcome) -> list[str]:
    job = queue.find(db, 1)
    good = [row[0] for row in db.execute("SELECT chip_uid FROM passage WHERE verdict = 'good'")]
    out = [card.chip.uid for card in outcome.lane.output if is_whole(card, outcome.files)]
    wrong = []
    if job.state is JobState.ISSUED and (len(good) != 1 or out != good):
        wrong.append(f"issued by {good}, whole cards in the tray: {out}")
    if job.state is JobState.FAILED and (good or out or job.why is None):
        wrong.append(f"failed ({job.why}), good: {good}, whole cards in the tray: {out}")
    if job.state not in (JobState.ISSUED, JobState.FAILED):
        wrong.append(f"the job is {job.state}")
    if db.execute("SELECT 1 FROM passage WHERE state <> 'ended'").fetchone() is not None:
        wrong.append("a passage has no verdict")
    return wrong


def _books(db: sqlite3.Connection, lane: FakeLane) -> list[str]:
    world = {
        ledger.hopper("1"): len(lane.hopper), ledger.in_passage("1"): 0, ledger.reject_bin("1"): len(lane.rejected),
        ledger.ISSUED: len(lane.output), ledger.MISSING: 0, ledger.SURPLUS: 0,
    }  # fmt: skip
    books = {name: ledger.held(db, name) for name in world}
    wrong = [f"{name}: {books[name]} by the books, {count} in the world" for name, count in world.items() if books[name] != count]
    return [*wrong, *(f"the books are unsound: {fault}" for fault in ledger.faults(db))]


def _cards(lane: FakeLane) -> list[str]:
    cards = [*lane.hopper, *lane.output, *lane.rejected]
    wrong = [f"{card.chip.uid} was printed {card.prints} times" for card in cards if card.prints > 1]
    if lane.inside is not None:
        wrong.append(f"{lane.inside.chip.uid} was left inside")
    return wrong + [f"{card.chip.uid} in the hopper is no blank" for card in lane.hopper if card.face or _written(card)]


def _written(card: Card) -> bool:
    return any(any(card.chip.memory[row.fid]) for row in card.chip.profile.personalised)


def _questions(db: sqlite3.Connection, outcome: Outcome) -> list[str]:
    asked = db.execute("SELECT count(*) FROM question").fetchone()[0]
    shown = db.execute("SELECT count(*) FROM stage WHERE name = 'print and deliver' AND outcome = 'done'").fetchone()[0]
    blows = outcome.kills + outcome.losses
    wrong = [] if asked <= blows + shown else [f"{asked} questions after {blows} interruptions and {shown} cards to be shown"]
    if db.execute("SELECT 1 FROM question WHERE answered_us IS NULL").fetchone() is not None:
        wrong.append("a question was never answered")
    return wrong + (["a card was called missing that nobody took"] if "missing" in outcome.person.answered else [])
