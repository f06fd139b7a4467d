"""Pins, pulls and the glitch filter, with time in hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hwsim.wires.pin_bank import INPUT, OUTPUT, PULL_DOWN, PULL_OFF, PULL_UP, PinBank

BUTTON, LAMP, BEAM = 17, 5, 22
FILTER_US = 30_000


@dataclass
class Bench:
    """A bank, its clock, and what it said."""

    now_us: int = 1_000_000
    reports: list[tuple[int, int]] = field(default_factory=list)
    writes: list[tuple[int, int]] = field(default_factory=list)
    bank: PinBank = field(init=False)

    def __post_init__(self) -> None:
        self.bank = PinBank(lambda: self.now_us)
        self.bank.on_report = lambda tick, levels: self.reports.append((tick, levels >> BUTTON & 1))
        self.bank.on_write = lambda pin, level: self.writes.append((pin, level))

    def later(self, us: int) -> None:
        self.now_us += us
        self.bank.settle()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def filtered(bench: Bench) -> Bench:
    """A button that rests high behind a 30 ms filter."""
    bench.bank.set_pull(BUTTON, PULL_UP)
    bench.bank.set_filter(BUTTON, FILTER_US)
    bench.reports.clear()
    return bench


@pytest.mark.parametrize(("pin", "level"), [(0, 1), (8, 1), (9, 0), (27, 0)])
def test_pins_start_with_the_pulls_of_the_chip(bench: Bench, pin: int, level: int) -> None:
    assert bench.bank.level(pin) == level


def test_a_pin_nobody_drives_follows_its_pull(bench: Bench) -> None:
    levels = []
    for pull in (PULL_UP, PULL_DOWN, PULL_UP, PULL_OFF):
        bench.bank.set_pull(BUTTON, pull)
        levels.append(bench.bank.level(BUTTON))
    assert levels == [1, 0, 1, 1]


def test_the_world_wins_over_the_pull_until_it_lets_go(bench: Bench) -> None:
    bench.bank.set_pull(BUTTON, PULL_UP)
    bench.bank.drive(BUTTON, 0)
    pressed = bench.bank.level(BUTTON)
    bench.bank.release(BUTTON)
    assert (pressed, bench.bank.level(BUTTON)) == (0, 1)


def test_the_world_cannot_move_an_output(bench: Bench) -> None:
    bench.bank.write(LAMP, 0)
    bench.bank.drive(LAMP, 1)
    assert bench.bank.level(LAMP) == 0


def test_a_write_is_told_to_the_world_each_time(bench: Bench) -> None:
    for level in (1, 1, 0):
        bench.bank.write(LAMP, level)
    assert (bench.writes, bench.bank.mode(LAMP)) == ([(LAMP, 1), (LAMP, 1), (LAMP, 0)], OUTPUT)


@pytest.mark.parametrize("pull", [PULL_OFF, PULL_DOWN])
def test_letting_go_of_a_lit_lamp_is_told_to_the_world(bench: Bench, pull: int) -> None:
    bench.bank.set_pull(LAMP, pull)
    bench.bank.write(LAMP, 1)
    bench.bank.set_mode(LAMP, INPUT)
    assert bench.writes == [(LAMP, 1), (LAMP, 0)]


def test_without_a_filter_each_change_is_reported_at_once(bench: Bench) -> None:
    bench.bank.drive(BUTTON, 1)
    bench.bank.drive(BUTTON, 0)
    assert bench.reports == [(1_000_000, 1), (1_000_000, 0)]


def test_a_steady_change_is_reported_when_the_filter_is_over(filtered: Bench) -> None:
    filtered.bank.drive(BUTTON, 0)
    filtered.later(FILTER_US - 1)
    early = list(filtered.reports)
    filtered.later(1)
    assert (early, filtered.reports) == ([], [(1_030_000, 0)])


def test_a_glitch_is_not_reported(filtered: Bench) -> None:
    filtered.bank.drive(BUTTON, 0)
    filtered.later(5_000)
    filtered.bank.drive(BUTTON, 1)
    filtered.later(10 * FILTER_US)
    assert (filtered.reports, filtered.bank.left_us()) == ([], None)


def test_each_bounce_starts_the_filter_anew(filtered: Bench) -> None:
    for level in (0, 1, 0, 1, 0):
        filtered.bank.drive(BUTTON, level)
        filtered.later(10_000)
    assert (filtered.reports, filtered.bank.left_us()) == ([], 20_000)
    filtered.later(20_000)
    assert filtered.reports == [(1_070_000, 0)]


def test_reading_shows_the_pin_and_not_the_filter(filtered: Bench) -> None:
    filtered.bank.drive(BUTTON, 0)
    assert (filtered.bank.level(BUTTON), filtered.bank.reported >> BUTTON & 1) == (0, 1)


def test_one_pins_filter_does_not_hold_up_another(filtered: Bench) -> None:
    filtered.bank.drive(BUTTON, 0)
    filtered.bank.drive(BEAM, 1)
    assert (filtered.bank.reported >> BEAM & 1, filtered.bank.reported >> BUTTON & 1) == (1, 1)


def test_taking_the_filter_off_reports_what_it_held_back(filtered: Bench) -> None:
    filtered.bank.drive(BUTTON, 0)
    filtered.bank.set_filter(BUTTON, 0)
    assert filtered.reports == [(1_000_000, 0)]


def test_whoever_keeps_time_is_told_that_there_is_something_to_wait_for(filtered: Bench) -> None:
    told: list[int | None] = []
    filtered.bank.on_unsettled = lambda: told.append(filtered.bank.left_us())
    filtered.bank.drive(BUTTON, 0)
    assert told == [FILTER_US]


def test_the_tick_wraps_at_32_bits(bench: Bench) -> None:
    bench.now_us = (1 << 32) + 7
    assert bench.bank.tick == 7


def test_there_are_28_pins(bench: Bench) -> None:
    with pytest.raises(IndexError):
        bench.bank.drive(28, 1)
