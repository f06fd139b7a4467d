"""What holds a lane's feeding after trouble: until when, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from controller.conditions import CONDITIONS, Clears
from controller.jobs.lane_doubts import BACK_OFF_S, LaneDoubts
from controller.jobs.runner import Result
from controller.model import Verdict

MAX_REJECTS = 3
GOOD = Result(1, Verdict.GOOD)
SPOILED = Result(1, Verdict.SPOILED, "card_jam", "CARD JAM")
STILL_BLANK = Result(1, Verdict.STILL_BLANK, "hopper_empty", "FEEDER EMPTY")


@dataclass
class Bench:
    """Doubts, and the time they are told."""

    now_s: float = 100.0
    doubts: LaneDoubts = field(init=False)

    def __post_init__(self) -> None:
        self.doubts = LaneDoubts(MAX_REJECTS, clock=lambda: self.now_s)

    def put_off_s(self) -> float:
        """Put a try off and let the time pass until the next one may be made."""
        self.doubts.put_off("renderer_failed", "exit 1")
        began_s = self.now_s
        while self.doubts.setback is not None:
            self.now_s += 0.5
        return self.now_s - began_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lane_without_trouble_has_no_doubts(bench: Bench) -> None:
    assert (bench.doubts.look_first, bench.doubts.rejects_in_row, bench.doubts.setback) == (None, 0, None)
    assert bench.doubts.words("print_head") == ""


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_only_what_go_clears_wants_a_look_and_a_question_never_does(bench: Bench, condition: str) -> None:
    bench.doubts.met(condition)
    wants_look = CONDITIONS[condition].clears is Clears.GO and not condition.startswith("ask_")
    assert bench.doubts.look_first == (condition if wants_look else None)


def test_what_wants_a_look_stays_when_something_else_or_nothing_is_met(bench: Bench) -> None:
    for condition in ("print_head", "card_jam", ""):
        bench.doubts.met(condition)
    assert bench.doubts.look_first == "print_head"


@pytest.mark.parametrize(("shown", "left"), [("print_head", None), ("held_by_operator", "print_head"), (None, "print_head")])
def test_go_ends_what_wants_a_look_only_if_it_was_shown(bench: Bench, shown: str | None, left: str | None) -> None:
    bench.doubts.met("print_head")
    bench.doubts.forgive(shown)
    assert bench.doubts.look_first == left


def test_a_good_card_ends_the_row_of_rejects(bench: Bench) -> None:
    for result in (SPOILED, SPOILED, STILL_BLANK, Result(1, None, "printer_late")):
        bench.doubts.passage_over(result)
    assert bench.doubts.rejects_in_row == 2
    bench.doubts.passage_over(GOOD)
    assert bench.doubts.rejects_in_row == 0


@pytest.mark.parametrize(("rejects", "shown", "left"), [(3, "bin_full", 3), (3, "rejects_in_row", 0), (2, "bin_full", 0)])
def test_go_forgives_too_many_rejects_only_if_they_were_shown(bench: Bench, rejects: int, shown: str, left: int) -> None:
    for _ in range(rejects):
        bench.doubts.passage_over(SPOILED)
    bench.doubts.forgive(shown)
    assert bench.doubts.rejects_in_row == left


def test_what_comes_to_nothing_is_tried_ever_more_rarely_but_never_given_up(bench: Bench) -> None:
    assert tuple(bench.put_off_s() for _ in range(7)) == (*BACK_OFF_S, BACK_OFF_S[-1], BACK_OFF_S[-1])


def test_an_act_that_is_refused_counts_with_the_tries_that_came_to_nothing(bench: Bench) -> None:
    assert bench.put_off_s() == BACK_OFF_S[0]
    assert bench.doubts.refused("print_head") == BACK_OFF_S[1]
    assert bench.put_off_s() == BACK_OFF_S[2]
    assert bench.doubts.look_first == "print_head"


def test_a_passage_that_left_its_blank_puts_the_next_try_off(bench: Bench) -> None:
    bench.doubts.passage_over(STILL_BLANK)
    assert (bench.doubts.setback, bench.doubts.words("hopper_empty")) == ("hopper_empty", "FEEDER EMPTY")
    bench.now_s += BACK_OFF_S[0]
    assert bench.doubts.setback is None


def test_a_spoiled_card_puts_nothing_off(bench: Bench) -> None:
    bench.doubts.passage_over(SPOILED)
    assert bench.doubts.setback is None


def test_the_back_off_begins_anew_once_something_works_or_somebody_pressed_go(bench: Bench) -> None:
    for begin_anew in (bench.doubts.gone_through, lambda: bench.doubts.passage_over(GOOD), lambda: bench.doubts.forgive(None)):
        bench.put_off_s()
        bench.put_off_s()
        begin_anew()
        assert bench.put_off_s() == BACK_OFF_S[0]
        begin_anew()


def test_go_lets_what_was_put_off_be_tried_at_once(bench: Bench) -> None:
    bench.doubts.put_off("renderer_failed", "exit 1")
    bench.doubts.forgive("held_by_operator")
    assert bench.doubts.setback is None


def test_a_devices_words_are_kept_for_its_own_condition_until_the_next_work_ends(bench: Bench) -> None:
    bench.doubts.passage_over(Result(1, Verdict.SPOILED, "print_head", "ERROR HEAD"))
    assert (bench.doubts.words("print_head"), bench.doubts.words("card_jam")) == ("ERROR HEAD", "")
    bench.doubts.passage_over(GOOD)
    assert bench.doubts.words("print_head") == ""


def test_words_about_what_holds_nothing_are_not_repeated(bench: Bench) -> None:
    bench.doubts.passage_over(SPOILED)
    assert bench.doubts.words("card_jam") == ""
