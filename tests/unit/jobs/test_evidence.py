"""What a journal proves, and evidence as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.jobs import journal
from controller.jobs.evidence import Beams, ChipEvidence, LaneEvidence, Look, Phase, as_facts, from_facts, past_of
from controller.jobs.store import Store
from controller.model import CardPosition, PrinterWitness
from tests.fakes.interrupted import HASHES, UID, stop_at
from tests.fakes.stock import fill


def _row(name: str, outcome: str | None = "done", error: str = "", condition: str = "x", **intent: Any) -> dict[str, Any]:
    evidence = {"condition": condition, "detail": "", "error": error} if outcome == "failed" else {}
    return {"name": name, "outcome": outcome, "intent": intent, "evidence": evidence if outcome else None}


def _ruled(answer: str, condition: str = "", resume: str = "") -> dict[str, Any]:
    return _row("verdict") | {"evidence": {"row": "x", "answer": answer, "condition": condition, "resume": resume}}


FEED = _row("feed", cards_fed=100)
PROBE = _row("probe")
ENCODE = _row("encode", files=HASHES)
PRINT = _row("print", panels_printed=500, panels={"y": "1", "m": "2"})
CHECK = _row("check")


@pytest.mark.parametrize(
    ("rows", "phase"),
    [
        ([_row("feed", None, cards_fed=100)], Phase.FEEDING),
        ([_row("feed", "failed", "DeviceUnknown", cards_fed=100)], Phase.FEEDING),
        ([FEED], Phase.FED),
        ([FEED, PROBE], Phase.FED),
        ([FEED, PROBE, _row("encode", None, files=HASHES)], Phase.WRITING),
        ([FEED, PROBE, ENCODE, _row("read back")], Phase.WRITING),
        ([FEED, PROBE, ENCODE, _row("read back"), _row("close", None, files=HASHES)], Phase.WRITING),
        ([FEED, PROBE, ENCODE, _row("read back"), _row("close", files=HASHES)], Phase.WRITING),
        ([FEED, PROBE, ENCODE, _row("read back"), _row("close", "failed", "CardWrong", files=HASHES)], Phase.CONDEMNED),
        ([FEED, PROBE, ENCODE, _row("print", None, panels_printed=500, panels={})], Phase.PRINTING),
        ([FEED, PROBE, ENCODE, PRINT], Phase.PRINTING),
        ([FEED, PROBE, ENCODE, PRINT, _row("check", None)], Phase.PRINTING),
        ([FEED, PROBE, ENCODE, PRINT, CHECK], Phase.CHECKED),
        ([FEED, PROBE, ENCODE, PRINT, CHECK, _row("deliver", None)], Phase.CHECKED),
        ([FEED, PROBE, ENCODE, _row("print and deliver", None, panels_printed=500, panels={})], Phase.LEAVING),
        ([FEED, _row("reject", None)], Phase.CONDEMNED),
        ([FEED, _row("probe", "failed", "CardWrong")], Phase.CONDEMNED),
        ([FEED, PROBE, ENCODE, _row("print", "failed", "DeviceRefused", panels_printed=500, panels={})], Phase.CONDEMNED),
    ],
)
def test_the_journal_shows_how_far_the_card_may_have_come(rows: list[dict[str, Any]], phase: Phase) -> None:
    assert past_of(UID, rows).phase is phase


@pytest.mark.parametrize(
    ("row", "phase"),
    [
        (_row("print", "failed", "DeviceAbsent"), Phase.WRITING),  # also without what its intent would have noted
        (_row("print", "failed", "DeviceAbsent", panels_printed=500, panels={"y": "1"}), Phase.WRITING),
        (_row("print and deliver", "failed", "DeviceAbsent"), Phase.WRITING),
        (_row("reject", "failed", "DeviceAbsent"), Phase.WRITING),
        (_row("print", "failed", "Interrupted", panels_printed=500, panels={}), Phase.PRINTING),
        (_row("print", "failed", "DeviceUnknown", panels_printed=500, panels={}), Phase.PRINTING),
    ],
)
def test_an_act_that_was_never_sent_marked_nothing(row: dict[str, Any], phase: Phase) -> None:
    past = past_of(UID, [FEED, PROBE, ENCODE, row])
    assert (past.phase, past.rejecting) == (phase, False)


def test_a_feed_that_was_never_sent_can_still_be_compared_with_the_counter() -> None:
    past = past_of(None, [_row("feed", "failed", "DeviceAbsent", cards_fed=100)])
    assert (past.phase, past.fed_before) == (Phase.FEEDING, 100)


def test_an_encode_that_was_never_sent_left_a_blank() -> None:
    past = past_of(UID, [FEED, PROBE, _row("encode", "failed", "DeviceAbsent", files=HASHES)])
    assert (past.phase, past.marked, past.files) == (Phase.FED, False, {})


@pytest.mark.parametrize("name", ["feed", "deliver", "reject", "examine"])
def test_a_refusal_of_an_act_that_is_asked_again_condemns_no_card(name: str) -> None:
    rows = [FEED, PROBE, ENCODE, PRINT, CHECK, _row(name, "failed", "DeviceRefused", cards_fed=100)]
    assert past_of(UID, rows).wrong == ""


@pytest.mark.parametrize("condition", ["card_missing", "print_unproven"])
@pytest.mark.parametrize("stage", ["check", "deliver", "print and deliver"])
def test_a_card_that_was_not_seen_was_not_found_wrong(condition: str, stage: str) -> None:
    rows = [FEED, PROBE, ENCODE, PRINT, _row(stage, "failed", "CardWrong", condition, panels_printed=500, panels={})]
    assert past_of(UID, rows).phase is not Phase.CONDEMNED


def test_the_first_reason_for_which_a_card_was_found_wrong_is_kept() -> None:
    rows = [FEED, _row("probe", "failed", "CardWrong", "chip_used"), _ruled("spoiled", "interrupted")]
    past = past_of(None, rows)
    assert (past.phase, past.wrong, past.resumed) == (Phase.CONDEMNED, "chip_used", 1)


def test_a_verdict_of_spoiled_stands_even_if_its_move_was_never_begun() -> None:
    past = past_of(UID, [FEED, PROBE, ENCODE, PRINT, _ruled("spoiled", "print_unproven")])
    assert (past.phase, past.wrong) == (Phase.CONDEMNED, "print_unproven")


def test_a_passage_that_went_on_was_fed() -> None:
    """Its card was seen and counted then: a counter that forgets it later must not make it a blank that never was."""
    past = past_of(None, [_row("feed", "failed", "Interrupted", cards_fed=100), _ruled("continue", resume="probe")])
    assert (past.phase, past.resumed) == (Phase.FED, 1)


def test_the_last_act_of_a_name_counts() -> None:
    again = _row("print", None, panels_printed=505, panels={"y": "1"})
    past = past_of(UID, [FEED, PROBE, ENCODE, _row("print", "failed", "DeviceAbsent"), again])
    assert (past.panels_before, past.panels, past.printed) == (505, 1, False)


def test_the_counter_before_the_first_move_of_recovery_is_kept() -> None:
    """Each later move may be the one that fed a stranger: only the first intent was written before any of them."""
    moves = [_row("examine", "failed", "DeviceUnknown", cards_fed=101), _row("examine", cards_fed=102)]
    assert past_of(UID, [FEED, PROBE, ENCODE, PRINT, *moves]).fed_when_examined == 101
    assert past_of(UID, [FEED, PROBE, ENCODE, PRINT]).fed_when_examined is None


def test_what_the_intents_noted_is_what_recovery_compares_with() -> None:
    past = past_of(UID, [FEED, PROBE, ENCODE, PRINT])
    assert (past.uid, past.files, past.fed_before, past.panels_before, past.panels, past.printed) == (
        UID,
        HASHES,
        100,
        500,
        2,
        True,
    )


@pytest.mark.parametrize("phase", list(Phase))
async def test_the_real_journal_tells_the_same(store: Store, phase: Phase) -> None:
    await store.transact(fill, "1", 3)
    passage = await store.transact(stop_at, phase)
    rows = await store.read(journal.stages, passage.id)
    assert past_of(passage.chip_uid, rows).phase is phase


chips = st.builds(ChipEvidence, st.text(max_size=4), st.booleans(), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
witnesses = st.builds(
    PrinterWitness, st.sampled_from(CardPosition), st.integers(0, 9), st.integers(0, 9), st.none() | st.integers(0, 9)
)
beams = st.builds(Beams, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))


@given(
    st.builds(
        LaneEvidence,
        st.booleans(),
        st.booleans(),
        st.none() | witnesses,
        st.none() | chips,
        st.none() | beams,
        st.none() | chips,
        st.none() | st.sampled_from(Look),
        st.booleans(),
    )
)
def test_evidence_comes_back_from_json_as_it_was(evidence: LaneEvidence) -> None:
    assert from_facts(json.loads(json.dumps(as_facts(evidence)))) == evidence
