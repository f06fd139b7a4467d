"""What a chip's memory takes when it is written, and what is left of it when power is lost on the way. Pure.

The chip writes pages of 32 bytes one by one (E): those before the torn one hold the new bytes, those behind it the old ones.
What the torn page holds is a matter of microseconds, so a fault says: `cut` (new up to the very byte), `old`, `new`, a `mix` of
bits, or the whole page as it is between erasing and writing, `erased` (00) or `blank` (FF), with what was not to be written.
What a chip changes as a whole (keys, life cycle) is old until it is new, whatever happens.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.devices.chip_apdu import ChipDied
from hwsim.world import ChipMemory

PAGE_BYTES = 32
TORN = ("cut", "old", "new", "mix", "erased", "blank")
_WIPED = {"erased": b"\x00", "blank": b"\xff"}


@dataclass(slots=True)
class ChipTroubles:
    """What happens to the chips of one lane; each is used up when it has happened, but for `slow_s`."""

    hang_in_apdus: int | None = None  # the n-th APDU from now is never answered, nor any after it
    cut_in_bytes: int | None = None  # after so many more written bytes the field is lost
    cut_kills: bool = False  # and the chip never answers again
    cut_page: str = "cut"  # what the torn page holds: one of TORN
    cut_back: bool = False  # and the field comes back a moment later
    wrong_in_apdus: int | None = None  # the n-th APDU from now gets `wrong_word`
    wrong_word: int = 0x6581
    wrong_acts: bool = False  # though the chip did what it was told
    short_in_apdus: int | None = None  # the n-th response from now lacks bytes
    short_bytes: int = 1  # so many, before the status word
    flip_next_write: bool = False  # one bit of what is written next is kept wrong, and the chip says 9000
    slow_s: float = 0.0  # how much longer each APDU takes, wall clock

    def due(self, name: str) -> bool:
        """Count one APDU down; whether this is the one."""
        left: int | None = getattr(self, name)
        if left is None:
            return False
        setattr(self, name, left - 1 if left > 1 else None)
        return left <= 1


class Eeprom:
    """The way to a chip's memory."""

    def __init__(self, memory: ChipMemory, troubles: ChipTroubles, chance: random.Random) -> None:
        self._memory, self._troubles, self._random = memory, troubles, chance

    def write(self, fid: int, offset: int, data: bytes) -> None:
        """Put bytes into a file. Raises ChipDied when power is lost before the end of it."""
        cut = self._spend(len(data))
        if cut is not None:
            offset, kept = self._torn(bytes(self._memory.files[fid]), offset, data, cut)
        else:
            kept = data
        if kept and self._troubles.flip_next_write:
            self._troubles.flip_next_write = False
            kept = kept[:-1] + bytes([kept[-1] ^ 1])
        if kept:
            self._memory.write(fid, offset, kept)
        if cut is not None:
            self._lose()

    def change(self, size: int, act: Callable[[], None]) -> None:
        """Change `size` bytes as a whole. Raises ChipDied when power is lost before the end of it."""
        cut = self._spend(size)
        if cut is None or cut == size or self._troubles.cut_page == "new":
            act()
        if cut is not None:
            self._lose()

    def _spend(self, size: int) -> int | None:
        """After how many of these bytes power is lost; None when it is not."""
        cut = self._troubles.cut_in_bytes
        if cut is None or cut <= size:
            return cut
        self._troubles.cut_in_bytes = cut - size
        return None

    def _torn(self, old: bytes, offset: int, data: bytes, cut: int) -> tuple[int, bytes]:
        """From where on the file differs afterwards, and what is there; behind that it is as before."""
        page = self._troubles.cut_page
        if page == "cut" or cut == len(data):
            return offset, data[:cut]
        begin = (offset + cut) // PAGE_BYTES * PAGE_BYTES
        start, end = max(0, begin - offset), min(len(data), begin + PAGE_BYTES - offset)
        if page in _WIPED:
            wiped = _WIPED[page] * (min(begin + PAGE_BYTES, len(old)) - begin)
            return min(offset, begin), data[:start] + wiped
        if page != "mix":
            return offset, data[: end if page == "new" else start]
        pairs = zip(old[offset + start :], data[start:end], strict=False)
        return offset, data[:start] + bytes(self._mixed(*pair) for pair in pairs)

    def _mixed(self, old: int, new: int) -> int:
        """Each bit of the one or of the other."""
        from_new = self._random.getrandbits(8)
        return old & ~from_new | new & from_new

    def _lose(self) -> None:
        self._troubles.cut_in_bytes = None
        self._memory.dead = self._memory.dead or self._troubles.cut_kills
        raise ChipDied
