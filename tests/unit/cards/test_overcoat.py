"""A Magicard's overcoat as keys: at most two rectangular holes, counted from the bottom left, the last dot inside."""

import numpy as np
import pytest

from controller.cards import overcoat
from controller.cards.dots import Dots
from controller.errors import RendererFailed


def coat(*holes: tuple[slice, slice]) -> Dots:
    dots = np.ones((642, 1016), np.uint8)
    for rows, columns in holes:
        dots[rows, columns] = 0
    return dots


def test_a_whole_coat_is_the_vendors_own_keys() -> None:
    assert overcoat.pack(coat()) == b"OVRON,PCT0,0,1015,641"


def test_the_narrower_head_has_its_own_width() -> None:
    assert overcoat.pack(np.ones((642, 1000), np.uint8)) == b"OVRON,PCT0,0,999,641"


def test_holes_are_counted_from_the_bottom_left() -> None:
    top_left, bottom_right = (slice(0, 2), slice(0, 3)), (slice(641, 642), slice(1010, 1016))
    assert overcoat.pack(coat(top_left, bottom_right)) == b"OVRON,PCT0,0,1015,641,NCT0,640,2,641,NCT1010,0,1015,0"


def test_an_angle_is_two_rectangles() -> None:
    angle = coat((slice(10, 20), slice(30, 90)), (slice(20, 60), slice(30, 40)))
    assert np.array_equal(overcoat.unpack(overcoat.pack(angle), angle.shape), angle)


def test_a_third_hole_is_refused() -> None:
    holes = [(slice(row, row + 5), slice(0, 9)) for row in (0, 50, 100)]
    with pytest.raises(RendererFailed, match="at most 2 rectangular holes; correct the card layout"):
        overcoat.pack(coat(*holes))


def test_a_round_hole_is_refused() -> None:
    rows, columns = np.ogrid[:642, :1016]
    with pytest.raises(RendererFailed, match="at most 2 rectangular holes"):
        overcoat.pack(((rows - 100) ** 2 + (columns - 100) ** 2 > 400).astype(np.uint8))


@pytest.mark.parametrize(
    "keys",
    [
        b"",
        b"OVROFF",
        b"OVRON",
        b"OVRON,PCT0,0,1016,641",
        b"OVRON,PCT0,0,1015,641,NCT9,0,8,0",
        b"OVRON,PCT0,0,1015,641,NCT0,0,0",
        b"OVRON,PCT0,0,1015,641" + b",NCT0,0,1,1" * 3,
        b"\xff" * 21,
    ],
)
def test_keys_that_make_no_coat_are_refused(keys: bytes) -> None:
    with pytest.raises(RendererFailed, match="the overcoat of the drawn card cannot be read"):
        overcoat.unpack(keys, (642, 1016))
