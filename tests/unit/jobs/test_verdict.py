"""The verdict table: every row with the cases that need it, every small combination against rules written without the table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.conditions import CONDITIONS
from controller.jobs.evidence import Ask, Beams, LaneEvidence, Look, Past, Phase
from controller.jobs.passage import PLANS
from controller.jobs.verdict import ROWS, Answer, Row, Ruling, describe, verdict
from controller.model import CardPosition, PrinterWitness
from tests.fakes.verdict_cases import (
    BLANK,
    CASES,
    CHECKED,
    FED,
    FILES,
    FOREIGN,
    FRESH,
    LEAVING,
    LEFT,
    NOTHING,
    PRINTED,
    PRINTING,
    REJECTING,
    SILENT,
    TORN,
    UID,
    UNREAD,
    WHOLE,
    WRITING,
    WRONG,
    Recorded,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row}-{case.past.phase}")
def test_each_case_is_answered_by_its_row(case: Recorded) -> None:
    row = next(row for row in ROWS if row.name == case.row)
    ruling = verdict(case.past, case.evidence)
    assert (ruling.row, ruling.answer, ruling.ask, ruling.resume) == (row.name, row.answer, row.ask, row.resume)
    assert (ruling.count, ruling.missing, ruling.remake) == (row.count, row.missing, row.remake)


def _decision(ruling: Ruling) -> Ruling:
    return replace(ruling, row="")


@pytest.mark.parametrize("row", ROWS[:-1], ids=lambda row: row.name)
def test_without_any_one_row_an_answer_changes(row: Row) -> None:
    """The mutation check: if somebody takes a row out, the cases above fail."""
    rest = [other for other in ROWS if other is not row]
    changed = [case for case in CASES if _decision(verdict(case.past, case.evidence, rest)) != _decision(_now(case))]
    assert changed
    assert row.name in {case.row for case in changed}


def _now(case: Recorded) -> Ruling:
    return verdict(case.past, case.evidence)


def test_the_cases_need_every_row() -> None:
    assert {case.row for case in CASES} == {row.name for row in ROWS}
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_last_row_always_applies() -> None:
    assert verdict(BLANK, LaneEvidence(same_devices=True), [ROWS[-1]]).answer is Answer.ASK
    assert verdict(CHECKED, LaneEvidence(same_devices=True)).row == ROWS[-1].name


def test_every_row_has_what_its_answer_needs() -> None:
    for row in ROWS:
        assert (row.answer is Answer.CONTINUE) == bool(row.resume)
        assert (row.answer is Answer.ASK) == (row.ask is not None)
        assert (row.answer in (Answer.SPOILED, Answer.STILL_BLANK)) == bool(row.condition)
        assert row.condition in CONDITIONS or not row.condition
        assert not row.resume or row.resume in [stage.name for stage in PLANS["held"]]
        assert row.answer in (Answer.STILL_BLANK, Answer.ASK) or not row.count or row.name == "another was printed"
        assert row.answer is Answer.SPOILED or (row.remake and not row.missing)
        assert not (row.missing and row.remake)


def test_a_card_that_was_found_wrong_keeps_its_reason() -> None:
    assert verdict(WRONG, LaneEvidence(True, witness=PrinterWitness(CardPosition.PRINT, 101, 500, 9))).condition == "chip_refused"


def test_the_table_describes_every_row() -> None:
    text = describe()
    for row in ROWS:
        assert f"| {row.name} | {row.window} | {row.evidence} | **{row.answer}** |" in text


# Every small combination


def _pasts() -> Iterator[Past]:
    sound = (BLANK, FED, UNREAD, WRITING, PRINTING, PRINTED, CHECKED, LEAVING, LEFT, WRONG, REJECTING)
    marked = [replace(past, files=FILES, panels=5, panels_before=500) for past in (WRONG, REJECTING)]
    yield from (*sound, *marked)
    yield from (replace(past, resumed=3) for past in (FED, PRINTED, CHECKED))


def _witnesses() -> Iterator[PrinterWitness | None]:
    yield None
    for position, fed, panels in itertools.product((CardPosition.NONE, CardPosition.CONTACTLESS), (-1, 0, 1, 2), (0, 4, 5)):
        yield PrinterWitness(position, 100 + fed, 500 + panels, 9)


_CHIPS = (None, SILENT, FRESH, WHOLE, TORN, FOREIGN)
_BEAMS = (None, NOTHING, Beams(1, 0, 0), Beams(0, 1, 0), Beams(0, 0, 1), Beams(0, 2, 0))


def _evidences() -> Iterator[LaneEvidence]:
    for same, ejects, witness in itertools.product((True, False), (True, False), _witnesses()):
        for chip, beams in itertools.product(_CHIPS, _BEAMS):
            yield LaneEvidence(same, ejects, witness, chip, beams)
        for chip in _CHIPS:
            yield LaneEvidence(same, ejects, witness, chip, fed_again=True)
        for card, look, chip in itertools.product(_CHIPS, (None, *Look), (None, FOREIGN)):
            yield LaneEvidence(same, ejects, witness, chip, None, card, look)


def _risen(past: Past, evidence: LaneEvidence) -> int | None:
    if evidence.witness is None or past.panels_before is None:
        return None
    return evidence.witness.panels_printed - past.panels_before


def _fed(past: Past, evidence: LaneEvidence) -> int | None:
    return None if evidence.witness is None or past.fed_before is None else evidence.witness.cards_fed - past.fed_before


def _inside(evidence: LaneEvidence) -> bool:
    return evidence.witness is not None and evidence.witness.position is not CardPosition.NONE


def _is_stranger(past: Past, evidence: LaneEvidence) -> bool:
    """The card inside has told another UID than the one that was bound."""
    return past.uid is not None and evidence.chip is not None and evidence.chip.uid not in ("", past.uid)


def _may_be_another(past: Past, evidence: LaneEvidence) -> bool:
    """More than one card was fed since, or ours was seen leaving, and the one inside has not told the bound UID."""
    shown = past.uid is not None and evidence.chip is not None and evidence.chip.uid == past.uid
    fed = _fed(past, evidence)
    return not shown and (past == LEFT or evidence.fed_again or (fed is not None and fed >= 2))


def _face_is_complete(past: Past, evidence: LaneEvidence) -> bool:
    """Its reply was journalled; or the panels rose by this face while no other card was fed."""
    return past.printed or (_risen(past, evidence) == past.panels > 0 and _fed(past, evidence) in (0, 1))


def _good_is_proven(past: Past, evidence: LaneEvidence, _ruling: Ruling) -> bool:
    """A whole chip with the bound UID before our eyes and a face that counter, journal or a person calls complete; or a card
    whose chip was read again after the print, and that was seen leaving."""
    if past.phase is Phase.CONDEMNED or evidence.look in (Look.SPOILED, Look.MISSING):
        return False
    complete = _face_is_complete(past, evidence)
    if evidence.desk is not None:
        chip = evidence.desk.uid == UID and evidence.desk.files == past.files == FILES
        return chip and (complete or evidence.look is Look.COMPLETE)
    left = evidence.same_devices and not _inside(evidence) and evidence.beams is not None and evidence.beams.exit == 1
    return left and past.phase is Phase.CHECKED


def _continue_is_proven(past: Past, evidence: LaneEvidence, ruling: Ruling) -> bool:
    """Our own devices, the card inside, whatever was begun on it finished and seen; and not for ever, unless only its way out
    is left."""
    if not evidence.same_devices or not _inside(evidence) or past.phase in (Phase.CONDEMNED, Phase.LEAVING):
        return False
    if (past.resumed >= 3 and ruling.resume != "deliver") or _is_stranger(past, evidence) or _may_be_another(past, evidence):
        return False
    if past.marked and evidence.chip != WHOLE:
        return False
    if past.panels and not _face_is_complete(past, evidence):
        return False
    if not past.marked and ruling.resume != "probe":
        return False
    if past.uid is not None and (evidence.chip is None or evidence.chip.uid != past.uid):
        return False
    return past.phase is not Phase.FEEDING or _fed(past, evidence) == 1


def _blank_is_proven(past: Past, evidence: LaneEvidence, _ruling: Ruling) -> bool:
    """Nothing that marks the card was begun; it lies on the desk with an empty chip, or whatever can tell says it was not fed."""
    if past.marked or past.phase not in (Phase.FEEDING, Phase.FED):
        return False
    if evidence.desk is not None and evidence.desk.fresh and evidence.desk.uid == UID:
        return True
    fed = _fed(past, evidence)
    not_counted = fed is not None and fed <= 0  # below zero: the tick of the card before is lost
    if evidence.look is Look.NONE:
        return not_counted
    never_seen = evidence.beams in (None, NOTHING) and (evidence.beams is not None or not evidence.ejects)
    return evidence.same_devices and not _inside(evidence) and not_counted and never_seen


def _question_is_needed(past: Past, evidence: LaneEvidence, ruling: Ruling) -> bool:
    """Nobody is asked about a card that our own printer can move, unless that is or may be another; then the hopper is counted
    too. A look only at a card that lies there with a whole chip."""
    if ruling.ask is Ask.LOOK:
        return evidence.desk is not None and evidence.desk.files == FILES and evidence.desk.uid == UID
    if evidence.same_devices and _inside(evidence):
        return ruling.ask is Ask.DESK and ruling.count and (_is_stranger(past, evidence) or _may_be_another(past, evidence))
    return not ruling.count


def _spoiled_is_allowed(past: Past, evidence: LaneEvidence, ruling: Ruling) -> bool:
    """Throwing a card away is safe if it is that card; it has a reason; and what may be a whole card in somebody's hands is not
    made a second time without a word."""
    if ruling.condition not in CONDITIONS:
        return False
    if evidence.look is Look.MISSING:
        return ruling.missing and not ruling.remake
    if evidence.look is Look.SPOILED:
        printed_on = past.phase in (Phase.PRINTING, Phase.CHECKED, Phase.LEAVING)
        return ruling.remake == (not printed_on or evidence.desk is not None)
    if evidence.desk is None and _inside(evidence):
        return not _is_stranger(past, evidence) and not _may_be_another(past, evidence)
    return ruling.remake and not ruling.missing


RULES = {
    Answer.GOOD: _good_is_proven,
    Answer.CONTINUE: _continue_is_proven,
    Answer.STILL_BLANK: _blank_is_proven,
    Answer.ASK: _question_is_needed,
    Answer.SPOILED: _spoiled_is_allowed,
}


def test_no_combination_breaks_a_rule() -> None:
    seen = dict.fromkeys(Answer, 0)
    for past, evidence in itertools.product(_pasts(), list(_evidences())):
        ruling = verdict(past, evidence)
        seen[ruling.answer] += 1
        assert RULES[ruling.answer](past, evidence, ruling), (ruling, past, evidence)
    assert all(seen.values()), seen


def test_a_face_that_the_counter_does_not_prove_is_spoiled_while_the_card_is_inside() -> None:
    for chip, risen in itertools.product(_CHIPS, (0, 1, 4, 6)):
        witness = PrinterWitness(CardPosition.PRINT, 101, 500 + risen, 9)
        wanted = Answer.ASK if chip is FOREIGN else Answer.SPOILED
        for past in (PRINTING, LEAVING):
            assert verdict(past, LaneEvidence(True, witness=witness, chip=chip)).answer is wanted


def test_a_foreign_chip_inside_is_always_asked_about_and_never_moved() -> None:
    """Until a person has brought or named our card: the one inside may be somebody's good card."""
    asked = 0
    for past, evidence in itertools.product(_pasts(), list(_evidences())):
        unanswered = evidence.desk is None and evidence.look is None
        if evidence.chip == FOREIGN and past.uid is not None and _inside(evidence) and unanswered:
            ruling = verdict(past, evidence)
            assert (ruling.answer, ruling.ask) == (Answer.ASK, Ask.DESK), (past, evidence)
            asked += 1
    assert asked


