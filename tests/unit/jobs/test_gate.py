"""The gate: one obstacle at a time, in the order in which a person should deal with them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest

from controller.conditions import CONDITIONS
from controller.jobs.gate import LaneFacts, obstacle, shortage
from controller.model import CardPosition, LaneLevels, Panel, PrinterWitness

CLEAR = LaneLevels(feed_beam=False, exit_beam=False, reject_beam=False, hopper_low=False, hopper_empty=False, bin_full=False)
WITNESS = PrinterWitness(CardPosition.NONE, 10, 50, 100)
FREE = LaneFacts(
    stopping=False, held=False, panel_up=True, disk_full=False,
    look_first=None, rejects_in_row=0, max_rejects_in_row=3,
    printer_trouble=None, reader_trouble=None, witness=WITNESS, levels=CLEAR, hopper_count=5,
)  # fmt: skip

OBSTACLES: list[tuple[str, dict[str, Any]]] = [
    ("stopping", {"stopping": True}),
    ("disk_full", {"disk_full": True}),
    ("cover_open", {"printer_trouble": "cover_open"}),
    ("reader_absent", {"reader_trouble": "reader_absent"}),
    ("pins_dead", {"levels": None}),
    ("panel_dead", {"panel_up": False}),
    ("held_by_operator", {"held": True}),
    ("cover_open", {"witness": replace(WITNESS, cover_open=True)}),
    ("card_inside", {"witness": replace(WITNESS, position=CardPosition.PRINT)}),
    ("cleaning_due", {"must_clean": True}),
    ("feed_unproven", {"look_first": "feed_unproven"}),
    ("rejects_in_row", {"rejects_in_row": 3}),
    ("ribbon_end", {"witness": replace(WITNESS, ribbon_remaining=0)}),
    ("bin_full", {"levels": replace(CLEAR, bin_full=True)}),
    ("hopper_empty", {"levels": replace(CLEAR, hopper_empty=True)}),
    ("hopper_uncounted", {"hopper_count": 0}),
    ("renderer_failed", {"setback": "renderer_failed"}),
    ("cool_down", {"resting": True}),
]


@dataclass(frozen=True)
class Ribbon:
    """A ribbon type, as far as the gate looks at it."""

    panels: tuple[str, ...] = ("y", "m", "c", "k", "o")
    back_panels: tuple[str, ...] = ()


FACE = [Panel(name, 2, b"") for name in "ymcko"]
BACK = Panel("k", 2, b"", side="back")


def test_nothing_in_the_way_means_feed() -> None:
    assert obstacle(FREE) is None


@pytest.mark.parametrize(("condition", "change"), OBSTACLES)
def test_each_obstacle_stops_the_feed(condition: str, change: dict[str, Any]) -> None:
    assert obstacle(replace(FREE, **change)) == condition
    assert condition in CONDITIONS


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(OBSTACLES)))
def test_the_earlier_row_wins(earlier: tuple[str, dict[str, Any]], later: tuple[str, dict[str, Any]]) -> None:
    assert obstacle(replace(FREE, **{**later[1], **earlier[1]})) == earlier[0]


def test_an_unreadable_ribbon_tag_is_no_answer() -> None:
    assert obstacle(replace(FREE, witness=replace(WITNESS, ribbon_remaining=None))) is None


def test_a_ledger_below_zero_does_not_feed() -> None:
    assert obstacle(replace(FREE, hopper_count=-1)) == "hopper_uncounted"


def test_a_printer_that_never_says_where_its_card_is_hinders_nothing() -> None:
    assert obstacle(replace(FREE, witness=replace(WITNESS, position=CardPosition.UNTOLD))) is None


@pytest.mark.parametrize(
    ("panels", "ribbon", "remaining", "condition"),
    [
        (FACE, Ribbon(), 1, None),
        (FACE, None, 0, None),  # nobody says what the lane prints with
        (FACE, Ribbon(("k", "o")), 100, "ribbon_wrong"),
        (FACE, Ribbon(), None, None),  # the tag cannot be read
        ([*FACE, BACK], Ribbon(), 1, "ribbon_end"),  # two sets, one is left
        ([*FACE, BACK], Ribbon(), 2, None),
        ([*FACE, BACK], Ribbon(back_panels=("k",)), 1, None),  # one set has a panel for the back
        ([*FACE, replace(BACK, name="y")], Ribbon(back_panels=("k",)), 1, "ribbon_end"),
        ([*FACE, replace(BACK, name="uv")], Ribbon(back_panels=("k",)), 9, "ribbon_wrong"),
    ],
)
def test_a_card_that_the_ribbon_cannot_finish_is_not_started(
    panels: list[Panel], ribbon: Ribbon | None, remaining: int | None, condition: str | None
) -> None:
    assert shortage(panels, ribbon, remaining) == condition
