"""The status byte of a USB printer port (GET_PORT_STATUS), the same for every family. Pure. Facts: printers.md 2, 4.3.

It says little, but it comes even from a printer that answers nothing else.
"""

from __future__ import annotations

STATES: dict[int, tuple[str, str | None]] = {  # meaning, condition
    0x18: ("ready", None),
    0x08: ("at work", "printer_moving"),
    0x38: ("card or ribbon out", "media_out"),
    0x10: ("stopped by a fault", "printer_stopped"),
}
PAPER_OUT, SELECTED, NO_ERROR = 0x20, 0x10, 0x08  # the bits that mean something


def why_silent(value: int) -> str | None:
    """The condition that a printer waits for a person with, without a word; None when the port shows no trouble."""
    if value & PAPER_OUT:
        return "media_out"
    return "printer_stopped" if not value & NO_ERROR else None
