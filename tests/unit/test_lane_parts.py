"""What a lane tells of its chips depends on who brings the cards."""

from __future__ import annotations

from dataclasses import replace

from controller.hal.ports import ChipCost, ChipPhase
from controller.lane_parts import _but_empty_looks

NOTHING = ChipCost(0, 0, 0, 0.0, 0.0, 0.0)


def test_by_hand_an_empty_reader_is_no_failure_and_a_chip_that_fails_is_one() -> None:
    heard: list[tuple[ChipPhase, int, str | None]] = []
    tell = _but_empty_looks(lambda phase, cost, failure: heard.append((phase, cost.commands, failure)))
    tell(ChipPhase.IDENTIFY, NOTHING, "chip_silent")
    tell(ChipPhase.IDENTIFY, replace(NOTHING, commands=1), "chip_silent")
    tell(ChipPhase.WRITE, NOTHING, "chip_refused")  # the files do not fit: nothing was sent
    assert heard == [(ChipPhase.IDENTIFY, 1, "chip_silent"), (ChipPhase.WRITE, 0, "chip_refused")]