@pytest.mark.parametrize("fed", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize("past", [PRINTING, LEAVING])
def test_the_panels_prove_a_face_only_while_no_other_card_was_fed(past: Past, fed: int) -> None:
    """The card on the desk: a face of five panels, and the counter rose by five. 0: the last tick may be forgotten."""
    on_desk = LaneEvidence(True, witness=PrinterWitness(CardPosition.NONE, 100 + fed, 505, 9), desk=WHOLE)
    assert verdict(past, on_desk).answer is (Answer.GOOD if fed in (0, 1) else Answer.ASK)


def test_a_card_that_was_printed_and_ejected_in_one_act_is_good_only_on_the_desk_reader() -> None:
    left = LaneEvidence(True, witness=PrinterWitness(CardPosition.NONE, 101, 505, 9), beams=Beams(0, 1, 0))
    for past in (LEAVING, LEFT):
        assert (verdict(past, left).answer, verdict(past, left).ask) == (Answer.ASK, Ask.DESK)
        assert verdict(past, replace(left, desk=WHOLE)).answer is Answer.GOOD
        assert verdict(past, replace(left, desk=FOREIGN)).answer is Answer.ASK


def test_a_card_that_was_checked_goes_out_however_often_it_was_interrupted() -> None:
    inside = LaneEvidence(True, witness=PrinterWitness(CardPosition.CONTACTLESS, 101, 505, 9), chip=WHOLE)
    assert verdict(replace(CHECKED, resumed=99), inside).resume == "deliver"
    assert verdict(replace(PRINTED, resumed=3), inside).answer is Answer.SPOILED


def test_an_unmoved_counter_never_prints_again() -> None:
    """Whatever else is seen, nothing that was printed on goes back in front of the print."""
    printed = [stage.name for stage in PLANS["held"]].index("print")
    for evidence in _evidences():
        for past in (PRINTING, PRINTED, CHECKED, LEAVING, LEFT):
            ruling = verdict(past, evidence)
            assert ruling.answer is not Answer.CONTINUE or [s.name for s in PLANS["held"]].index(ruling.resume) > printed
