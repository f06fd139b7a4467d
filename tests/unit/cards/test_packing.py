"""Packing for the Evolis family: bytes worked out by hand from printers.md 3.8."""

import numpy as np
import pytest

from controller.cards.packing import check_raster, pack, unpack
from controller.cards.raster import Raster, RasterPanel
from controller.errors import RenderError
from tests.golden.cards.sample import primacy

SEVEN = RasterPanel("y", 128, 14)
ONE = RasterPanel("k", 2, 2)
TINY = Raster("tiny", width_dots=8, height_lines=2, dpi=300, packing="evolis", panels=(SEVEN, ONE))


def test_a_line_starts_at_the_bottom_of_the_card() -> None:
    dots = np.zeros((8, 2), np.uint8)
    dots[:, 0] = [127, 7, 6, 5, 4, 3, 2, 1]  # left edge of the card, top to bottom
    assert pack(dots, TINY, SEVEN) == bytes.fromhex("02081840A183FF") + bytes(7)


def test_one_bit_has_the_first_dot_in_bit_7() -> None:
    dots = np.zeros((8, 2), np.uint8)
    dots[7, 0] = 1  # bottom left: dot 0 of line 0
    dots[0, 1] = 1  # top right: dot 7 of line 1
    dots[1, 1] = 1
    assert pack(dots, TINY, ONE) == b"\x80\x03"


def test_panels_of_the_primacy_have_exactly_the_sizes_of_its_profile() -> None:
    raster = primacy()
    dots = np.zeros((648, 1016), np.uint8)
    sizes = [len(pack(dots, raster, panel)) for panel in raster.panels]
    assert sizes == [576_072, 576_072, 576_072, 82_296, 82_296]


def test_unpacking_turns_the_card_upright_again() -> None:
    raster = primacy()
    dots = np.zeros((648, 1016), np.uint8)
    dots[3, 5] = 99
    assert np.array_equal(unpack(pack(dots, raster, raster.panels[0]), raster, raster.panels[0]), dots)


def test_an_unturned_picture_is_refused() -> None:
    with pytest.raises(RenderError, match="a picture of 648 x 1016 dots does not fit panel 'y'"):
        pack(np.zeros((1016, 648), np.uint8), primacy(), primacy().panels[0])


def test_a_value_above_the_levels_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a dot is above level 127"):
        pack(np.full((8, 2), 128, np.uint8), TINY, SEVEN)


def test_the_misprinted_sizes_of_guide_s1_are_refused() -> None:
    wrong = Raster("s1", 648, 1016, 300, "evolis", (RasterPanel("k", 2, 84_624),))
    with pytest.raises(RenderError, match="panel 'k' should be 82296 bytes, not 84624"):
        check_raster(wrong)


def test_an_unknown_packing_is_named() -> None:
    with pytest.raises(RenderError, match="'magicard' is not known"):
        check_raster(Raster("x", 8, 2, 300, "magicard", (ONE,)))


def test_a_raster_survives_json() -> None:
    assert Raster.from_json(TINY.to_json()) == TINY
