"""What is said to the printer, held against the bytes of a whole card (tests/golden/evolis/one_card.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.hal.evolis.codec import encode
from controller.hal.evolis.session import Ask, asks
from tests.fakes.usb_printer import evolis_profile, panels_for

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "evolis" / "one_card.txt"
PROFILE = evolis_profile()
ROWS = [line.split() for line in GOLDEN.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
HEADS = {label: bytes.fromhex(head) for label, head, _, _ in ROWS}
PRINT: list[Ask] = list(asks(PROFILE, PROFILE.acts.print or (), panels_for(PROFILE)))


@pytest.mark.parametrize("label", [row[0] for row in ROWS if row[2] == "-"])
def test_a_command_is_the_golden_bytes(label: str) -> None:
    assert encode(label) == HEADS[label]


@pytest.mark.parametrize("row", [row for row in ROWS if row[2] != "-"], ids=lambda row: row[0])
def test_a_panel_is_the_golden_head_the_dots_and_a_return(row: list[str]) -> None:
    label, _, dots, total = row
    ask = next(ask for ask in PRINT if ask.label == label)
    assert ask.data == HEADS[label] + label[3].encode() * int(dots) + b"\r"
    assert len(ask.data) == int(total)


def test_a_print_is_the_golden_order_with_no_eject_in_front() -> None:
    golden = [row[0] for row in ROWS]
    assert [ask.label for ask in PRINT] == ["Pneab;E", *golden[golden.index("Ss") : golden.index("Se") + 1]]


def test_each_command_has_the_time_that_its_kind_needs() -> None:
    times = {ask.label: ask.timeout_s for ask in PRINT}
    assert (times["Pneab;E"], times["Ss"], times["Db;y;128"], times["Se"]) == (2.0, 30.0, 30.0, 60.0)


def test_what_the_log_calls_a_panel_has_no_dots_in_it() -> None:
    assert max(len(ask.label) for ask in PRINT) < 10


@pytest.mark.parametrize("act", ["open", "feed", "to_chip_station", "deliver", "reject"])
def test_every_act_of_the_profile_can_be_said(act: str) -> None:
    commands: tuple[str, ...] = getattr(PROFILE.acts, act)
    said = [PROFILE.fitted.command if command == "@ribbon" else command for command in commands]
    assert [ask.data for ask in asks(PROFILE, commands, ())] == [encode(command) for command in said]
