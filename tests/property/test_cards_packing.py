"""Packing loses nothing, at any number of levels and any size that fills whole bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from controller.cards.packing import Dots, pack, unpack
from controller.cards.raster import Raster, RasterPanel


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Dots, Raster, RasterPanel]:
    levels = draw(st.sampled_from([2, 32, 64, 128, 256]))
    width, lines = 8 * draw(st.integers(1, 5)), draw(st.integers(1, 9))
    panel = RasterPanel("y", levels, width * lines * (levels - 1).bit_length() // 8)
    dots = draw(arrays(np.uint8, (width, lines), elements=st.integers(0, levels - 1)))
    return dots, Raster("any", width, lines, 300, "evolis", (panel,)), panel


@given(pictures())
def test_what_is_packed_comes_back(picture: tuple[Dots, Raster, RasterPanel]) -> None:
    dots, raster, panel = picture
    assert np.array_equal(unpack(pack(dots, raster, panel), raster, panel), dots)


@given(pictures())
def test_bits_follow_each_other_most_significant_first(picture: tuple[Dots, Raster, RasterPanel]) -> None:
    dots, raster, panel = picture
    in_order = (
        dots[raster.width_dots - 1 - dot, line] for line in range(raster.height_lines) for dot in range(raster.width_dots)
    )
    bits = "".join(format(value, f"0{panel.bits}b") for value in in_order)
    assert pack(dots, raster, panel) == int(bits, 2).to_bytes(panel.size_bytes, "big")
