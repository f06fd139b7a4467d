"""The failure table: every row, and the tables' own soundness."""

from __future__ import annotations

import itertools

import pytest

from controller.conditions import CONDITIONS
from controller.errors import CardWrong, DeviceAbsent, DeviceRefused, DeviceUnknown, StationError
from controller.jobs.passage import (
    DELIVER,
    FEED,
    NOTHING_PICKED,
    PLANS,
    PRINT,
    PROBE,
    REJECT,
    Next,
    Seen,
    Stage,
    after_failure,
    describe,
)
from controller.jobs.stages import Before
from controller.model import CardPosition, PrinterWitness

GONE = PrinterWitness(CardPosition.NONE, 10, 50, 5)
INSIDE = PrinterWitness(CardPosition.CONTACTLESS, 11, 50, 5)
FED = PrinterWitness(CardPosition.NONE, 11, 50, 5)
EMPTY, JAM = DeviceRefused("hopper_empty", ""), DeviceRefused("card_jam", "")
UNKNOWN, ABSENT = DeviceUnknown("printer_late", ""), DeviceAbsent("printer_lost", "")
WRONG = CardWrong("chip_silent", "")


def _seen(witness: PrinterWitness | None, *, passed: int = 0, blind: int = 0, before: PrinterWitness | None = GONE) -> Seen:
    return Seen(witness, Before(before, passes=7, gaps=2), passes=7 + passed, gaps=2 + blind)


@pytest.mark.parametrize(
    ("stage", "error", "seen", "what"),
    [
        (FEED, ABSENT, _seen(None), Next.STILL_BLANK),
        (FEED, ABSENT, _seen(None, passed=1), Next.UNKNOWN),  # sent or not: the beam saw a card
        (FEED, EMPTY, _seen(GONE), Next.STILL_BLANK),
        (FEED, EMPTY, _seen(GONE, passed=1), Next.UNKNOWN),  # the beam saw one all the same
        (FEED, EMPTY, _seen(GONE, blind=1), Next.UNKNOWN),  # the beam may have missed one
        (FEED, EMPTY, _seen(FED), Next.UNKNOWN),  # the printer counted one
        (FEED, EMPTY, _seen(GONE, before=None), Next.UNKNOWN),  # nothing to compare with
        (FEED, JAM, _seen(GONE), Next.UNKNOWN),  # a blank may be half-way: an unmoved counter proves nothing
        (FEED, JAM, _seen(INSIDE, passed=1), Next.REJECT),
        (FEED, UNKNOWN, _seen(GONE), Next.UNKNOWN),
        (FEED, UNKNOWN, _seen(INSIDE), Next.UNKNOWN),
        (PROBE, WRONG, _seen(INSIDE), Next.REJECT),
        (PROBE, WRONG, _seen(GONE), Next.UNKNOWN),  # the card is gone
        (PRINT, JAM, _seen(INSIDE), Next.REJECT),
        (PRINT, UNKNOWN, _seen(INSIDE), Next.UNKNOWN),
        (PRINT, ABSENT, _seen(None), Next.UNKNOWN),
        (DELIVER, JAM, _seen(INSIDE), Next.REPEAT),
        (DELIVER, JAM, _seen(INSIDE, passed=1), Next.UNKNOWN),  # one left, and one is inside: two cards
        (DELIVER, JAM, _seen(INSIDE, blind=1), Next.UNKNOWN),
        (DELIVER, WRONG, _seen(GONE), Next.UNKNOWN),
        (REJECT, JAM, _seen(INSIDE), Next.REPEAT),
        (REJECT, UNKNOWN, _seen(INSIDE), Next.UNKNOWN),
    ],
)
def test_a_failure_means_one_thing(stage: Stage, error: StationError, seen: Seen, what: Next) -> None:
    assert after_failure(stage, error, seen) is what


@pytest.mark.parametrize("condition", [code for code in CONDITIONS if code not in NOTHING_PICKED])
def test_a_refused_feed_is_still_blank_only_for_words_that_say_so(condition: str) -> None:
    assert after_failure(FEED, DeviceRefused(condition, ""), _seen(GONE)) is Next.UNKNOWN


@pytest.mark.parametrize("stage", [stage for stage in (*PLANS["held"], *PLANS["ejecting"]) if stage is not FEED])
def test_nothing_is_called_still_blank_once_it_was_fed(stage: Stage) -> None:
    for error, witness in itertools.product((EMPTY, JAM, UNKNOWN, ABSENT, WRONG), (None, GONE, INSIDE)):
        assert after_failure(stage, error, _seen(witness)) is not Next.STILL_BLANK


@pytest.mark.parametrize("stage", [*PLANS["held"], *PLANS["ejecting"], REJECT])
def test_doubt_is_never_rejected_or_repeated(stage: Stage) -> None:
    for witness in (None, GONE, INSIDE):
        assert after_failure(stage, UNKNOWN, _seen(witness)) is Next.UNKNOWN


@pytest.mark.parametrize("plan", ["held", "ejecting"])
def test_a_plan_feeds_first_and_writes_the_chip_before_ribbon_is_spent(plan: str) -> None:
    names = [stage.name for stage in PLANS[plan]]
    printing = next(index for index, name in enumerate(names) if name.startswith("print"))
    assert names[0] == "feed"
    assert names[1:printing] == ["probe", "encode", "read back", "close"]


@pytest.mark.parametrize("plan", PLANS)
def test_what_changes_a_chip_is_a_physical_act_and_reading_it_is_none(plan: str) -> None:
    physical = {stage.name: stage.physical for stage in PLANS[plan]}
    assert (physical["encode"], physical["read back"], physical["close"]) == (True, False, True)


def test_only_moves_of_a_card_that_can_be_seen_are_repeatable() -> None:
    repeatable = {stage.name for plan in PLANS.values() for stage in plan if stage.repeatable and not stage.by_hand}
    assert repeatable == {"deliver"}


def test_the_tables_describe_every_stage() -> None:
    text = describe()
    for plan in PLANS.values():
        for stage in plan:
            assert f"| {stage.name} |" in text
