"""The verdict of a passage that is fed by hand: every small combination against rules written without the table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from controller.jobs.evidence import Ask, LaneEvidence, Look, Past, Phase
from controller.jobs.verdict import Answer, Ruling, verdict
from controller.model import CardPosition, PrinterWitness
from tests.fakes.verdict_cases import (
    BY_HAND,
    FILES,
    FRESH,
    HAND_DOUBTED,
    HAND_FED,
    HAND_PRINTED,
    HAND_PRINTING,
    HAND_WRITING,
    HAND_WRONG,
    SILENT,
    TORN,
    UID,
    WHOLE,
)

PASTS = (BY_HAND, HAND_FED, HAND_WRITING, HAND_PRINTING, HAND_PRINTED, HAND_DOUBTED, HAND_WRONG,
         replace(HAND_WRITING, resumed=3))  # fmt: skip


def _evidences() -> Iterator[LaneEvidence]:
    witnesses = [
        None,
        *(PrinterWitness(CardPosition.UNTOLD, 100 + fed, 500 + panels, 9) for fed in (0, 1, 2) for panels in (0, 5)),
    ]
    for same, witness, card in itertools.product((True, False), witnesses, (None, SILENT, FRESH, WHOLE, TORN)):
        for look, beside in itertools.product((None, *Look), (True, False)):
            yield LaneEvidence(same, False, witness, desk=card, look=look, beside=beside and card is not None)


def _is_proven(past: Past, evidence: LaneEvidence, ruling: Ruling) -> bool:
    """What each answer needs; said without the table."""
    whole = evidence.desk is not None and (evidence.desk.uid, evidence.desk.files) == (UID, FILES)
    touched = past.phase not in (Phase.FEEDING, Phase.FED)
    said_bad = evidence.look in (Look.SPOILED, Look.MISSING)
    perhaps_whole = evidence.look is Look.MISSING or (
        evidence.look is Look.SPOILED and evidence.desk is None and past.phase is Phase.PRINTING
    )
    proven = {
        # the chip before our eyes, and the print's own reply that nothing casts doubt on, or a person's eyes
        Answer.GOOD: whole and not said_bad and ((past.printed and not past.doubted) or evidence.look is Look.COMPLETE),
        # on the lane's own reader, before anything was sent to the printer, and not for ever
        Answer.CONTINUE: whole and evidence.beside and evidence.same_devices and past.phase is Phase.WRITING and past.resumed < 3,
        Answer.STILL_BLANK: not touched and (past.phase is Phase.FEEDING or evidence.desk == FRESH),
        Answer.ASK: ruling.ask is not None and (ruling.ask is Ask.DESK or whole),
        # what may be a whole card in somebody's hand is not made again without a word
        Answer.SPOILED: ruling.remake is not perhaps_whole,
    }
    return proven[ruling.answer]


def test_no_combination_breaks_a_rule() -> None:
    seen = dict.fromkeys(Answer, 0)
    for past, evidence in itertools.product(PASTS, list(_evidences())):
        ruling = verdict(past, evidence)
        seen[ruling.answer] += 1
        assert _is_proven(past, evidence, ruling), (ruling, past, evidence)
    assert all(seen.values()), seen


def test_nothing_is_undone_for_a_passage_that_was_never_begun() -> None:
    for evidence in _evidences():
        ruling = verdict(BY_HAND, evidence)
        assert (ruling.answer, ruling.count, ruling.ask) == (Answer.STILL_BLANK, False, None)


def test_what_the_printer_was_asked_to_print_never_goes_back_to_the_chip() -> None:
    for past, evidence in itertools.product((HAND_PRINTING, HAND_PRINTED, HAND_DOUBTED), list(_evidences())):
        assert verdict(past, evidence).answer is not Answer.CONTINUE


def test_no_counter_calls_a_face_complete_that_was_fed_by_hand() -> None:
    """Whatever is put into the slot is counted: the rise may be of another card."""
    for evidence in _evidences():
        if evidence.look is not Look.COMPLETE:
            assert verdict(HAND_PRINTING, evidence).answer is not Answer.GOOD
            assert verdict(HAND_DOUBTED, evidence).answer is not Answer.GOOD


def test_the_blanks_are_counted_when_another_card_got_the_face() -> None:
    evidence = LaneEvidence(same_devices=True, desk=WHOLE, look=Look.SPOILED)
    assert (verdict(HAND_DOUBTED, evidence).count, verdict(HAND_PRINTING, evidence).count) == (True, False)
