"""Magicard bit planes for the heads KGE2 and KGE. Source: printers.md 4.5 (confidence A: two vendor jobs decoded).

One record a column, from the card's left edge: for each bit of a dot, least significant first, 24 big-endian words of 32 bits.
The head has 672 dots and the picture is centred on it, counted from the bottom of the upright card. Dots 0 to 287 of the head
lie in every second bit of words 6 to 23, dots 288 to 671 in the others of words 0 to 23. KGE mirrors the bits of each word.
A printer whose head stands higher or lower than position 50 needs the picture moved on the head: the driver's work.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from controller.cards.dots import Dots
from controller.cards.raster import Raster, RasterPanel

HEAD_DOTS = 672
_WORDS = 24  # of one plane of one column
_WORD_BITS = 32
_PLANE_BYTES = _WORDS * _WORD_BITS // 8
_LOWER_DOTS, _LOWER_FIRST_WORD, _DOTS_A_WORD = 288, 6, 16


def size_bytes(raster: Raster, panel: RasterPanel) -> int | None:
    """Of one panel; None when the picture is higher than the head."""
    if raster.width_dots > HEAD_DOTS:
        return None
    return raster.height_lines * panel.bits * _PLANE_BYTES


def pack(dots: Dots, panel: RasterPanel, *, mirrored: bool) -> bytes:
    """The bytes of a panel. Columns without dye, most of a card's, are zeros already."""
    rows, columns = dots.shape
    used = np.flatnonzero(dots.any(axis=0))
    padded = np.zeros((len(used), rows + 1), np.uint8)  # one row more: for bits that no dot of the picture has
    padded[:, :rows] = dots.T[used]
    arranged = padded.take(_row_of_bit(rows, mirrored), axis=1)
    packed = np.zeros((columns, panel.bits, _PLANE_BYTES), np.uint8)
    for plane in range(panel.bits):
        packed[used, plane] = np.packbits(arranged & (1 << plane), axis=1)
    return packed.tobytes()


def unpack(data: bytes, raster: Raster, panel: RasterPanel, *, mirrored: bool) -> Dots:
    """The upright dots: the inverse of `pack`. Dots of the head beside the picture are left out."""
    planes = np.frombuffer(data, np.uint8).reshape(raster.height_lines, panel.bits, _PLANE_BYTES)
    dots = np.zeros((raster.width_dots, raster.height_lines), np.uint8)
    for plane in range(panel.bits):
        bits = np.unpackbits(planes[:, plane], axis=1)
        dots |= (bits[:, _bit_of_row(raster.width_dots, mirrored)].T << plane).astype(np.uint8)
    return dots


@lru_cache(maxsize=4)  # two heads, each with one height of picture
def _bit_of_row(rows: int, mirrored: bool) -> NDArray[np.intp]:
    """For each row of the picture from the top the place of its bit in a plane, counted as it travels."""
    margin = (HEAD_DOTS - rows) // 2
    places = [_place(margin + rows - 1 - row) for row in range(rows)]
    return np.array([word * _WORD_BITS + (bit if mirrored else _WORD_BITS - 1 - bit) for word, bit in places])


@lru_cache(maxsize=4)
def _row_of_bit(rows: int, mirrored: bool) -> NDArray[np.intp]:
    """The inverse; `rows` where a bit is no dot of the picture."""
    row_of_bit = np.full(_WORDS * _WORD_BITS, rows)
    row_of_bit[_bit_of_row(rows, mirrored)] = np.arange(rows)
    return row_of_bit


def _place(head_dot: int) -> tuple[int, int]:
    """Word and bit (0 = least significant) of a dot of the head, counted from the card's bottom, for KGE2."""
    if head_dot < _LOWER_DOTS:
        word, index = divmod(head_dot, _DOTS_A_WORD)
        return _LOWER_FIRST_WORD + word, 31 - 2 * index
    word, index = divmod(head_dot - _LOWER_DOTS, _DOTS_A_WORD)
    return word, 30 - 2 * index
