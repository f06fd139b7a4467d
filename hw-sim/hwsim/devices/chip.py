"""The e-KTP chip in plain ISO 7816 (chip.md 1.2, 2.2, 2.3; firmware_profiles/chips/ektp.toml). Pure: APDU in, response out.

The write side is this project's invention, as the profile says. Choices where the facts are silent (E): SELECT answers without
FCI; UPDATE BINARY beyond the file is 6A84 and of the card control 6982; READ BINARY past the end with an explicit Le
returns what there is and 6282.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.profiles import ChipProfile
from hwsim.world import Blank

ATR = bytes.fromhex("3B80800101")  # contactless, no historical bytes (chip.md 2.3)
MASTER_FILE = b"\x3f\x00"
_OK = b"\x90\x00"
_END_OF_FILE = b"\x62\x82"


class ChipDied(Exception):
    """The chip lost its field in the middle of a command: no answer, ever."""


class StatusWord(Exception):
    """The command is refused with this status word."""

    def __init__(self, word: int) -> None:
        super().__init__(f"{word:04X}")
        self.word = word


@dataclass(slots=True)
class ChipTroubles:
    """What happens to the chips of one lane; each is used up when it has happened."""

    hang_in_apdus: int | None = None  # the n-th APDU from now is never answered, nor any after it
    cut_in_bytes: int | None = None  # after so many more written bytes the field is lost
    cut_kills: bool = False  # and the chip never answers again
    flip_next_write: bool = False  # one bit of what is written next is kept wrong, and the chip says 9000


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


def parse_apdu(raw: bytes) -> Apdu:
    """Short and extended cases of ISO 7816-4; StatusWord 6700 when the lengths do not add up."""
    if len(raw) < 4:
        raise StatusWord(0x6700)
    cla, ins, p1, p2 = raw[:4]
    data, le_field = _parse_body(raw[4:])
    if not le_field:
        return Apdu(cla, ins, p1, p2, data, None, le_any=False)
    le = int.from_bytes(le_field, "big")
    return Apdu(cla, ins, p1, p2, data, le or 256 ** len(le_field), le_any=le == 0)


def _parse_body(body: bytes) -> tuple[bytes, bytes]:
    """Data and Le field, each empty when absent."""
    size = 1
    if len(body) >= 3 and body[0] == 0:
        body, size = body[1:], 2
    if len(body) <= size:
        if len(body) not in (0, size):
            raise StatusWord(0x6700)
        return b"", body
    length = int.from_bytes(body[:size], "big")
    data, rest = body[size : size + length], body[size + length :]
    if length == 0 or len(data) != length or len(rest) not in (0, size):
        raise StatusWord(0x6700)
    return data, rest


class EktpChip:
    """One presentation of a chip to the field: what is selected is forgotten with it, what is written stays."""

    def __init__(self, blank: Blank, profile: ChipProfile, troubles: ChipTroubles, seed: int) -> None:
        self._blank, self._profile, self._troubles = blank, profile, troubles
        self._random = random.Random(seed)  # noqa: S311  challenges of a simulated chip guard nothing
        self._hung = False
        self._in_df = False
        self._file: int | None = None
        self._commands: dict[int, Callable[[Apdu], bytes]] = {
            0xA4: self._select,
            0xB0: self._read,
            0xD6: self._update,
            0x84: self._challenge,
        }

    def reset(self) -> None:
        """The field was switched off and on."""
        self._in_df, self._file, self._hung = False, None, False

    def transmit(self, raw: bytes) -> bytes | None:
        """The response with its status word; None when the chip hangs. Raises ChipDied."""
        if self._hangs():
            return None
        try:
            return self._answer(parse_apdu(raw))
        except StatusWord as refused:
            return refused.word.to_bytes(2, "big")

    def _hangs(self) -> bool:
        left = self._troubles.hang_in_apdus
        if left is not None:
            self._troubles.hang_in_apdus = left - 1 if left > 1 else None
            self._hung = left <= 1
        return self._hung

    def _answer(self, apdu: Apdu) -> bytes:
        if (apdu.cla, apdu.ins) == (0xFF, 0xCA):  # a real reader answers this one itself; vpcd hands it to the card
            return self._uid(apdu)
        if apdu.cla != 0x00:
            raise StatusWord(0x6E00)
        command = self._commands.get(apdu.ins)
        if command is None:
            raise StatusWord(0x6D00)
        return command(apdu)

    def _uid(self, apdu: Apdu) -> bytes:
        if (apdu.p1, apdu.p2) == (0, 0):
            return self._blank.uid + _OK
        if (apdu.p1, apdu.p2) == (1, 0):
            return _OK  # no historical bytes
        raise StatusWord(0x6A86)

    def _select(self, apdu: Apdu) -> bytes:
        if apdu.p1 not in (0x00, 0x01, 0x02) or apdu.p2 not in (0x00, 0x04, 0x0C):
            raise StatusWord(0x6A86)
        if len(apdu.data) != 2:
            raise StatusWord(0x6700)
        fid = int.from_bytes(apdu.data, "big")
        if apdu.data in (MASTER_FILE, self._profile.df):
            self._in_df, self._file = apdu.data == self._profile.df, None
        elif self._in_df and fid in self._blank.chip.files:
            self._file = fid
        else:
            raise StatusWord(0x6A82)
        return _OK

    def _read(self, apdu: Apdu) -> bytes:
        content, offset = self._current(apdu)
        if apdu.data or apdu.le is None:
            raise StatusWord(0x6700)
        if offset >= len(content):
            raise StatusWord(0x6B00)
        found = bytes(content[offset : offset + apdu.le])
        return found + (_OK if len(found) == apdu.le or apdu.le_any else _END_OF_FILE)

    def _update(self, apdu: Apdu) -> bytes:
        content, offset = self._current(apdu)
        if not apdu.data:
            raise StatusWord(0x6700)
        if not any(spec.fid == self._file and spec.personalised for spec in self._profile.files):
            raise StatusWord(0x6982)
        if offset > len(content):
            raise StatusWord(0x6B00)
        if offset + len(apdu.data) > len(content):
            raise StatusWord(0x6A84)
        self._write(offset, apdu.data)
        return _OK

    def _write(self, offset: int, data: bytes) -> None:
        cut = self._troubles.cut_in_bytes
        kept = data if cut is None else data[:cut]
        if kept and self._troubles.flip_next_write:
            self._troubles.flip_next_write = False
            kept = kept[:-1] + bytes([kept[-1] ^ 1])
        if kept and self._file is not None:
            self._blank.chip.write(self._file, offset, kept)
        if cut is None:
            return
        self._troubles.cut_in_bytes = cut - len(kept)
        if cut <= len(data):
            self._troubles.cut_in_bytes = None
            self._blank.chip.dead = self._blank.chip.dead or self._troubles.cut_kills
            raise ChipDied

    def _challenge(self, apdu: Apdu) -> bytes:
        if apdu.data or apdu.le not in (8, 256):
            raise StatusWord(0x6700)
        return self._random.randbytes(8) + _OK

    def _current(self, apdu: Apdu) -> tuple[bytearray, int]:
        """The selected file and the offset in it."""
        if apdu.p1 & 0x80:
            raise StatusWord(0x6A82)  # short file identifiers are not used on this chip
        if self._file is None:
            raise StatusWord(0x6986)
        return self._blank.chip.files[self._file], apdu.p1 << 8 | apdu.p2
