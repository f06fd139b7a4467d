"""Packing for each family: bytes worked out by hand from printers.md 3.8 and 4.5."""

import numpy as np
import pytest

from controller.cards.packing import check_raster, pack, unpack
from controller.cards.raster import Raster, RasterPanel
from controller.errors import RenderError
from tests.golden.cards.sample import primacy, raster_of

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


def head(packing: str, rows: int = 672) -> tuple[Raster, RasterPanel]:
    panel = RasterPanel("k", 2, 96)
    return Raster("head", rows, 1, 300, packing, (panel,)), panel


def word_of(packing: str, row: int, rows: int = 672) -> tuple[int, int]:
    """Word and value of the one word that a single dot of a one-column picture sets."""
    dots = np.zeros((rows, 1), np.uint8)
    dots[row] = 1
    words = np.frombuffer(pack(dots, *head(packing, rows)), ">u4")
    (index,) = np.flatnonzero(words)
    return int(index), int(words[index])


@pytest.mark.parametrize(
    ("from_the_bottom", "word", "kge2", "kge"),
    [
        (0, 6, 1 << 31, 1 << 0),
        (1, 6, 1 << 29, 1 << 2),
        (15, 6, 1 << 1, 1 << 30),
        (287, 23, 1 << 1, 1 << 30),
        (288, 0, 1 << 30, 1 << 1),
        (289, 0, 1 << 28, 1 << 3),
        (671, 23, 1 << 0, 1 << 31),
    ],
)
def test_dots_of_a_magicard_head_lie_in_two_interleaved_runs(from_the_bottom: int, word: int, kge2: int, kge: int) -> None:
    assert word_of("kge2", 671 - from_the_bottom) == (word, kge2)
    assert word_of("kge", 671 - from_the_bottom) == (word, kge)


def test_a_picture_is_centred_on_the_head() -> None:
    assert word_of("kge2", 641, rows=642) == (6, 1 << (31 - 2 * 15))  # its lowest row is dot 15 of the head


def test_bit_planes_come_least_significant_first() -> None:
    panel = RasterPanel("y", 64, 576)
    dots = np.zeros((672, 1), np.uint8)
    dots[671] = 0b101001
    planes = np.frombuffer(pack(dots, Raster("head", 672, 1, 300, "kge2", (panel,)), panel), ">u4").reshape(6, 24)
    assert [int(plane[6] >> 31) for plane in planes] == [1, 0, 0, 1, 0, 1]
    assert not planes[:, :6].any()


@pytest.mark.parametrize(
    ("printer", "colour", "black"), [("magicard-enduro", 585_216, 97_536), ("magicard-alto", 576_000, 96_000)]
)
def test_panels_of_a_magicard_have_the_sizes_of_the_vendors_jobs(printer: str, colour: int, black: int) -> None:
    raster = raster_of(printer)
    check_raster(raster)
    blank = np.zeros((raster.width_dots, raster.height_lines), np.uint8)
    assert [len(pack(blank, raster, panel)) for panel in raster.panels[:4]] == [colour, colour, colour, black]


def test_a_picture_higher_than_the_head_is_refused() -> None:
    panel = RasterPanel("k", 2, 96)
    with pytest.raises(RenderError, match="the head 'kge2' cannot print a picture of 1 x 673 dots"):
        check_raster(Raster("head", 673, 1, 300, "kge2", (panel,)))


def test_a_line_that_fills_no_whole_bytes_is_refused() -> None:
    with pytest.raises(RenderError, match="the head 'evolis' cannot print a picture of 8 x 9 dots"):
        check_raster(Raster("x", 9, 8, 300, "evolis", (RasterPanel("k", 2, 9),)))


def test_a_panel_of_another_length_is_not_unpacked() -> None:
    with pytest.raises(RenderError, match="panel 'k' should be 2 bytes, not 3"):
        unpack(b"abc", TINY, ONE)


def test_the_misprinted_sizes_of_guide_s1_are_refused() -> None:
    wrong = Raster("s1", 648, 1016, 300, "evolis", (RasterPanel("k", 2, 84_624),))
    with pytest.raises(RenderError, match="panel 'k' should be 82296 bytes, not 84624"):
        check_raster(wrong)


def test_an_unknown_packing_is_named() -> None:
    with pytest.raises(RenderError, match="'kee' is not known"):
        check_raster(Raster("x", 8, 2, 300, "kee", (ONE,)))


def test_a_raster_survives_json() -> None:
    assert Raster.from_json(TINY.to_json()) == TINY


def test_a_raster_that_says_another_length_is_refused() -> None:
    with pytest.raises(RenderError, match="panel 'k' should be 2 bytes, not 3"):
        pack(np.zeros((8, 2), np.uint8), TINY, RasterPanel("k", 2, 3))
