"""Pictures of cards, decoded from dots."""

from __future__ import annotations

import numpy as np

from hwsim.devices.evolis_panels import pack
from hwsim.forms import Form
from hwsim.pictures import compose
from hwsim.world import Printed

FORM = Form("evolis", 648, 1016)


def panel(name: str, levels: int, x: int, y: int, value: int, side: str = "front") -> Printed:
    """A panel with one dot at x, y of the upright image."""
    image = np.zeros((648, 1016), np.uint8)
    image[y, x] = value
    return Printed(side, name, levels, "", FORM, pack(np.ascontiguousarray(np.rot90(image, -1)), levels), complete=True)


def test_the_face_is_upright_and_landscape() -> None:
    face, _ = compose([panel("k", 2, 1000, 3, 1)])
    assert (face.size, face.getpixel((1000, 3)), face.getpixel((3, 1000 - 400))) == ((1016, 648), (0, 0, 0), (255, 255, 255))


def test_each_dye_takes_its_light() -> None:
    face, _ = compose([panel("y", 128, 0, 0, 127), panel("m", 128, 1, 0, 127), panel("c", 128, 2, 0, 127)])
    assert [face.getpixel((x, 0)) for x in range(3)] == [(255, 255, 0), (255, 0, 255), (0, 255, 255)]


def test_half_the_dye_takes_half_the_light() -> None:
    face, _ = compose([panel("c", 64, 0, 0, 32)])
    assert face.getpixel((0, 0)) == (125, 255, 255)


def test_an_overprint_gets_darker() -> None:
    face, _ = compose([panel("c", 128, 0, 0, 64)] * 2)
    assert face.getpixel((0, 0)) == (63, 255, 255)


def test_varnish_is_tinted_in_the_small_picture_only() -> None:
    full = Printed("front", "o", 2, "", FORM, b"\xff" * 82_296, complete=True)
    face, varnish = compose([full])
    assert (face.getpixel((9, 9)), varnish.size, varnish.getpixel((9, 9))) == ((255, 255, 255), (508, 324), (184, 214, 255))
