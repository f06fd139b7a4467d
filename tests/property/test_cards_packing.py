"""Packing loses nothing, at any number of levels and any size; the bits lie where the facts say, dot by dot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from controller.cards import overcoat
from controller.cards.dots import Dots
from controller.cards.packing import pack, unpack
from controller.cards.raster import Raster, RasterPanel

Picture = tuple[Dots, Raster, RasterPanel]


@st.composite
def evolis_pictures(draw: st.DrawFn) -> Picture:
    levels = draw(st.sampled_from([2, 32, 64, 128, 256]))
    width, lines = 8 * draw(st.integers(1, 5)), draw(st.integers(1, 9))
    panel = RasterPanel("y", levels, width * lines * (levels - 1).bit_length() // 8)
    dots = draw(arrays(np.uint8, (width, lines), elements=st.integers(0, levels - 1)))
    return dots, Raster("any", width, lines, 300, "evolis", (panel,)), panel


@st.composite
def magicard_pictures(draw: st.DrawFn) -> Picture:
    levels = draw(st.sampled_from([2, 64]))
    rows, columns = draw(st.sampled_from([642, 672, 8])), draw(st.integers(1, 3))
    panel = RasterPanel("y", levels, columns * 96 * (levels - 1).bit_length())
    seed = draw(st.integers(0, 1 << 20))
    dots = np.random.default_rng(seed).integers(0, levels, (rows, columns), np.uint8)
    for column in draw(st.sets(st.integers(0, columns - 1))):
        dots[:, column] = 0  # columns without dye take another way
    return dots, Raster("any", rows, columns, 300, draw(st.sampled_from(["kge", "kge2"])), (panel,)), panel


@given(st.one_of(evolis_pictures(), magicard_pictures()))
def test_what_is_packed_comes_back(picture: Picture) -> None:
    dots, raster, panel = picture
    assert np.array_equal(unpack(pack(dots, raster, panel), raster, panel), dots)


@given(evolis_pictures())
def test_bits_follow_each_other_most_significant_first(picture: Picture) -> None:
    dots, raster, panel = picture
    in_order = (
        dots[raster.width_dots - 1 - dot, line] for line in range(raster.height_lines) for dot in range(raster.width_dots)
    )
    bits = "".join(format(value, f"0{panel.bits}b") for value in in_order)
    assert pack(dots, raster, panel) == int(bits, 2).to_bytes(panel.size_bytes, "big")


@settings(max_examples=25, deadline=None)  # bit by bit
@given(magicard_pictures())
def test_every_bit_of_a_column_is_where_the_facts_put_it(picture: Picture) -> None:
    dots, raster, panel = picture
    wanted = np.zeros((raster.height_lines, panel.bits, 24), np.uint32)
    for row, column in np.argwhere(dots).tolist():  # printers.md 4.5, as it is written there
        y = (raster.width_dots - 1 - row) + (672 - raster.width_dots) // 2
        t = y - 288
        word, bit = (6 + (y >> 4), 31 - 2 * (y & 15)) if y < 288 else (t >> 4, 30 - 2 * (t & 15))
        if raster.packing == "kge":
            bit = 2 * (y & 15) if y < 288 else 2 * (t & 15) + 1
        for plane in range(panel.bits):
            wanted[column, plane, word] |= np.uint32((int(dots[row, column]) >> plane & 1) << bit)
    assert pack(dots, raster, panel) == wanted.astype(">u4").tobytes()


@given(st.lists(st.tuples(*[st.integers(0, 39)] * 4), max_size=2), st.booleans())
def test_a_coat_with_two_holes_apart_comes_back(holes: list[tuple[int, int, int, int]], cover: bool) -> None:
    coat = np.ones((40, 40 if cover else 90), np.uint8)
    for number, (row, column, height, width) in enumerate(holes):
        column += 45 * number
        coat[row : row + height + 1, column : min(column + width + 1, 40 + 45 * number)] = 0
    assert np.array_equal(overcoat.unpack(overcoat.pack(coat), coat.shape), coat)


@pytest.mark.parametrize("packing", ["kge", "kge2"])
def test_every_dot_has_a_bit_of_its_own(packing: str) -> None:
    panel = RasterPanel("k", 2, 96 * 672)
    raster = Raster("any", 672, 672, 300, packing, (panel,))
    packed = np.frombuffer(pack(np.eye(672, dtype=np.uint8), raster, panel), np.uint8).reshape(672, 96)
    assert (np.unpackbits(packed, axis=1).sum(axis=1) == 1).all()
    assert np.unpackbits(packed, axis=1).sum(axis=0).max() == 1
