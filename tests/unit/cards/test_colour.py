"""Colour to dye: by the layout's curve, or by a printer's ICC profile."""

import numpy as np
import pytest
from PIL import Image

from controller.cards.colour import ProfiledColour, ToneColour, dye_levels
from controller.cards.face import Face
from controller.cards.layout_file import installed_layout
from controller.errors import RendererFailed
from tests.golden.cards.sample import portrait, primacy, record
from tests.unit.cards.icc_maker import cmyk, srgb

LAYOUT = installed_layout()


def dyes(model: ProfiledColour | ToneColour, rgb: tuple[int, int, int], embedded: bytes | None = None) -> tuple[int, int, int]:
    """Levels of yellow, magenta, cyan out of 127."""
    light = model.light(Image.new("RGB", (2, 2), rgb), embedded)
    yellow, magenta, cyan = (int(dye_levels(light, name, model.table(128))[0, 0]) for name in "ymc")
    return yellow, magenta, cyan


def test_without_a_profile_white_takes_no_dye_and_black_all() -> None:
    tone = ToneColour(LAYOUT.colour)
    assert dyes(tone, (255, 255, 255)) == (0, 0, 0)
    assert dyes(tone, (0, 0, 0)) == (127, 127, 127)
    assert dyes(tone, (0, 0, 255)) == (0, 127, 127)


def test_an_rgb_profile_is_inverted() -> None:
    model = ProfiledColour(srgb())
    assert dyes(model, (255, 255, 255)) == (0, 0, 0)
    assert dyes(model, (255, 0, 51)) == pytest.approx((102, 127, 0), abs=1)


def test_black_of_a_cmyk_profile_is_added_to_every_dye() -> None:
    model = ProfiledColour(cmyk())
    assert dyes(model, (0, 0, 0)) == (127, 127, 127)
    grey = dyes(model, (119, 119, 119))  # L* 50, no colour: the profile prints it with black alone
    assert grey == pytest.approx((64, 64, 64), abs=2)


def test_dye_of_a_cmyk_profile_ends_at_full() -> None:
    yellow, magenta, cyan = dyes(ProfiledColour(cmyk()), (120, 0, 0))
    assert magenta > cyan
    assert yellow <= 127


def test_the_photos_own_profile_is_its_colours() -> None:
    model = ProfiledColour(srgb())
    swapped = srgb().replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")  # red is green in it
    assert dyes(model, (255, 0, 0), swapped) != dyes(model, (255, 0, 0))


def test_a_photos_damaged_profile_counts_as_none() -> None:
    model = ProfiledColour(cmyk())
    assert dyes(model, (200, 90, 30), b"rubbish" * 40) == dyes(model, (200, 90, 30))
    assert dyes(model, (200, 90, 30), cmyk()) == dyes(model, (200, 90, 30))  # not for RGB pictures


@pytest.mark.parametrize(
    ("profile", "why"), [(b"", "cannot open profile"), (cmyk()[:600], ""), (cmyk().replace(b"B2A0", b"B2Ax"), "")]
)
def test_a_profile_that_makes_no_colours_is_refused(profile: bytes, why: str) -> None:
    with pytest.raises(RendererFailed, match=f"the printer's ICC profile cannot be used .*{why}"):
        ProfiledColour(profile)


def test_a_grey_scale_profile_is_refused() -> None:
    with pytest.raises(RendererFailed, match="not RGB or CMYK"):
        ProfiledColour(cmyk().replace(b"CMYK", b"HSV "))


def test_a_face_is_drawn_through_the_profile() -> None:
    plain, profiled = (
        face.render(record(portrait()), primacy()) for face in (Face(LAYOUT), Face(LAYOUT, ProfiledColour(cmyk())))
    )
    assert [panel.data == other.data for panel, other in zip(plain, profiled, strict=True)] == [False, False, False, True, True]
    assert np.frombuffer(profiled[0].data, np.uint8).any()
