"""A Magicard overcoat: no panel of dots but keys of the job's header. Source: printers.md 4.4.

`OVRON,PCT0,0,1015,641,NCTx1,y1,x2,y2`: the whole card, but for at most two rectangular holes. Dots are counted from the bottom
left corner and the last one is inside, as in `PCT0,0,1015,641` for 1016 x 642 dots; that this holds for NCT too is inference (E).
"""

from __future__ import annotations

import re

import numpy as np

from controller.cards.dots import Dots
from controller.cards.problems import refusal

MAX_HOLES = 2
_RECTANGLE = r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})"
_KEYS = re.compile(rf"OVRON,PCT{_RECTANGLE}(?:,NCT{_RECTANGLE})?(?:,NCT{_RECTANGLE})?")


def pack(dots: Dots) -> bytes:
    """The keys in ASCII. Raises RenderError when the bare places are not at most two rectangles."""
    height, width = dots.shape
    bare = dots == 0
    keys = ["OVRON", f"PCT0,0,{width - 1},{height - 1}"]
    while bare.any():
        if len(keys) == 2 + MAX_HOLES:
            raise refusal("overcoat.holes", limit=MAX_HOLES)
        rows, columns = _first_rectangle(bare)
        bare[rows, columns] = False
        keys.append(f"NCT{columns.start},{height - rows.stop},{columns.stop - 1},{height - 1 - rows.start}")
    return ",".join(keys).encode("ascii")


def unpack(data: bytes, shape: tuple[int, int]) -> Dots:
    """The upright dots, 1 where there is overcoat. Raises RenderError when these are no such keys or they leave the card."""
    height, width = shape
    match = _KEYS.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        raise refusal("overcoat.keys")
    numbers = [int(group) for group in match.groups() if group is not None]
    dots = np.zeros(shape, np.uint8)
    for index in range(0, len(numbers), 4):
        left, low, right, high = numbers[index : index + 4]
        if not (left <= right < width and low <= high < height):
            raise refusal("overcoat.keys")
        dots[height - 1 - high : height - low, left : right + 1] = 0 if index else 1
    return dots


def _first_rectangle(bare: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[slice, slice]:
    """The widest and then highest bare rectangle that begins at the first bare dot, in the order of reading."""
    row, column = (int(place) for place in np.unravel_index(int(bare.argmax()), bare.shape))
    covered = np.flatnonzero(~bare[row, column:])
    right = column + int(covered[0]) if covered.size else bare.shape[1]
    full_rows = bare[row:, column:right].all(axis=1)
    covered = np.flatnonzero(~full_rows)
    bottom = row + int(covered[0]) if covered.size else bare.shape[0]
    return slice(row, bottom), slice(column, right)
