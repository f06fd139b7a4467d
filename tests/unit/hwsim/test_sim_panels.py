"""Packed and compressed panels (printers.md 3.8)."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.devices.evolis_panels import BadPanel, Geometry, bmp_panel, decompress, pack, paste_lines, unpack, upright

CARD, SMALL = Geometry(), Geometry(width_dots=16, height_lines=4)


@pytest.mark.parametrize(("levels", "size"), [(2, 82_296), (32, 411_480), (64, 493_776), (128, 576_072)])
def test_panel_sizes_are_those_of_the_formula(levels: int, size: int) -> None:
    assert CARD.panel_bytes(levels) == size


@pytest.mark.parametrize("levels", [2, 32, 64, 128])
def test_unpacking_is_the_inverse_of_packing(levels: int) -> None:
    dots = np.arange(64, dtype=np.uint8).reshape(4, 16) % levels
    assert np.array_equal(unpack(pack(dots, levels), levels, SMALL), dots)


def test_seven_bits_are_packed_most_significant_first() -> None:
    dots = np.zeros((4, 16), np.uint8)
    dots[0, :2] = 0x7F, 0x01
    assert pack(dots, 128)[:3] == bytes([0b11111110, 0b00000100, 0])


def test_the_first_line_is_the_left_edge_and_its_first_dot_the_bottom() -> None:
    dots = np.zeros((4, 16), np.uint8)
    dots[0, 0] = 1
    image = upright(dots)
    assert image.shape == (16, 4)
    assert image[15, 0] == 1


def test_runs_of_colour() -> None:
    data = bytes([0x80 | 5, 10]) + bytes([7] * 6) + b"\x80\x00" * 3
    assert unpack(decompress(data, 128, SMALL), 128, SMALL)[0].tolist() == [5] * 10 + [7] * 6


def test_at_64_levels_a_bit_adds_256_to_the_run() -> None:
    wide = Geometry(width_dots=264, height_lines=1)
    assert set(unpack(decompress(bytes([0xC0 | 9, 8]), 64, wide), 64, wide)[0].tolist()) == {9}


@pytest.mark.parametrize(
    ("data", "levels"),
    [
        (b"\x00" * 3, 2),
        (b"\x00" * 5, 2),
        (b"\x03abc" + b"\x00" * 3, 2),
        (b"\x02a", 2),
        (b"\x80\x00" * 3, 128),
        (b"\x80\x11" * 4, 128),
        (b"\x80", 128),
    ],
)
def test_data_that_is_not_one_panel_is_refused(data: bytes, levels: int) -> None:
    with pytest.raises(BadPanel):
        decompress(data, levels, SMALL)


def test_some_lines_replace_those_of_the_panel() -> None:
    assert paste_lines(bytes(8), b"ABCD", 1, 2, SMALL) == b"\0\0ABCD\0\0"


def test_lines_beyond_the_panel_are_refused() -> None:
    with pytest.raises(BadPanel, match="beyond"):
        paste_lines(bytes(8), b"ABCD", 3, 2, SMALL)


def bmp(width: int, rows: list[bytes]) -> bytes:
    """A bottom-up 1-bit BMP with a black and a white entry."""
    body = b"".join(row.ljust(4, b"\xff") for row in reversed(rows))
    head = b"BM" + (62 + len(body)).to_bytes(4, "little") + bytes(4) + (62).to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + width.to_bytes(4, "little") + len(rows).to_bytes(4, "little")
    return head + info + b"\x01\0\x01\0" + bytes(24) + b"\0\0\0\0\xff\xff\xff\0" + body


def test_dark_pixels_of_a_bmp_print_where_it_is_placed() -> None:
    image = upright(unpack(bmp_panel(bmp(2, [b"\x7f", b"\xff"]), 1, 3, SMALL), 2, SMALL))
    assert np.argwhere(image).tolist() == [[3, 1]]


@pytest.mark.parametrize(("x", "y", "cut"), [(3, 0, 999), (0, 15, 999), (-1, 0, 999), (0, 0, 60), (0, 0, 66)])
def test_a_bmp_that_does_not_fit_is_refused(x: int, y: int, cut: int) -> None:
    with pytest.raises(BadPanel):
        bmp_panel(bmp(2, [b"\x7f", b"\xff"])[:cut], x, y, SMALL)
