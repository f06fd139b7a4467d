"""Panels of dots as an Evolis printer takes them (printers.md 3.8). Pure.

Packed: dots contiguous, most significant bit first, no padding per line; at 7 bits 8 dots are 7 bytes.
Compressed black and varnish, per line: 00 = blank, FF = full, N + N bytes = the first N bytes of the line.
Compressed colour: bit 7 clear = one dot; bit 7 set = value in the low bits and a repeat count; count 0 = blank line.
Colour compression is printed in the guide (B) and not confirmed by a capture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_COLOUR = (32, 64, 128, 256)
LEVELS = {"y": _COLOUR, "m": _COLOUR, "c": _COLOUR, "k": (2,), "o": (2,)}
_COUNT_BITS = {32: 0x60, 64: 0x40, 128: 0x00}  # bits of the value byte that add 256 each to the repeat count
_BMP_HEAD_BYTES = 54  # file header and the shortest common information header


@dataclass(frozen=True, slots=True)
class Geometry:
    """The size of a panel."""

    width_dots: int = 648
    height_lines: int = 1016

    def line_bytes(self, levels: int) -> int:
        """Bytes of one packed line."""
        return self.width_dots * bits(levels) // 8

    def panel_bytes(self, levels: int) -> int:
        """Bytes of one packed panel."""
        return self.width_dots * self.height_lines * bits(levels) // 8


class BadPanel(Exception):
    """Compressed data that does not make exactly one panel."""


def bits(levels: int) -> int:
    """Bits of one dot."""
    return levels.bit_length() - 1


def unpack(data: bytes, levels: int, geometry: Geometry) -> NDArray[np.uint8]:
    """Dots as an array of lines x dots, values 0 to levels - 1."""
    depth = bits(levels)
    one_by_one = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, depth)
    weights = 1 << np.arange(depth - 1, -1, -1, dtype=np.uint16)
    dots: NDArray[np.uint8] = (one_by_one @ weights).astype(np.uint8)
    return dots.reshape(geometry.height_lines, geometry.width_dots)


def pack(dots: NDArray[np.uint8], levels: int) -> bytes:
    """The packed bytes of an array of dots."""
    depth = bits(levels)
    spread = np.unpackbits(dots.reshape(-1, 1), axis=1)[:, 8 - depth :]
    return np.packbits(spread).tobytes()


def filled(value: int, levels: int, geometry: Geometry) -> bytes:
    """A packed panel with the same value everywhere."""
    return pack(np.full((geometry.height_lines, geometry.width_dots), value, np.uint8), levels)


def upright(dots: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The landscape image a person sees: line = x from the left edge, dot = 647 - y."""
    return np.rot90(dots)


def decompress(data: bytes, levels: int, geometry: Geometry) -> bytes:
    """The packed panel that a Dbc command describes; BadPanel when it is not one panel."""
    if levels == 2:
        return _decompress_mono(data, geometry)
    if levels not in _COUNT_BITS:
        raise BadPanel("no compression is known for so many levels")
    return _decompress_colour(data, levels, geometry)


def paste_lines(panel: bytes, lines: bytes, first: int, levels: int, geometry: Geometry) -> bytes:
    """A panel with some of its lines replaced, for Dbp."""
    start = first * geometry.line_bytes(levels)
    if first < 0 or start + len(lines) > geometry.panel_bytes(levels):
        raise BadPanel("lines beyond the panel")
    return panel[:start] + lines + panel[start + len(lines) :]


def bmp_panel(bmp: bytes, x: int, y: int, geometry: Geometry) -> bytes:
    """A black or varnish panel from a 1-bit BMP placed at x, y of the upright image (dark pixels print)."""
    if len(bmp) < _BMP_HEAD_BYTES + 8 or bmp[28:30] != b"\x01\x00" or bmp[30:34] != bytes(4):
        raise BadPanel("not an uncompressed 1-bit BMP")
    offset = int.from_bytes(bmp[10:14], "little")
    width = int.from_bytes(bmp[18:22], "little", signed=True)
    height = int.from_bytes(bmp[22:26], "little", signed=True)
    stride = (width + 31) // 32 * 4
    if width <= 0 or height == 0 or offset + stride * abs(height) > len(bmp):
        raise BadPanel("a BMP shorter than its header says")
    if x < 0 or y < 0 or x + width > geometry.height_lines or y + abs(height) > geometry.width_dots:
        raise BadPanel("a BMP beyond the card")
    rows = np.frombuffer(bmp, np.uint8, stride * abs(height), offset).reshape(abs(height), stride)
    pixels = np.unpackbits(rows, axis=1)[:, :width]
    image = np.zeros((geometry.width_dots, geometry.height_lines), np.uint8)
    image[y : y + abs(height), x : x + width] = 1 - (pixels if height < 0 else pixels[::-1])
    return pack(np.ascontiguousarray(np.rot90(image, -1)), 2)


def _decompress_mono(data: bytes, geometry: Geometry) -> bytes:
    line_bytes, out, at = geometry.line_bytes(2), bytearray(), 0
    for _ in range(geometry.height_lines):
        if at >= len(data):
            raise BadPanel("fewer lines than the panel has")
        count = data[at]
        if count == 0xFF:
            out += b"\xff" * line_bytes
            count = 0
        elif count > line_bytes or at + 1 + count > len(data):
            raise BadPanel(f"a line of {count} bytes")
        else:
            out += data[at + 1 : at + 1 + count].ljust(line_bytes, b"\0")
        at += 1 + count
    if at != len(data):
        raise BadPanel("more lines than the panel has")
    return bytes(out)


def _decompress_colour(data: bytes, levels: int, geometry: Geometry) -> bytes:
    width, at = geometry.width_dots, 0
    out = bytearray()
    for _ in range(geometry.height_lines):
        line = bytearray()
        while len(line) < width:
            run, at = _colour_run(data, at, levels)
            line += run if run is not None else bytes(width)
        if len(line) != width:
            raise BadPanel("a run beyond the end of its line")
        out += line
    if at != len(data):
        raise BadPanel("more lines than the panel has")
    return pack(np.frombuffer(bytes(out), np.uint8), levels)


def _colour_run(data: bytes, at: int, levels: int) -> tuple[bytes | None, int]:
    """The next run of dots (None = the whole line is blank) and where the one after it starts."""
    if at >= len(data):
        raise BadPanel("fewer lines than the panel has")
    value = data[at]
    if value < 0x80:
        return bytes([value & (levels - 1)]), at + 1
    if at + 1 >= len(data):
        raise BadPanel("a run without its count")
    if data[at + 1] == 0 and not value & _COUNT_BITS[levels]:
        return None, at + 2
    count = data[at + 1] + 256 * (value & _COUNT_BITS[levels]).bit_count()
    return bytes([value & (levels - 1)]) * count, at + 2
