"""Makes small ICC profiles for the tests: a CMYK printer by a made-up ink model, and Pillow's sRGB. Source: ICC.1:2001."""

from __future__ import annotations

import numpy as np
from PIL import ImageCms

_GRID = 9  # points of the table from Lab along each axis


def srgb() -> bytes:
    """An RGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk() -> bytes:
    """A printer whose black follows lightness, cyan green, magenta red and yellow yellow. Much of the ink is black."""
    lightness, a, b = np.meshgrid(*[np.linspace(0, 1, _GRID)] * 3, indexing="ij")
    inks = np.stack([1 - 2 * a, 2 * a - 1, 2 * b - 1, 1 - lightness], axis=-1)
    return _profile(b"CMYK", [(b"A2B0", _lut8(4, 3, 2, np.zeros((16, 3)))), (b"B2A0", _lut8(3, 4, _GRID, inks.reshape(-1, 4)))])


def _lut8(inputs: int, outputs: int, grid: int, table: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    head = b"mft1" + bytes(4) + bytes([inputs, outputs, grid, 0])
    matrix = b"".join((65_536 if row == column else 0).to_bytes(4, "big") for row in range(3) for column in range(3))
    straight = bytes(range(256))
    colours = np.rint(np.clip(table, 0, 1) * 255).astype(np.uint8).tobytes()
    return head + matrix + straight * inputs + colours + straight * outputs


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for name, data in tags:
        table += name + (start + len(body)).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        body += data + bytes(-len(data) % 4)
    white = b"".join(round(value * 65_536).to_bytes(4, "big") for value in (0.9642, 1.0, 0.8249))
    head = (start + len(body)).to_bytes(4, "big") + bytes(4) + b"\x02\x40\0\0" + b"prtr" + space + b"Lab " + bytes(12) + b"acsp"
    return (head + bytes(28) + white).ljust(128, b"\0") + table + body
