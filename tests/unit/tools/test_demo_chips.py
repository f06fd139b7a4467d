"""What the demo says of chips, and when it calls it proved."""

from __future__ import annotations

from typing import Any

import pytest

from tools.demo_chips import proved, sentences

FOUND: dict[str, Any] = {
    "personalised": 2,
    "closed": 2,
    "read_back": 2,
    "sessions": 6,
    "protected_commands": 200,
    "opened_answers": 200,
    "commands": 230,
    "check": "GOOD: the chip is complete and closed; the card may be handed over",
    "opensc": {"free": "9000", "protected": "6982"},
}


def test_good_figures_are_said_in_four_lines() -> None:
    assert proved(FOUND)
    assert list(sentences(FOUND)) == [
        "chips: 2 written through the simulated SAM: 6 sessions, 200 of 230 commands under secure messaging",
        "       2 closed for good, 2 read again in a new session and equal before printing",
        "       one on the desk reader, print-station chip check: GOOD: the chip is complete and closed",
        "       opensc-tool, which has no key: photo read, biodata refused (6982)",
    ]


def test_a_machine_without_opensc_proves_it_too_and_says_that_this_look_was_not_taken() -> None:
    without = FOUND | {"opensc": None}
    assert proved(without)
    assert list(sentences(without))[3:] == ["       no look with opensc-tool was taken: it is not installed (opensc)"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"personalised": 0, "closed": 0, "read_back": 0},
        {"closed": 1},
        {"read_back": 1},
        {"sessions": 3},
        {"opened_answers": 199},
        {"check": "NOT GOOD: the chip is not closed"},
        {"opensc": {"free": "9000", "protected": "9000"}},
    ],
)
def test_anything_less_is_not_proved(wrong: dict[str, Any]) -> None:
    assert not proved(FOUND | wrong)
