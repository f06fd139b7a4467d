"""Dots of an upright card to the bytes of one panel, and back. Source: printers.md 3.8 (confidence A for 1 bit, C for 7).

`evolis`: the upright landscape picture is turned 90 degrees clockwise, so that line 0 is the card's left edge and dot 0 of a
line is its bottom edge (dot index = 647 - y); then all dots follow each other, most significant bit first, no padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.cards.problems import refusal
from controller.cards.raster import Raster, RasterPanel

Dots = NDArray[np.uint8]  # [y, x] of the upright landscape picture; 0 = no dye, levels - 1 = full dye

_GROUP = 8  # dots: the least number that fills whole bytes at any number of bits


@dataclass(frozen=True, slots=True)
class _Packing:
    quarter_turns_clockwise: int


PACKINGS = {"evolis": _Packing(quarter_turns_clockwise=1)}


def check_raster(raster: Raster) -> None:
    """Raise RenderError when the packing is unknown or a panel's size is not exactly what its dots need."""
    if raster.packing not in PACKINGS:
        raise refusal("raster.unknown_packing", packing=raster.packing)
    for panel in raster.panels:
        expected = raster.width_dots * raster.height_lines * panel.bits / 8
        if panel.size_bytes != expected:
            raise refusal("raster.size", panel=panel.name, expected=round(expected), actual=panel.size_bytes)


def pack(dots: Dots, raster: Raster, panel: RasterPanel) -> bytes:
    """The panel's bytes, exactly `panel.size_bytes`. Raises RenderError for any other size, ValueError for too high a value."""
    packing = PACKINGS[raster.packing]
    if dots.shape != (raster.width_dots, raster.height_lines):
        raise refusal("raster.shape", panel=panel.name, width=dots.shape[1], height=dots.shape[0])
    if int(dots.max()) >= panel.levels:
        raise ValueError(f"panel {panel.name}: a dot is above level {panel.levels - 1}")
    lines = np.rot90(dots, -packing.quarter_turns_clockwise)
    data = np.packbits(lines).tobytes() if panel.bits == 1 else _pack_bits(lines, panel.bits)
    if len(data) != panel.size_bytes:
        raise refusal("raster.size", panel=panel.name, expected=len(data), actual=panel.size_bytes)
    return data


def unpack(data: bytes, raster: Raster, panel: RasterPanel) -> Dots:
    """The upright dots of a packed panel: the inverse of `pack`."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, panel.bits)
    weights = 1 << np.arange(panel.bits - 1, -1, -1, dtype=np.uint8)
    lines = (bits @ weights).astype(np.uint8).reshape(raster.height_lines, raster.width_dots)
    return np.ascontiguousarray(np.rot90(lines, PACKINGS[raster.packing].quarter_turns_clockwise))


def _pack_bits(lines: Dots, bits: int) -> bytes:
    """Eight dots at a time go through one 64-bit word: quicker than handling single bits, and no bit order to get wrong."""
    groups = np.ascontiguousarray(lines).reshape(-1, _GROUP)
    words = groups[:, 0].astype(np.uint64)
    for column in range(1, _GROUP):
        words <<= np.uint64(bits)
        words |= groups[:, column]
    return words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - bits :].tobytes()
