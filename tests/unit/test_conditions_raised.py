"""Every condition is raised through a wire by some scenario or contract test, or stands below with the reason why it cannot be.

A test raises a condition when it names it as a value of its own. The name of a fault of hw-sim (`fault("bin_full")`) or of a pin
is not enough. That the test waits for what it names is for its reader to judge.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from controller.conditions import CONDITIONS
from controller.hal.evolis.status import NACKS, STATUS_BITS

TESTS = Path(__file__).parents[1]
WIRED = ("scenario", "contract")
OF_PINS = {"test_pins.py"}  # where such words name pins
FAULTS = {"fault", "happens"}  # what a test calls with the name of a fault of hw-sim

NO_COMMAND = "a bit of the status words: the wire command that fetches them is not public (printers.md 3.9)"
UNRAISABLE = dict.fromkeys(
    (
        "feeder_open", "feed_failed", "card_awaited", "card_at_exit", "ribbon_missing", "ribbon_low", "ribbon_zone",
        "ribbon_trouble", "cleaning_required", "head_hot", "roller_temperature", "printer_asleep", "printer_locked",
        "power_low", "printer_updating", "printer_hardware", "feature_missing", "hopper_low",
    ),
    NO_COMMAND,
)  # fmt: skip


@cache
def _raised() -> dict[str, str]:
    """Condition -> a test module that names it."""
    files = [file for folder in WIRED for file in sorted((TESTS / folder).glob("test_*.py")) if file.name not in OF_PINS]
    return {word: file.name for file in files for word in _named(ast.parse(file.read_text(encoding="utf-8")))}


def _named(node: ast.AST) -> Iterator[str]:
    """The texts in a tree that are keys of CONDITIONS, those aside that name a fault of hw-sim."""
    if isinstance(node, ast.Constant) and node.value in CONDITIONS:
        yield str(node.value)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and _called(node) in FAULTS and child in node.args[:1]):
            yield from _named(child)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("code", CONDITIONS)
def test_a_condition_is_raised_through_a_wire_or_cannot_be(code: str) -> None:
    assert (code in _raised()) != (code in UNRAISABLE), _raised().get(code, f"no test in {WIRED} raises it")


def test_what_cannot_be_raised_is_a_condition_that_only_status_bits_and_nacks_stand_for() -> None:
    bits = {code for word in STATUS_BITS.values() for _, code in word.values()} | {code for _, code in NACKS.values()}
    assert set(UNRAISABLE) - bits == set()


def test_the_name_of_a_fault_raises_nothing() -> None:
    assert list(_named(ast.parse('scene.rig.fault("bin_full", text="card_jam"); Case("bin_open", fault("cover_open"))'))) == [
        "card_jam", "bin_open",
    ]  # fmt: skip
