"""The status byte of a USB printer port (GET_PORT_STATUS), the same for every family. Pure. Facts: printers.md 2, 4.3.

It says little, but it comes even from a printer that answers nothing else. A real Magicard was seen to say 18h, 08h and 10h;
38h was seen on no printer.
"""

from __future__ import annotations

from enum import IntEnum

_PAPER_OUT, _SELECTED, _NO_ERROR = 0x20, 0x10, 0x08  # the bits that mean something


class Port(IntEnum):
    """What a port says, as the byte that says it without any other bit."""

    READY = _SELECTED | _NO_ERROR
    WORKING = _NO_ERROR
    OUT = _PAPER_OUT | _SELECTED | _NO_ERROR  # of cards or ribbon
    FAULT = _SELECTED


STATES: dict[Port, tuple[str, str | None]] = {  # meaning, condition
    Port.READY: ("ready", None),
    Port.WORKING: ("at work", "printer_moving"),
    Port.OUT: ("card or ribbon out", "media_out"),
    Port.FAULT: ("stopped by a fault", "printer_stopped"),
}


def port_of(value: int) -> Port:
    """What the status byte says, whatever its other bits are."""
    if value & _PAPER_OUT:
        return Port.OUT
    if not value & _NO_ERROR:
        return Port.FAULT
    return Port.READY if value & _SELECTED else Port.WORKING


def shown(value: int) -> str:
    """The status byte in a message."""
    return f"port status {value:02X}h"


def why_silent(value: int) -> str | None:
    """The condition that a printer waits for a person with, without a word; None when the port shows no trouble."""
    port = port_of(value)
    return STATES[port][1] if port in (Port.OUT, Port.FAULT) else None
