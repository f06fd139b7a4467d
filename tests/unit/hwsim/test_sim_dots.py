"""Planes decoded to dots, against the formulas of printers.md 4.5 written out dot by dot."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.dots import picture
from hwsim.forms import Form
from hwsim.world import Printed


def place(packing: str, y: int) -> tuple[int, int]:
    """Word and bit of a canvas dot."""
    t = y - 288
    word, bit = (6 + (y >> 4), 31 - 2 * (y & 15)) if y < 288 else (t >> 4, 30 - 2 * (t & 15))
    return word, bit if packing == "kge2" else 31 - bit


def plane_with(packing: str, y: int, value: int, planes: int) -> bytes:
    """Two columns, the second with one dot of this six-bit value."""
    if packing == "kee":
        marks = [(84 * k + (y >> 3), 7 - (y & 7)) for k in range(planes) if value >> k & 1]
        column = bytearray(84 * planes)
    else:
        word, bit = place(packing, y)
        marks = [(96 * k + 4 * word + 3 - bit // 8, bit % 8) for k in range(planes) if value >> k & 1]
        column = bytearray(96 * planes)
    for byte, bit in marks:
        column[byte] |= 1 << bit
    return bytes(len(column)) + bytes(column)


def decoded(packing: str, data: bytes, levels: int = 64, head: int = 50) -> dict[tuple[int, int], int]:
    """Row, column and value of what is not 0."""
    dots = picture(Printed("front", "y", levels, "", Form(packing, 642, 4, head), data, complete=True))
    assert dots is not None
    assert dots.shape == (642, 4)
    return {(int(row), int(column)): int(dots[row, column]) for row, column in np.argwhere(dots)}


@pytest.mark.parametrize("packing", ["kge2", "kge", "kee"])
@pytest.mark.parametrize("row", [0, 1, 15, 300, 353, 354, 368, 369, 640, 641])
def test_every_dot_is_found_where_the_formula_puts_it(packing: str, row: int) -> None:
    assert decoded(packing, plane_with(packing, 641 - row + 15, 0b101101, 6)) == {(row, 1): 0b101101}


@pytest.mark.parametrize("packing", ["kge2", "kge", "kee"])
def test_black_is_one_plane(packing: str) -> None:
    assert decoded(packing, plane_with(packing, 100, 1, 1), levels=2) == {(556, 1): 1}


@pytest.mark.parametrize(("head", "row"), [(50, 556), (45, 561), (55, 551), (30, 571), (90, 541)])
def test_the_head_position_moves_the_picture_and_is_limited_to_the_head(head: int, row: int) -> None:
    assert decoded("kge2", plane_with("kge2", 100, 9, 6), head=head) == {(row, 1): 9}


def test_a_rest_that_is_no_column_is_left_out() -> None:
    assert decoded("kge2", plane_with("kge2", 100, 9, 6)[:-1]) == {}


@pytest.mark.parametrize("data", [b"", b"x" * 10])
def test_less_than_a_column_is_an_empty_picture(data: bytes) -> None:
    assert decoded("kge2", data) == {}


@pytest.mark.parametrize(
    ("keys", "bare"),
    [
        (b"OVRON", 0),
        (b"OVRON,PCT0,0,1015,641", 0),
        (b"OVRON,PCT0,0,1015,640", 1016),
        (b"OVRON,PCT0,0,1015,641,NCT90,295,260,450", 171 * 156),
        (b"OVRON,NCT0,0,0,0,PCT0,0,1015,641,NCT1015,641,1015,641", 2),
    ],
)
def test_the_overcoat_is_its_area_without_its_holes(keys: bytes, bare: int) -> None:
    dots = picture(Printed("front", "o", 2, "", Form("kge2", 642, 1016), keys, complete=True))
    assert dots is not None
    assert int((dots == 0).sum()) == bare


def test_a_hole_is_counted_from_the_bottom_left() -> None:
    dots = picture(Printed("front", "o", 2, "", Form("kge2", 642, 1016), b"OVRON,PCT0,0,1015,641,NCT3,0,3,0", complete=True))
    assert dots is not None
    assert np.argwhere(dots == 0).tolist() == [[641, 3]]
