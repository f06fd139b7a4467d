"""What of a card's time is ours: arithmetic over what was measured, without a reader."""

from __future__ import annotations

import pytest

from benchmarks.chip_replay import RESET, Exchange, HeardSlot, Replayed, Wire
from benchmarks.chip_rig import Run
from controller.errors import DeviceAbsent
from controller.hal.chip.stopwatch import Stopwatch
from controller.hal.ports import ChipCost, ChipPhase

CHIP_MS, SAM_MS = [3.0, 4.0], [5.0, 6.0]


def run(*, holder_said: bool) -> Run:
    """100 ms as the lane sees it, 60 by the reader's thread, 20 of them waiting for the key holder."""
    cost = ChipCost(commands=10, sent_bytes=70, received_bytes=30, chip_s=0.02, keys_s=0.02, whole_s=0.06)
    raw = Replayed(connect_ms=2.0, apdu_ms={Wire.CHIP: CHIP_MS, Wire.SAM: SAM_MS if holder_said else []})
    return Run(wall_ms=100.0, costs={ChipPhase.WRITE: cost}, raw=raw, holder_said=holder_said)


def test_with_a_sam_card_only_what_was_said_raw_is_not_ours() -> None:
    assert run(holder_said=True).raw_ms == 2 + 7 + 11
    assert run(holder_said=True).host_ms == 100 - 20
    assert run(holder_said=True).host_without_token_ms == 80


def test_with_a_token_its_work_is_told_with_and_without() -> None:
    assert run(holder_said=False).host_ms == 100 - 9
    assert run(holder_said=False).host_without_token_ms == 100 - 9 - 20


def test_connecting_counts_for_the_chip_alone() -> None:
    assert run(holder_said=True).raw.total_ms(Wire.SAM) == sum(SAM_MS)


class Slot:
    """Of a SAM that answers with what it is asked, until it is gone."""

    def __init__(self) -> None:
        self.there = True

    def connect(self) -> bool:
        return True

    def send(self, command: bytes) -> bytes:
        if not self.there:
            raise DeviceAbsent("sam_absent", "gone")
        return command[::-1]

    def drop(self) -> None:
        self.there = False

    def close(self) -> None:
        self.there = False


def test_what_crosses_the_sams_slot_is_noted_as_it_was_said() -> None:
    slot = HeardSlot(Slot(), Stopwatch())
    assert slot.send(b"\x01\x02") == b"\x02\x01"
    assert slot.heard == [Exchange(Wire.SAM, b"\x01\x02", b"\x02\x01")]


def test_what_a_lost_sam_did_not_answer_is_not_said_again() -> None:
    slot = HeardSlot(Slot(), Stopwatch())
    slot.drop()
    with pytest.raises(DeviceAbsent, match="gone"):
        slot.send(b"\x01")
    assert slot.heard == []


def test_a_reset_is_not_an_exchange_without_bytes() -> None:
    assert Exchange(Wire.CHIP) is not RESET
