"""What one byte tells of a printer that says nothing else."""

from __future__ import annotations

import pytest

from controller.conditions import SECTIONS
from controller.hal.usb.port_status import STATES, Port, port_of, shown, why_silent

SAID = [
    (0x18, Port.READY, None), (0x99, Port.READY, None), (0x08, Port.WORKING, None), (0x10, Port.FAULT, "printer_stopped"),
    (0x00, Port.FAULT, "printer_stopped"), (0x38, Port.OUT, "media_out"), (0x30, Port.OUT, "media_out"),
    (0x28, Port.OUT, "media_out"), (0x20, Port.OUT, "media_out"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "port", "condition"), SAID)
def test_a_silent_printer_is_believed_as_far_as_its_port_tells(value: int, port: Port, condition: str | None) -> None:
    assert port_of(value) is port
    assert why_silent(value) == why_silent(port) == condition
    assert condition is None or condition in SECTIONS["printer"]


@pytest.mark.parametrize("port", Port)
def test_every_state_is_explained_and_says_itself(port: Port) -> None:
    assert port_of(port) is port
    assert STATES[port][0]


def test_a_message_shows_the_byte_as_it_came() -> None:
    assert (shown(0x00), shown(Port.OUT)) == ("port status 00h", "port status 38h")
