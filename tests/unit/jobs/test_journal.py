"""The journal: intents, outcomes, verdicts, and what the database itself forbids."""

from __future__ import annotations

import json

import pytest

from controller.errors import StoreError
from controller.jobs import journal, ledger, queue
from controller.jobs.journal import ChipRefused, Claim, Passage
from controller.jobs.spool import Spool
from controller.jobs.states import WrongState
from controller.jobs.store import Store
from controller.model import Balance, JobState, PassageState, Verdict
from tests.fakes.stock import fill


@pytest.fixture
async def job_ids(store: Store, spool: Spool) -> list[int]:
    await store.transact(fill, "1", 10)
    return [(await store.transact(queue.accept, spool, name, name, name.encode())).job.id for name in "ab"]


def _claim(job_id: int, lane: str = "1") -> Claim:
    return Claim(job_id, lane, "held", "SN1", "reader 1")


async def _begin(store: Store, job_id: int, lane: str = "1") -> Passage:
    passage = await store.transact(journal.begin, _claim(job_id, lane), "feed", {"cards_fed": 1})
    assert passage is not None
    return passage


async def _state(store: Store, job_id: int) -> JobState:
    return (await store.read(queue.find, job_id)).state


async def test_beginning_claims_the_job_and_writes_the_intent(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    stages = await store.read(journal.stages, passage.id)
    assert (stages[0]["name"], stages[0]["intent"], stages[0]["outcome"]) == ("feed", {"cards_fed": 1}, None)
    assert await _state(store, job_ids[0]) is JobState.ACTIVE


async def test_a_cancelled_job_is_not_begun(store: Store, job_ids: list[int]) -> None:
    await store.transact(queue.cancel, job_ids[0], "ani", "test")
    assert await store.transact(journal.begin, _claim(job_ids[0]), "feed", {}) is None


async def test_a_lane_never_has_two_open_passages(store: Store, job_ids: list[int]) -> None:
    await _begin(store, job_ids[0])
    with pytest.raises(StoreError, match="UNIQUE"):
        await store.transact(journal.begin, _claim(job_ids[1]), "feed", {})


async def test_a_good_card_issues_the_job_and_leaves_the_accounts(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    await store.transact(journal.took_blank, passage)
    assert await store.read(ledger.of_lane, "1") == Balance(9, 1)
    await store.transact(journal.end, passage, Verdict.GOOD, "", 1)
    assert await store.read(ledger.of_lane, "1") == Balance(9, 0)
    assert await _state(store, job_ids[0]) is JobState.ISSUED


async def test_a_spoiled_blank_is_made_again_once_and_then_needs_a_person(store: Store, job_ids: list[int]) -> None:
    for expected in (JobState.READY, JobState.FAILED):
        passage = await _begin(store, job_ids[0])
        await store.transact(journal.end, passage, Verdict.SPOILED, "chip_silent", 1)
        assert await _state(store, job_ids[0]) is expected
    assert await store.read(ledger.of_lane, "1") == Balance(8, 0, 2)


async def test_still_blank_costs_no_blank_and_no_remake(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    job = await store.transact(journal.end, passage, Verdict.STILL_BLANK, "hopper_empty", 1)
    assert (job.state, job.remakes) == (JobState.READY, 0)
    assert await store.read(ledger.of_lane, "1") == Balance(10, 0)


async def test_a_chip_is_never_bound_twice(store: Store, job_ids: list[int]) -> None:
    first = await _begin(store, job_ids[0])
    await store.transact(journal.bind_chip, first.id, "04AA")
    await store.transact(journal.end, first, Verdict.SPOILED, "chip_refused", 1)
    second = await _begin(store, job_ids[0])
    with pytest.raises(ChipRefused, match="04AA"):
        await store.transact(journal.bind_chip, second.id, "04AA")


async def test_a_chip_of_a_still_blank_passage_may_be_used_again(store: Store, job_ids: list[int]) -> None:
    first = await _begin(store, job_ids[0])
    await store.transact(journal.bind_chip, first.id, "04AA")
    await store.transact(journal.end, first, Verdict.STILL_BLANK, "hopper_empty", 1)
    second = await _begin(store, job_ids[0])
    await store.transact(journal.bind_chip, second.id, "04AA")


async def test_an_outcome_without_a_stage_under_way_is_refused(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    await store.transact(journal.conclude, passage.id, "done", {}, 5)
    with pytest.raises(WrongState, match="0 stages under way"):
        await store.transact(journal.conclude, passage.id, "done", {}, 5)


async def test_after_an_unclean_stop_a_live_passage_is_unknown_and_stays_so(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    for _start in range(2):
        unknown = await store.transact(journal.suspect_all)
        assert [(p.id, p.state, p.reason) for p in unknown] == [(passage.id, PassageState.UNKNOWN, "interrupted")]
    assert await _state(store, job_ids[0]) is JobState.ACTIVE


@pytest.mark.parametrize(
    ("verdict", "balance"), [(Verdict.SPOILED, Balance(9, 0, 1)), (Verdict.STILL_BLANK, Balance(10)), (Verdict.GOOD, Balance(9))]
)
@pytest.mark.parametrize("was_out", [True, False])
async def test_a_verdict_settles_the_blank_whether_or_not_its_feed_was_written(
    store: Store, job_ids: list[int], verdict: Verdict, balance: Balance, was_out: bool
) -> None:
    passage = await _begin(store, job_ids[0])
    if was_out:
        await store.transact(journal.took_blank, passage)
    await store.transact(journal.suspect_all)
    await store.transact(journal.end, passage, verdict, "interrupted", 1)
    assert await store.read(ledger.of_lane, "1") == balance


async def test_a_card_that_nobody_has_is_missing_in_the_books(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    job = await store.transact(journal.end, passage, Verdict.SPOILED, "card_lost", 0, "budi", "searched", missing=True)
    assert (job.state, await store.read(ledger.of_lane, "1")) == (JobState.FAILED, Balance(9))
    assert await store.read(ledger.held, ledger.MISSING) == 1


async def test_a_stage_under_way_at_a_crash_is_closed_once(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    for _ in range(2):
        await store.transact(journal.interrupt, passage.id)
    rows = await store.read(journal.stages, passage.id)
    assert [(row["name"], row["outcome"], row["evidence"]["error"]) for row in rows] == [("feed", "failed", "Interrupted")]


async def test_a_noted_verdict_closes_the_stage_under_way_and_is_a_row_of_its_own(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    await store.transact(journal.note_verdict, passage.id, {"seen": 1}, {"answer": "continue"})
    rows = await store.read(journal.stages, passage.id)
    assert [(row["name"], row["outcome"]) for row in rows] == [("feed", "failed"), ("verdict", "done")]
    assert (rows[1]["intent"], rows[1]["evidence"]) == ({"seen": 1}, {"answer": "continue"})


async def test_only_an_unknown_passage_goes_on(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    await store.transact(journal.suspect, passage.id, "printer_lost")
    assert await store.read(journal.unknown_in, "1") == await store.read(journal.find, passage.id)
    await store.transact(journal.resume, passage.id)
    assert (await store.read(journal.find, passage.id)).state is PassageState.LIVE
    with pytest.raises(WrongState, match="passage 1 is not unknown"):
        await store.transact(journal.resume, passage.id)
    await store.transact(journal.end, passage, Verdict.SPOILED, "interrupted", 1)
    with pytest.raises(WrongState, match="passage 1 is not unknown"):
        await store.transact(journal.resume, passage.id)
    assert (await store.read(journal.find, passage.id)).state is PassageState.ENDED


async def test_the_unknown_passage_of_another_lane_is_not_ours(store: Store, job_ids: list[int]) -> None:
    await _begin(store, job_ids[0], "2")
    await store.transact(journal.suspect_all)
    assert await store.read(journal.unknown_in, "1") is None


async def test_a_failed_job_says_why_in_both_languages(store: Store, job_ids: list[int]) -> None:
    passage = await _begin(store, job_ids[0])
    job = await store.transact(journal.end, passage, Verdict.SPOILED, "chip_silent", 0)
    assert job.why is not None
    assert (job.state, job.why.code, job.why.id[:4]) == (JobState.FAILED, "chip_silent", "Chip")


async def test_a_missing_card_is_made_again_only_while_the_caller_allows_it(store: Store, job_ids: list[int]) -> None:
    for job_id, max_remakes, state in zip(job_ids, (0, 1), (JobState.FAILED, JobState.READY), strict=True):
        passage = await _begin(store, job_id)
        job = await store.transact(journal.end, passage, Verdict.SPOILED, "card_lost", max_remakes, missing=True)
        assert job.state is state


async def test_hold_is_remembered_with_who_pressed_it(store: Store) -> None:
    await store.transact(journal.set_held_flag, "ani", held=True)
    assert await store.read(journal.held_flag) is True
    await store.transact(journal.set_held_flag, "budi", held=False)
    assert await store.read(journal.held_flag) is False
    rows = await store.read(lambda db: [json.loads(row[0]) for row in db.execute("SELECT body FROM event ORDER BY seq")])
    assert [(row["kind"], row["facts"]) for row in rows] == [("hold", {"who": "ani"}), ("go", {"who": "budi"})]
