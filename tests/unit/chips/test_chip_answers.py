"""One command and all of its answer: status words that ask for another command, and answers that are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.chips.apdu import Command
from controller.chips.script import ask, drive
from controller.errors import DeviceRefused, DeviceUnknown
from tests.fakes.chip import (
    ektp,
    personaliser,
)


def answers(*texts: str) -> Callable[[bytes], bytes]:
    """A transport that gives these answers one after the other, whatever is sent."""
    waiting = [bytes.fromhex(text) for text in texts]
    return lambda _command: waiting.pop(0)


def test_an_answer_without_status_word_is_no_answer() -> None:
    with pytest.raises(DeviceUnknown, match="chip_silent: an answer of 1 bytes has no status word"):
        drive(personaliser(ektp()).identify(), answers("90"))


def test_waiting_data_is_fetched_and_joined() -> None:
    script = ask(Command(0, 0xB0, 0, 0, le=4), "read")
    assert drive(script, answers("01 6103", "020304 9000")) == b"\x01\x02\x03\x04"


def test_a_wrong_le_is_corrected_once_more() -> None:
    assert drive(ask(Command(0, 0xB0, 0, 0, le=4), "read"), answers("6C02", "0102 9000")) == b"\x01\x02"


def test_endless_waiting_data_is_refused() -> None:
    with pytest.raises(DeviceRefused, match="read: 6101 after 4 rounds, no end in sight"):
        drive(ask(Command(0, 0xB0, 0, 0, le=4), "read"), answers("01 6101", "02 6101", "03 6101", "04 6101"))
