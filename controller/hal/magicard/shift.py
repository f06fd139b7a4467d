"""Moves packed Magicard planes up or down on the print head. Pure, and without numpy: the daemon has none.

Cards are packed for head position 50. A printer whose head stands elsewhere says so in REQ,INF field 16, and the picture has to
move the other way: by 50 less the position, at most as far as the head is higher than the picture (printers.md 4.5).

A plane of one column is 24 words of 32 bits with two rows of dots: dots 0 to 287 in every second bit from word 6 on, dots 288 to
671 in the other bits from word 0 on. Read as one long number in the order of the dots, all columns of all planes move with two
shifts; masks keep each dot in its column. The time is that of copying the bytes a few times.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import lru_cache

DRAWN_FOR = 50  # the head position that panels are packed for
MARGIN_DOTS = 15  # of the head beside the picture, on each side: (672 - 642) / 2

_PLANE_BYTES = 96  # 24 words
_LOWER_DOTS, _HEAD_DOTS = 288, 672
_LOWER_FIRST_BIT = 6 * 32  # both in the order of the dots
_UPPER_FIRST_BIT = 1
_CROSSING_BITS = 767  # from the last lower dot back to the first upper one, plus one dot


def dots_for(head_position: int) -> int:
    """How far up the picture has to move; no farther than the head reaches."""
    return max(-MARGIN_DOTS, min(MARGIN_DOTS, DRAWN_FOR - head_position))


def move(data: bytes, packing: str, dots: int) -> bytes:
    """The planes with every dot `dots` higher, or lower when it is negative; dots that leave the head are lost.

    `packing`: kge2 or kge. ValueError for another one, or data that are no whole planes.
    """
    if packing not in ("kge2", "kge") or len(data) % _PLANE_BYTES:
        raise ValueError(f"{len(data)} bytes in packing {packing} are no planes")
    straight = packing == "kge2"
    whole = int.from_bytes(data, "big") if straight else int.from_bytes(_swapped(data), "little")
    stay, cross = _masks(len(data), dots, straight=straight)
    across = _CROSSING_BITS - 2 * abs(dots)
    up = 1 if (dots > 0) != straight else -1  # in KGE2 the first dot is the highest bit: up is to the right
    moved = _shifted(whole & stay, up * 2 * abs(dots)) | _shifted(whole & cross, -up * across)
    return moved.to_bytes(len(data), "big") if straight else _swapped(moved.to_bytes(len(data), "little"))


@lru_cache(maxsize=4)  # colour and black, for the one distance that a printer needs
def _masks(size: int, dots: int, *, straight: bool) -> tuple[int, int]:
    """The dots that stay in their row of bits, and those that go over into the other one, before they are moved."""
    lower, upper = range(_LOWER_DOTS), range(_LOWER_DOTS, _HEAD_DOTS)
    stay = [dot for row in (lower, upper) for dot in row if dot + dots in row]
    cross = [dot for dot in lower if dot + dots in upper] + [dot for dot in upper if dot + dots in lower]
    repeats = size // _PLANE_BYTES
    return _mask(stay, repeats, straight=straight), _mask(cross, repeats, straight=straight)


def _mask(dots: Iterable[int], repeats: int, *, straight: bool) -> int:
    """A number with the bits of these dots set, in every plane."""
    plane = bytearray(_PLANE_BYTES)
    for dot in dots:
        at = _LOWER_FIRST_BIT + 2 * dot if dot < _LOWER_DOTS else _UPPER_FIRST_BIT + 2 * (dot - _LOWER_DOTS)
        plane[at >> 3] |= (0x80 >> (at & 7)) if straight else (1 << (at & 7))
    return int.from_bytes(plane * repeats, "big" if straight else "little")


def _shifted(number: int, left: int) -> int:
    return number << left if left >= 0 else number >> -left


def _swapped(data: bytes) -> bytes:
    """The bytes of each 32-bit word in the other order."""
    words = array("I")
    assert words.itemsize == 4
    words.frombytes(data)
    words.byteswap()
    return words.tobytes()
