"""Questions that only a person can answer: what may be said, by whom, about which card; and that they last."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import RequestRefused, StoreError
from controller.jobs import journal, ledger, questions, queue
from controller.jobs.evidence import Ask, ChipEvidence, LaneEvidence, Look, Phase
from controller.jobs.store import Store
from controller.jobs.verdict import Answer, verdict
from controller.model import Balance, CardPosition, JobState, PrinterWitness, Verdict
from tests.fakes.interrupted import UID, ask_about, gone, stop_at, whole
from tests.fakes.stock import fill, passage

NEW = "04000000000099"
NOTHING_COUNTED = gone(0, ejects=True)


@pytest.fixture
async def full(store: Store) -> Store:
    await store.transact(fill, "1", 10)
    await store.transact(fill, "2", 10)
    return store


async def _said(store: Store, said: Look, number: int = 1) -> Answer:
    return (await store.transact(questions.look, number, said, "budi", "seen", 1)).answer


async def _laid_down(store: Store, chip: ChipEvidence) -> Answer:
    found = await store.read(questions.card_for, chip.uid)
    return (await store.transact(questions.sight, found.id, chip, 1)).answer


async def _state(store: Store) -> tuple[object, ...]:
    """Everything that an answer could have changed."""
    tables = ("question", "passage", "job", "stage", "entry", "event", "incident")
    return await store.read(lambda db: tuple(tuple(map(tuple, db.execute(f"SELECT * FROM {table}"))) for table in tables))


@pytest.mark.parametrize(
    ("phase", "evidence", "kind"),
    [(Phase.FEEDING, NOTHING_COUNTED, Ask.TRAY), (Phase.FEEDING, gone(1), Ask.DESK), (Phase.PRINTING, gone(), Ask.DESK)],
)
async def test_a_question_has_the_kind_that_the_verdict_asks_for(
    full: Store, phase: Phase, evidence: LaneEvidence, kind: Ask
) -> None:
    question = await full.transact(ask_about, phase, UID, evidence)
    assert (question.kind, question.passage.lane, question.evidence) == (kind, "1", evidence)
    assert (await full.read(questions.unsettled, "1"))[1] is kind  # type: ignore[index]
    assert await full.read(questions.unsettled, "2") is None


async def test_a_question_survives_a_restart_with_its_evidence(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    first = await Store.open(tmp_path)
    asked = await first.transact(ask_about, Phase.PRINTING, UID, gone(panels=5))
    await first.close()
    again = await Store.open(tmp_path)
    try:
        assert await again.read(questions.open_all) == [asked]
        assert await _laid_down(again, whole()) is Answer.GOOD
    finally:
        await again.close()


async def test_a_passage_is_asked_about_once(full: Store) -> None:
    question = await full.transact(ask_about, Phase.PRINTING)
    ruling = verdict(question.past, question.evidence)
    with pytest.raises(StoreError, match="UNIQUE"):
        await full.transact(questions.ask, question.passage, ruling, question.evidence)


async def test_the_database_refuses_a_second_open_question_in_a_lane(full: Store) -> None:
    question = await full.transact(ask_about, Phase.PRINTING)
    other = await full.transact(passage, "2")
    insert = "INSERT INTO question (passage_id, lane, kind, evidence, asked_us) VALUES (?, '1', 'desk', '{}', 0)"
    with pytest.raises(StoreError, match=r"UNIQUE.*question\.lane"):
        await full.transact(lambda db: db.execute(insert, (other,)))
    assert await full.read(questions.open_all) == [question]


@pytest.mark.parametrize(
    ("phase", "evidence", "said", "answer", "job", "balance"),
    [
        (Phase.FEEDING, NOTHING_COUNTED, Look.NONE, Answer.STILL_BLANK, JobState.READY, Balance(10)),
        (Phase.FEEDING, NOTHING_COUNTED, Look.SPOILED, Answer.SPOILED, JobState.READY, Balance(9, 0, 1)),
        (Phase.WRITING, gone(), Look.SPOILED, Answer.SPOILED, JobState.READY, Balance(9, 0, 1)),
        (Phase.PRINTING, gone(), Look.SPOILED, Answer.SPOILED, JobState.FAILED, Balance(9, 0, 1)),  # perhaps a whole card
        (Phase.CHECKED, gone(), Look.SPOILED, Answer.SPOILED, JobState.FAILED, Balance(9, 0, 1)),
        (Phase.PRINTING, gone(), Look.MISSING, Answer.SPOILED, JobState.FAILED, Balance(9)),
    ],
)
async def test_what_a_person_says_ends_the_passage(
    full: Store, phase: Phase, evidence: LaneEvidence, said: Look, answer: Answer, job: JobState, balance: Balance
) -> None:
    question = await full.transact(ask_about, phase, UID, evidence)
    assert await _said(full, said) is answer
    assert (await full.read(queue.find, question.passage.job_id)).state is job
    assert (await full.read(questions.open_all), await full.read(ledger.of_lane, "1")) == ([], balance)
    ended = await full.read(journal.find, question.passage.id)
    assert (ended.verdict, await full.read(journal.unknown_in, "1")) == (Verdict(answer), None)


async def test_a_missing_card_is_counted_as_missing_and_leaves_an_incident(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    await _said(full, Look.MISSING)
    assert await full.read(ledger.held, ledger.MISSING) == 1
    kinds = await full.read(lambda db: [row[0] for row in db.execute("SELECT kind FROM incident")])
    assert kinds == ["card_missing"]


async def test_an_empty_tray_asks_for_a_count_of_the_hopper(full: Store) -> None:
    await full.transact(ask_about, Phase.FEEDING, None, NOTHING_COUNTED)
    await _said(full, Look.NONE)
    assert await full.read(lambda db: [row[0] for row in db.execute("SELECT kind FROM incident")]) == ["count_required"]


@pytest.mark.parametrize(
    ("phase", "panels", "chip", "answers"),
    [
        (Phase.PRINTING, 5, whole(), [Answer.GOOD]),
        (Phase.PRINTING, 4, whole(), [Answer.ASK]),
        (Phase.LEAVING, 5, whole(), [Answer.GOOD]),
        (Phase.CHECKED, 0, whole(), [Answer.GOOD]),
        (Phase.PRINTING, 5, ChipEvidence(UID), [Answer.SPOILED]),
        (Phase.PRINTING, 5, replace(whole(), files={"6FF1": "0"}), [Answer.SPOILED]),
        (Phase.WRITING, 0, whole(), [Answer.SPOILED]),
        (Phase.FED, 0, ChipEvidence(UID, fresh=True), [Answer.STILL_BLANK]),
        (Phase.FED, 0, ChipEvidence(UID, fresh=False), [Answer.SPOILED]),
    ],
)
async def test_the_card_on_the_desk_reader_decides(
    full: Store, phase: Phase, panels: int, chip: ChipEvidence, answers: list[Answer]
) -> None:
    await full.transact(ask_about, phase, UID, gone(panels=panels))
    assert [await _laid_down(full, chip)] == answers


@pytest.mark.parametrize(("said", "job"), [(Look.COMPLETE, JobState.ISSUED), (Look.SPOILED, JobState.READY)])
async def test_one_look_settles_a_good_chip_under_a_doubtful_face(full: Store, said: Look, job: JobState) -> None:
    question = await full.transact(ask_about, Phase.PRINTING, UID, gone(panels=3))
    await _laid_down(full, whole())
    assert (await full.read(questions.unsettled, "1"))[1] is Ask.LOOK  # type: ignore[index]
    await _said(full, said)
    assert (await full.read(queue.find, question.passage.job_id)).state is job


async def test_a_blank_whose_chip_was_never_read_is_bound_by_the_desk_reader_and_may_be_used_again(full: Store) -> None:
    question = await full.transact(ask_about, Phase.FEEDING, None, gone(1))
    assert await _laid_down(full, ChipEvidence(NEW, fresh=True)) is Answer.STILL_BLANK
    assert (await full.read(journal.find, question.passage.id)).chip_uid == NEW
    again = await full.transact(stop_at, Phase.FED, NEW)
    assert again.chip_uid == NEW


async def test_a_blank_that_was_found_wrong_is_never_called_a_blank_again(full: Store) -> None:
    await full.transact(ask_about, Phase.CONDEMNED, None, gone(1))
    assert await _laid_down(full, ChipEvidence(NEW, fresh=True)) is Answer.SPOILED


async def test_a_card_left_lying_answers_only_for_its_own_chip(full: Store) -> None:
    unread = await full.transact(ask_about, Phase.FEEDING, None, gone(1))
    ours = await full.transact(ask_about, Phase.PRINTING, UID, None, "2")
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.read(lambda db: questions.card_for(db, NEW, just_laid=False))
    assert await full.read(lambda db: questions.card_for(db, NEW, just_laid=True)) == unread
    assert await full.read(lambda db: questions.card_for(db, UID, just_laid=False)) == ours


async def _neighbour(full: Store, started_us: int, ended_us: int | None) -> None:
    """Lane 2 fed NEW, and found it blank again when it ended."""
    other = await full.transact(passage, "2", NEW, None if ended_us is None else Verdict.STILL_BLANK)
    set_times = "UPDATE passage SET started_us = ?, ended_us = ? WHERE id = ?"
    await full.transact(lambda db: db.execute(set_times, (started_us, ended_us, other)))


@pytest.mark.parametrize("ended_us", [None, 100, 150])
async def test_a_blank_that_another_passage_had_meanwhile_is_not_the_one_that_was_fed(full: Store, ended_us: int | None) -> None:
    await full.transact(ask_about, Phase.FEEDING, None, gone(1))
    await full.transact(lambda db: db.execute("UPDATE passage SET started_us = 100"))
    await _neighbour(full, 50, ended_us)
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.read(questions.card_for, NEW)


async def test_a_blank_that_came_back_before_may_be_the_one_that_was_fed(full: Store) -> None:
    question = await full.transact(ask_about, Phase.FEEDING, None, gone(1))
    await full.transact(lambda db: db.execute("UPDATE passage SET started_us = 100"))
    await _neighbour(full, 50, 99)
    assert (await full.read(questions.card_for, NEW)).id == question.id


async def test_a_card_once_read_whole_is_not_spoiled_by_a_reading_that_failed(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING, UID, gone(panels=4))
    assert await _laid_down(full, whole()) is Answer.ASK
    assert await _laid_down(full, ChipEvidence(UID)) is Answer.ASK
    assert (await full.read(questions.open_all))[0].evidence.desk == whole()
    assert await _laid_down(full, replace(whole(), files={"6FF1": "0"})) is Answer.SPOILED


@pytest.mark.parametrize("chip", [replace(whole(), uid=NEW), None])
async def test_a_card_inside_that_is_or_may_be_another_asks_for_a_count_of_the_hopper(
    full: Store, chip: ChipEvidence | None
) -> None:
    inside = PrinterWitness(CardPosition.CONTACTLESS, 102, 505, 50)
    question = await full.transact(ask_about, Phase.PRINTING, UID, LaneEvidence(True, witness=inside, chip=chip))
    assert question.kind is Ask.DESK
    assert await full.read(_incidents) == [("count_required", "1")]
    assert await _laid_down(full, whole()) is Answer.ASK  # its panels cannot be told from the other card's
    assert (await full.read(questions.unsettled, "1"))[1] is Ask.LOOK  # type: ignore[index]


def _incidents(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [(row["kind"], row["place"]) for row in db.execute("SELECT kind, place FROM incident")]


async def test_a_question_about_a_card_that_left_asks_for_no_count(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    assert await full.read(_incidents) == []


async def test_a_passage_of_a_lane_that_was_taken_out_is_for_a_person(full: Store) -> None:
    lost, kept = await full.transact(stop_at, Phase.PRINTING), await full.transact(stop_at, Phase.FED, NEW, "2")
    assert await full.transact(questions.ask_about_lost_lanes, ["2"]) == [lost]
    (question,) = await full.read(questions.open_all)
    assert (question.passage, question.kind, question.evidence) == (lost, Ask.DESK, LaneEvidence(same_devices=False))
    assert await full.read(questions.unsettled, "2") == (kept, None)
    assert await full.transact(questions.ask_about_lost_lanes, ["2"]) == []  # at every later start
    await _laid_down(full, whole())
    assert await _said(full, Look.COMPLETE) is Answer.GOOD


@pytest.mark.parametrize("number", [0, 2, 10**18])
async def test_a_question_that_does_not_exist_changes_nothing(full: Store, number: int) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    before = await _state(full)
    with pytest.raises(RequestRefused, match=f"There is no question {number}") as refused:
        await _said(full, Look.SPOILED, number)
    assert not refused.value.found
    with pytest.raises(RequestRefused, match=f"There is no question {number}"):
        await full.transact(questions.sight, number, whole(), 1)
    assert await _state(full) == before


async def test_a_settled_question_takes_no_second_answer(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    await _said(full, Look.SPOILED)
    before = await _state(full)
    for said in Look:
        with pytest.raises(RequestRefused, match=r"answered already \(spoiled\)"):
            await _said(full, said)
    with pytest.raises(RequestRefused, match="answered already"):
        await full.transact(questions.sight, 1, whole(), 1)
    assert await _state(full) == before


@pytest.mark.parametrize(
    ("evidence", "wrong"),
    [
        (gone(1), [Look.NONE, Look.COMPLETE]),
        (NOTHING_COUNTED, [Look.COMPLETE]),
    ],
)
async def test_an_answer_that_does_not_fit_the_question_changes_nothing(
    full: Store, evidence: LaneEvidence, wrong: list[Look]
) -> None:
    await full.transact(ask_about, Phase.FEEDING, None, evidence)
    before = await _state(full)
    for said in wrong:
        with pytest.raises(RequestRefused, match=f"cannot be answered '{said}'; choose: "):
            await _said(full, said)
    assert await _state(full) == before


async def test_a_look_cannot_be_answered_with_an_empty_tray(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    await _laid_down(full, whole())
    with pytest.raises(RequestRefused, match="cannot be answered 'none'; choose: complete, spoiled, missing"):
        await _said(full, Look.NONE)


async def test_a_card_that_is_not_asked_for_changes_nothing(full: Store) -> None:
    """A card of a finished passage, laid down and forced on a question; one that holds data although none was written."""
    used = await full.transact(passage, "2", "04AAAAAAAAAAAA", Verdict.GOOD)
    await full.transact(ask_about, Phase.PRINTING)
    await full.transact(ask_about, Phase.FEEDING, None, gone(1), "2")
    before = await _state(full)
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.read(questions.card_for, "04AAAAAAAAAAAA")
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.transact(questions.sight, 2, ChipEvidence(NEW, fresh=False), 1)
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.transact(questions.sight, 2, ChipEvidence("04AAAAAAAAAAAA", fresh=True), 1)
    assert (await _state(full), used) == (before, 1)


async def test_a_card_that_no_batch_lists_is_refused(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    with pytest.raises(RequestRefused, match="not the card that is asked for"):
        await full.read(questions.card_for, NEW)


async def test_each_card_finds_the_question_of_its_own_lane(full: Store) -> None:
    first = await full.transact(ask_about, Phase.PRINTING, UID)
    second = await full.transact(ask_about, Phase.PRINTING, NEW, None, "2")
    assert (await full.read(questions.card_for, NEW)).id == second.id
    assert (await full.read(questions.card_for, UID)).id == first.id


async def test_question_and_answer_are_in_the_event_log(full: Store) -> None:
    await full.transact(ask_about, Phase.PRINTING)
    await _laid_down(full, whole())
    await _said(full, Look.COMPLETE)
    bodies = await full.read(lambda db: " ".join(row[0] for row in db.execute("SELECT body FROM event ORDER BY seq")))
    assert bodies.index('"question"') < bodies.index('"look once"') < bodies.index('"good by look"')
