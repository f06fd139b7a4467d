"""Command APDUs as a card parses them (chip.md 2.1) and the ways in which a command ends without an answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OK = b"\x90\x00"
END_OF_FILE = b"\x62\x82"
SHORT_LE = 256  # the most that a response to a short command holds


class ChipDied(Exception):
    """The chip lost its field in the middle of a command: no answer, ever."""


class StatusWord(Exception):
    """The command is refused with this status word."""

    def __init__(self, word: int) -> None:
        super().__init__(f"{word:04X}")
        self.word = word

    @property
    def raw(self) -> bytes:
        """The word as it is sent."""
        return self.word.to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Apdu:
    """A command APDU; `le` is None without one, `le_any` when it asked for "all you have"."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None
    le_any: bool
    extended: bool = False

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes([self.cla, self.ins, self.p1, self.p2])

    @property
    def parameters(self) -> int:
        """P1 and P2 as one number."""
        return self.p1 << 8 | self.p2


def parse_apdu(raw: bytes) -> Apdu:
    """Short and extended cases of ISO 7816-4; StatusWord 6700 when the lengths do not add up."""
    if len(raw) < 4:
        raise StatusWord(0x6700)
    cla, ins, p1, p2 = raw[:4]
    data, le_field, extended = _parse_body(raw[4:])
    if not le_field:
        return Apdu(cla, ins, p1, p2, data, None, le_any=False, extended=extended)
    le = int.from_bytes(le_field, "big")
    return Apdu(cla, ins, p1, p2, data, le or 256 ** len(le_field), le_any=le == 0, extended=extended)


def _parse_body(body: bytes) -> tuple[bytes, bytes, bool]:
    """Data and Le field, each empty when absent, and whether the lengths are extended."""
    size = 1
    if len(body) >= 3 and body[0] == 0:
        body, size = body[1:], 2
    if len(body) <= size:
        if len(body) not in (0, size):
            raise StatusWord(0x6700)
        return b"", body, size == 2
    length = int.from_bytes(body[:size], "big")
    data, rest = body[size : size + length], body[size + length :]
    if length == 0 or len(data) != length or len(rest) not in (0, size):
        raise StatusWord(0x6700)
    return data, rest, size == 2
