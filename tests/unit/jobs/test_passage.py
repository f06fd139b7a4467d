"""The failure table: every row, and the tables' own soundness."""

from __future__ import annotations

import itertools

import pytest

from controller.errors import CardWrong, DeviceAbsent, DeviceRefused, DeviceUnknown, StationError
from controller.jobs.passage import DELIVER, FEED, PLANS, PRINT, PROBE, REJECT, Next, Seen, Stage, after_failure, describe
from controller.model import CardPosition, PrinterWitness

GONE = PrinterWitness(CardPosition.NONE, 10, 50, 5)
INSIDE = PrinterWitness(CardPosition.CONTACTLESS, 11, 50, 5)
FED = PrinterWitness(CardPosition.NONE, 11, 50, 5)
REFUSED, UNKNOWN, ABSENT = DeviceRefused("card_jam", ""), DeviceUnknown("printer_late", ""), DeviceAbsent("printer_lost", "")
WRONG = CardWrong("chip_silent", "")


@pytest.mark.parametrize(
    ("stage", "error", "seen", "what"),
    [
        (FEED, ABSENT, Seen(None, GONE, beam_passed=False), Next.STILL_BLANK),
        (FEED, ABSENT, Seen(None, GONE, beam_passed=True), Next.UNKNOWN),  # sent or not: the beam saw a card
        (FEED, REFUSED, Seen(GONE, GONE, beam_passed=False), Next.STILL_BLANK),
        (FEED, REFUSED, Seen(GONE, GONE, beam_passed=True), Next.UNKNOWN),  # the beam saw it
        (FEED, REFUSED, Seen(FED, GONE, beam_passed=False), Next.UNKNOWN),  # the printer counted it
        (FEED, REFUSED, Seen(GONE, None, beam_passed=False), Next.UNKNOWN),  # nothing to compare with
        (FEED, REFUSED, Seen(INSIDE, GONE, beam_passed=True), Next.REJECT),
        (FEED, UNKNOWN, Seen(GONE, GONE, beam_passed=False), Next.UNKNOWN),
        (FEED, UNKNOWN, Seen(INSIDE, GONE, beam_passed=False), Next.UNKNOWN),
        (PROBE, WRONG, Seen(INSIDE, GONE, beam_passed=False), Next.REJECT),
        (PROBE, WRONG, Seen(GONE, GONE, beam_passed=False), Next.UNKNOWN),  # the card is gone
        (PRINT, REFUSED, Seen(INSIDE, INSIDE, beam_passed=False), Next.REJECT),
        (PRINT, UNKNOWN, Seen(INSIDE, INSIDE, beam_passed=False), Next.UNKNOWN),
        (PRINT, ABSENT, Seen(None, INSIDE, beam_passed=False), Next.UNKNOWN),
        (DELIVER, REFUSED, Seen(INSIDE, INSIDE, beam_passed=False), Next.REPEAT),
        (DELIVER, WRONG, Seen(GONE, INSIDE, beam_passed=False), Next.UNKNOWN),
        (REJECT, REFUSED, Seen(INSIDE, INSIDE, beam_passed=False), Next.REPEAT),
        (REJECT, UNKNOWN, Seen(INSIDE, INSIDE, beam_passed=False), Next.UNKNOWN),
    ],
)
def test_a_failure_means_one_thing(stage: Stage, error: StationError, seen: Seen, what: Next) -> None:
    assert after_failure(stage, error, seen) is what


@pytest.mark.parametrize("stage", [stage for stage in (*PLANS["held"], *PLANS["ejecting"]) if stage is not FEED])
def test_nothing_is_called_still_blank_once_it_was_fed(stage: Stage) -> None:
    for error, witness in itertools.product((REFUSED, UNKNOWN, ABSENT, WRONG), (None, GONE, INSIDE)):
        assert after_failure(stage, error, Seen(witness, GONE, beam_passed=False)) is not Next.STILL_BLANK


@pytest.mark.parametrize("stage", [*PLANS["held"], *PLANS["ejecting"], REJECT])
def test_doubt_is_never_rejected_or_repeated(stage: Stage) -> None:
    for witness in (None, GONE, INSIDE):
        assert after_failure(stage, UNKNOWN, Seen(witness, GONE, beam_passed=False)) is Next.UNKNOWN


@pytest.mark.parametrize("plan", list(PLANS))
def test_a_plan_feeds_first_and_writes_the_chip_before_ribbon_is_spent(plan: str) -> None:
    names = [stage.name for stage in PLANS[plan]]
    printing = next(index for index, name in enumerate(names) if name.startswith("print"))
    assert names[0] == "feed"
    assert {"probe", "encode", "read back"} <= set(names[:printing])


def test_only_moves_of_a_card_that_can_be_seen_are_repeatable() -> None:
    repeatable = {stage.name for plan in PLANS.values() for stage in plan if stage.repeatable}
    assert repeatable == {"deliver"}


def test_the_tables_describe_every_stage() -> None:
    text = describe()
    for plan in PLANS.values():
        for stage in plan:
            assert f"| {stage.name} |" in text
