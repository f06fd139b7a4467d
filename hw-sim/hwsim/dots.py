"""What is on a card, dot by dot, from the bytes that were printed (printers.md 3.8, 4.5). Pure.

A Magicard's planes hold six bits of each dot, least significant plane first, one record per column from the card's left edge,
672 dots from the bottom up, of which 642 lie on the card. Words are 32-bit big-endian. Of the KEE head only the plain order of
the dots is known; that the first dot is bit 7 follows two open drivers and contradicts a third remark.
Its overcoat has no plane: the keys PCT (area) and NCT (holes) of the job's header stand for it, origin bottom left, inclusive.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from hwsim.devices.evolis_panels import Geometry, unpack, upright
from hwsim.forms import CENTRE, Form
from hwsim.world import Printed

HEAD_DOTS = 672
COLOUR_PLANES = 6
_SPLIT = 288  # dots below it sit in the odd bits of the words from 6 on, the others in the even bits of the words from 0 on
_AREA = re.compile(r"(PCT|NCT)(\d+),(\d+),(\d+),(\d+)")

Dots = NDArray[np.uint8]


def picture(printed: Printed) -> Dots | None:
    """The panel as a person sees it: rows from the top, columns from the left, 0 to levels - 1. None once it is dropped."""
    if printed.dots is None:
        return None
    if printed.form.packing == "evolis":
        geometry = Geometry(printed.form.width_dots, printed.form.height_lines)
        return upright(unpack(printed.dots, printed.levels, geometry))
    if printed.panel == "o":
        return _overcoat(printed.dots.decode("ascii", "replace"), printed.form)
    return _planes(printed.dots, 1 if printed.levels == 2 else COLOUR_PLANES, printed.form)


def _planes(data: bytes, planes: int, form: Form) -> Dots:
    """Bytes that do not fill a column are left out; columns that were not sent stay empty."""
    column = planes * (84 if form.packing == "kee" else 96)
    columns = min(len(data) // column, form.height_lines)
    whole = np.frombuffer(data, np.uint8, columns * column).reshape(columns, planes, column // planes)
    bits = np.unpackbits(whole, axis=2)[:, :, _places(form.packing)]
    head = (bits << np.arange(planes, dtype=np.uint8)[None, :, None]).sum(axis=1, dtype=np.uint8)
    margin = min(30, max(0, (HEAD_DOTS - form.width_dots) // 2 + CENTRE - form.head_position))
    card = head[:, margin : margin + form.width_dots]
    dots = np.zeros((form.width_dots, form.height_lines), np.uint8)
    dots[form.width_dots - card.shape[1] :, :columns] = card.T[::-1]
    return dots


def _places(packing: str) -> NDArray[np.intp]:
    """For each dot of the head, from the bottom, where its bit stands in a plane's column, from the first byte's bit 7."""
    y = np.arange(HEAD_DOTS)
    if packing == "kee":
        return y
    low, t = y < _SPLIT, y - _SPLIT
    word = np.where(low, 6 + (y >> 4), t >> 4)
    bit = np.where(low, 31 - 2 * (y & 15), 30 - 2 * (t & 15))
    if packing == "kge":
        bit = 31 - bit
    return np.asarray(32 * word + 31 - bit, np.intp)


def _overcoat(keys: str, form: Form) -> Dots:
    dots = np.zeros((form.width_dots, form.height_lines), np.uint8)
    areas = [(kind, *map(int, numbers)) for kind, *numbers in _AREA.findall(keys)]
    if not any(kind == "PCT" for kind, *_ in areas):
        dots[:] = 1
    for kind, x1, y1, x2, y2 in sorted(areas, reverse=True):  # the area before its holes
        dots[max(0, form.width_dots - 1 - y2) : max(0, form.width_dots - y1), x1 : x2 + 1] = kind == "PCT"
    return dots
