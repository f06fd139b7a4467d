"""A 20x2 customer display with the usual ESC/POS-like commands. Pure: bytes in, two lines of text out.

0C clear, 0B home, 0A line feed, 0D carriage return, 08 back, 09 forward, 1F 24 x y cursor (from 1), 1B 40 initialise. Other
1B and 1F sequences are taken with one byte after them and do nothing. Text runs on to the next line and from the last to
the first.
"""

from __future__ import annotations

COLUMNS, LINES = 20, 2
_CLEAR, _HOME, _LF, _CR, _BACK, _FORWARD, _ESC, _US = 0x0C, 0x0B, 0x0A, 0x0D, 0x08, 0x09, 0x1B, 0x1F
_MOVE, _INIT = b"\x1f\x24", b"\x1b\x40"
_MOVE_BYTES = 4


class Display:
    """Feed bytes in any pieces; `lines` is what people see."""

    def __init__(self) -> None:
        self._cells = bytearray(b" " * COLUMNS * LINES)
        self._at = 0
        self._sequence = b""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, each as wide as the display."""
        text = self._cells.decode("ascii", "replace")
        return tuple(text[start : start + COLUMNS] for start in range(0, len(text), COLUMNS))

    def feed(self, data: bytes) -> None:
        """Take what the station wrote."""
        for byte in data:
            if self._sequence or byte in (_ESC, _US):
                self._take_sequence(byte)
            elif byte < 0x20:
                self._control(byte)
            else:
                self._cells[self._at] = byte
                self._go(self._at + 1)

    def clear(self) -> None:
        """Blank, cursor at home."""
        self._cells[:] = b" " * len(self._cells)
        self._at = 0

    def _control(self, byte: int) -> None:
        column = self._at % COLUMNS
        if byte == _CLEAR:
            self.clear()
        elif byte in (_HOME, _LF, _CR, _BACK, _FORWARD):
            self._go(
                {_HOME: 0, _LF: self._at + COLUMNS, _CR: self._at - column, _BACK: self._at - 1, _FORWARD: self._at + 1}[byte]
            )

    def _go(self, to: int) -> None:
        self._at = to % len(self._cells)

    def _take_sequence(self, byte: int) -> None:
        self._sequence += bytes([byte])
        if len(self._sequence) < 2 or (self._sequence[:2] == _MOVE and len(self._sequence) < _MOVE_BYTES):
            return
        sequence, self._sequence = self._sequence, b""
        if sequence == _INIT:
            self.clear()
        elif sequence[:2] == _MOVE and 1 <= sequence[2] <= COLUMNS and 1 <= sequence[3] <= LINES:
            self._go((sequence[3] - 1) * COLUMNS + sequence[2] - 1)
