"""What is asked and believed of a passage that was fed by hand, and what becomes of it when its lane is gone."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent
from controller.jobs import journal, ledger, queue
from controller.jobs.evidence import ChipEvidence, LaneEvidence, Phase, as_facts, from_facts, past_of
from controller.jobs.journal import Passage
from controller.jobs.questions import ask_about_lost_lanes, open_all
from controller.jobs.recovery import Recovery
from controller.jobs.stages import witness_facts
from controller.jobs.store import Store
from controller.model import Balance, JobState, PrinterWitness
from tests.fakes.by_hand import HandLane
from tests.fakes.interrupted import BEFORE, HASHES, PANEL_HASHES, READER, SERIAL, UID
from tests.fakes.lane import FILES
from tests.fakes.stock import fill


def stop_at(db: sqlite3.Connection, phase: Phase) -> Passage:
    """A job whose passage by hand is unknown and got as far as `phase`. Part of a transaction."""
    job = db.execute(
        """INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
           VALUES (hex(randomblob(16)), 'r', 'p', 1, 'ready', 0, 0) RETURNING id"""
    ).fetchone()
    passage = journal.begin(db, journal.Claim(job["id"], "1", "external", SERIAL, READER), "probe", witness_facts(BEFORE))
    assert passage is not None
    if phase is not Phase.FEEDING:
        journal.conclude(db, passage.id, "done", {"uid": UID}, 1)
        journal.took_blank(db, passage)
        journal.bind_chip(db, passage.id, UID)
        journal.intend(db, passage.id, "encode", {"uid": UID, "files": HASHES})
    if phase is Phase.PRINTING:
        journal.conclude(db, passage.id, "done", {"bytes": 1}, 1)
        journal.intend(db, passage.id, "print", {**witness_facts(BEFORE), "panels": PANEL_HASHES})
    journal.suspect(db, passage.id, "interrupted")
    return journal.find(db, passage.id)


@pytest.fixture
def lane() -> HandLane:
    lane = HandLane()
    lane.load(3)
    return lane


async def _gather(store: Store, lane: HandLane, phase: Phase, reader: str = READER) -> LaneEvidence:
    await store.transact(fill, "1", 3)
    passage = await store.transact(stop_at, phase)
    recovery = Recovery(store, lane.devices, reader, ejects=True, by_hand=True)
    return await recovery.gather(passage, await recovery.past(passage), None)


async def _write(lane: HandLane) -> None:
    lane.obey("lay_blank")
    await lane.chip.identify(Deadline.after(1))
    await lane.chip.write(FILES, Deadline.after(1))


async def test_the_card_on_the_lanes_reader_counts_as_one_on_the_desk_reader(store: Store, lane: HandLane) -> None:
    await _write(lane)
    evidence = await _gather(store, lane, Phase.WRITING)
    assert (evidence.desk, evidence.beside) == (ChipEvidence(UID, False, HASHES), True)


async def test_it_counts_for_a_printer_or_reader_that_is_new_there_too(store: Store, lane: HandLane) -> None:
    await _write(lane)
    evidence = await _gather(store, lane, Phase.PRINTING, reader="another")
    assert (evidence.same_devices, evidence.witness, evidence.desk) == (False, None, ChipEvidence(UID, False, HASHES))


async def test_any_other_card_that_lies_there_is_no_evidence(store: Store, lane: HandLane) -> None:
    lane.bring(lane.hopper[-1])
    evidence = await _gather(store, lane, Phase.PRINTING)
    assert (evidence.desk, evidence.beside) == (None, False)


async def test_nobody_is_asked_about_a_passage_that_was_never_begun(store: Store, lane: HandLane) -> None:
    lane.present = False
    assert await _gather(store, lane, Phase.FEEDING) == LaneEvidence(same_devices=False)


async def test_a_printer_that_cannot_be_asked_is_waited_for(store: Store, lane: HandLane) -> None:
    lane.present = False
    with pytest.raises(DeviceAbsent, match="printer_absent"):
        await _gather(store, lane, Phase.PRINTING)


async def test_a_passage_that_was_never_begun_ends_when_its_lane_is_gone(store: Store) -> None:
    await store.transact(fill, "1", 3)
    await store.transact(stop_at, Phase.FEEDING)
    assert await store.transact(ask_about_lost_lanes, ["2"]) == []
    assert ((await store.read(queue.find, 1)).state, await store.read(ledger.of_lane, "1")) == (JobState.READY, Balance(3))
    assert await store.read(journal.unknown) == []


async def test_a_card_in_somebodys_hand_is_asked_for_when_its_lane_is_gone(store: Store) -> None:
    await store.transact(fill, "1", 3)
    passage = await store.transact(stop_at, Phase.WRITING)
    assert await store.transact(ask_about_lost_lanes, ["2"]) == [passage]
    assert [question.kind for question in await store.read(open_all)] == ["desk"]


def test_evidence_of_a_question_from_before_there_were_such_lanes_can_be_read() -> None:
    evidence = LaneEvidence(same_devices=True, witness=replace(BEFORE), beside=True)
    facts = as_facts(evidence)
    assert from_facts(facts) == evidence
    del facts["beside"]
    assert from_facts(facts) == replace(evidence, beside=False)
    assert isinstance(from_facts(facts).witness, PrinterWitness)


def _failed(name: str, condition: str, error: str) -> dict[str, object]:
    return {"name": name, "intent": {}, "outcome": "failed", "evidence": {"condition": condition, "detail": "", "error": error}}


_BEGUN = {"name": "probe", "intent": {}, "outcome": "done", "evidence": {"uid": UID}}


def test_a_card_that_was_wrong_before_it_was_bound_condemns_nothing() -> None:
    past = past_of(None, [_failed("probe", "chip_silent", "CardWrong")])
    assert (past.phase, past.wrong, past.by_hand) == (Phase.FEEDING, "", True)


def test_what_is_asked_again_by_hand_condemns_nothing() -> None:
    past = past_of(
        UID, [_BEGUN, _failed("lift", "feed_by_hand", "DeviceRefused"), _failed("check", "lay_other", "DeviceRefused")]
    )
    assert (past.phase, past.wrong, past.doubted) == (Phase.FED, "", True)


def test_a_card_that_was_found_wrong_by_hand_is_condemned() -> None:
    past = past_of(UID, [_BEGUN, _failed("read back", "chip_differs", "CardWrong")])
    assert (past.phase, past.wrong) == (Phase.CONDEMNED, "chip_differs")
