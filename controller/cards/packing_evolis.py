"""Evolis panels. Source: printers.md 3.8 (confidence A for 1 bit, C for 7).

The upright landscape picture is turned 90 degrees clockwise, so that line 0 is the card's left edge and dot 0 of a line is its
bottom edge (dot index = 647 - y); then all dots follow each other, most significant bit first, no padding.
"""

from __future__ import annotations

import numpy as np

from controller.cards.dots import Dots
from controller.cards.raster import Raster, RasterPanel

_GROUP = 8  # dots: the least number that fills whole bytes at any number of bits


def size_bytes(raster: Raster, panel: RasterPanel) -> int | None:
    """Of one panel; None when a line does not fill whole bytes."""
    if raster.width_dots % _GROUP:
        return None
    return raster.width_dots * raster.height_lines * panel.bits // 8


def pack(dots: Dots, panel: RasterPanel) -> bytes:
    """The bytes of a panel. Lines without dye, most of a card's, are zeros already."""
    lines = np.rot90(dots, -1)
    used = np.flatnonzero(dots.any(axis=0))
    line_bytes = lines.shape[1] * panel.bits // 8
    packed = np.zeros((lines.shape[0], line_bytes), np.uint8)
    bits = np.packbits(lines[used]) if panel.bits == 1 else _pack_bits(lines[used], panel.bits)
    packed[used] = bits.reshape(-1, line_bytes)
    return packed.tobytes()


def unpack(data: bytes, raster: Raster, panel: RasterPanel) -> Dots:
    """The upright dots: the inverse of `pack`."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, panel.bits)
    weights = 1 << np.arange(panel.bits - 1, -1, -1, dtype=np.uint8)
    lines = (bits @ weights).astype(np.uint8).reshape(raster.height_lines, raster.width_dots)
    return np.ascontiguousarray(np.rot90(lines))


def _pack_bits(lines: Dots, bits: int) -> Dots:
    """Eight dots at a time go through one 64-bit word: quicker than handling single bits, and no bit order to get wrong."""
    groups = np.ascontiguousarray(lines).reshape(-1, _GROUP)
    words = groups[:, 0].astype(np.uint64)
    for column in range(1, _GROUP):
        words <<= np.uint64(bits)
        words |= groups[:, column]
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - bits :]
