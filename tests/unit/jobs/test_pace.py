"""Pacing: how many cards in a row, how long the rest, and what a restart remembers."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from controller.clock import TimeStamp
from controller.jobs.pace import Pace, Rule, after_card, rest_left_s, save, take_up, told_s

RULE = Rule(cards=3, rest_s=60.0)
NOW = TimeStamp(wall_us=0, synchronised=False, boot_id="boot 1", monotonic_us=500_000_000)


@pytest.mark.parametrize(
    ("pace", "rule", "left_s"),
    [
        (None, RULE, 0.0),
        (Pace(2, 100.0), RULE, 0.0),  # one more may be printed
        (Pace(3, 100.0), RULE, 50.0),
        (Pace(9, 100.0), RULE, 50.0),  # the rule was made stricter meanwhile
        (Pace(3, 40.0), RULE, 0.0),  # it has stood still as long
        (Pace(99, 109.0), Rule(), 0.0),  # no rests
    ],
)
def test_how_long_it_rests(pace: Pace | None, rule: Rule, left_s: float) -> None:
    assert rest_left_s(pace, rule, now_s=110.0) == left_s


def test_cards_in_a_row_are_counted_until_a_pause_as_long_as_a_rest() -> None:
    pace = after_card(None, RULE, 0.0, 30.0)
    pace = after_card(pace, RULE, 31.0, 60.0)
    assert pace == Pace(2, 60.0)
    assert after_card(pace, RULE, 119.9, 150.0) == Pace(3, 150.0)
    assert after_card(pace, RULE, 120.0, 150.0) == Pace(1, 150.0)


@pytest.mark.parametrize(("left_s", "told"), [(0.0, 0), (0.1, 5), (5.0, 5), (57.3, 60)])
def test_the_time_left_is_told_in_steps_and_never_too_short(left_s: float, told: int) -> None:
    assert told_s(left_s) == told


def test_a_restart_within_the_boot_remembers_the_row_to_the_second(db: sqlite3.Connection) -> None:
    save(db, "SN1", Pace(3, 470.5), NOW)
    save(db, "SN1", Pace(4, 480.25), NOW)
    assert take_up(db, "SN1", NOW) == Pace(4, 480.25)
    assert take_up(db, "SN2", NOW) is None


@pytest.mark.parametrize("boot", ["boot 2", None])
def test_after_another_boot_it_counts_as_printed_just_now_whatever_the_wall_clock_says(
    db: sqlite3.Connection, boot: str | None
) -> None:
    save(db, "SN1", Pace(3, 470.5), NOW)
    later = TimeStamp(wall_us=10**15, synchronised=True, boot_id=boot, monotonic_us=9_000_000)
    assert take_up(db, "SN1", later) == Pace(3, 9.0)


def test_a_memory_from_the_future_of_this_boot_is_not_believed(db: sqlite3.Connection) -> None:
    save(db, "SN1", Pace(3, 900.0), NOW)
    assert take_up(db, "SN1", NOW) == Pace(3, 500.0)


def test_a_restart_of_the_daemon_after_another_boot_does_not_begin_the_rest_anew(db: sqlite3.Connection) -> None:
    save(db, "SN1", Pace(3, 470.5), NOW)
    assert take_up(db, "SN1", replace(NOW, boot_id="boot 2", monotonic_us=9_000_000)) == Pace(3, 9.0)
    assert take_up(db, "SN1", replace(NOW, boot_id="boot 2", monotonic_us=70_000_000)) == Pace(3, 9.0)
