"""What the preview shows for given dots: the sums of docs/rendering.md, by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller.cards.dots import Dots
from controller.cards.picture import compose, write_picture
from controller.errors import RenderError, StoreError
from controller.model import Panel
from tests.golden.cards.sample import primacy


def plane(*values: int) -> Dots:
    return np.array([values], np.uint8)


def pixels(**planes: tuple[Dots, int]) -> list[tuple[int, ...]]:
    return [tuple(int(value) for value in pixel) for pixel in np.asarray(compose(planes))[0]]


def test_each_dye_takes_its_own_light() -> None:
    full, none = plane(127, 0, 0), plane(0, 0, 0)
    assert pixels(y=(full, 128), m=(plane(0, 127, 0), 128), c=(none, 128)) == [(255, 255, 0), (255, 0, 255), (255, 255, 255)]
    assert pixels(c=(full, 128))[0] == (0, 255, 255)


def test_shares_of_dye_are_rounded_to_the_nearest() -> None:
    assert [pixel[0] for pixel in pixels(c=(plane(1, 32, 62), 64))] == [251, 125, 4]
    assert [pixel[0] for pixel in pixels(c=(plane(1, 64, 126), 128))] == [253, 126, 2]


def test_black_covers() -> None:
    assert pixels(c=(plane(0, 63), 64), k=(plane(1, 1), 2)) == [(0, 0, 0)] * 2


def test_bare_places_of_an_overlay_are_a_sixteenth_darker() -> None:
    assert pixels(k=(plane(0, 0, 1), 2), o=(plane(1, 0, 0), 2)) == [(255, 255, 255), (240, 240, 240), (0, 0, 0)]


def test_without_an_overlay_nothing_is_bare() -> None:
    assert pixels(k=(plane(0), 2)) == [(255, 255, 255)]


def test_the_picture_is_upright_and_says_its_resolution(tmp_path: Path) -> None:
    bytes_of_black = bytearray(82_296)
    bytes_of_black[0] = 0x80  # first line, first dot: the bottom left corner of the card
    write_picture(tmp_path / "a.png", [Panel("k", 2, bytes(bytes_of_black))], primacy(), "front")
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.size, picture.getpixel((0, 647)), picture.getpixel((0, 0))) == ((1016, 648), (0, 0, 0), (255, 255, 255))
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_panels_of_another_printer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="panel 'k' should be 82296 bytes, not 9"):
        write_picture(tmp_path / "a.png", [Panel("k", 2, bytes(9))], primacy(), "front")
    with pytest.raises(RenderError, match="no panel 'y' on this printer"):
        write_picture(tmp_path / "a.png", [Panel("y", 64, bytes(9))], primacy(), "front")


def test_a_side_that_is_not_printed_is_told(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="the side 'back' of this card is not printed"):
        write_picture(tmp_path / "a.png", [Panel("k", 2, bytes(82_296))], primacy(), "back")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the picture cannot be written: No such file"):
        write_picture(tmp_path / "none" / "a.png", [Panel("k", 2, bytes(82_296))], primacy(), "front")
