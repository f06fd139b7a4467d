"""However the profile that came with a photo, or the printer's own, is damaged: colour is made or the profile is refused."""

from contextlib import suppress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from controller.cards.colour import ProfiledColour
from controller.errors import RendererFailed
from tests.unit.cards.icc_maker import cmyk, srgb

PRINTER = ProfiledColour(cmyk())
PHOTO = Image.new("RGB", (4, 3), (180, 90, 40))
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=12)


def damaged(profile: bytes, changes: list[tuple[int, int]], cut: int, reach: int) -> bytes:
    changed = bytearray(profile)
    for at, value in changes:
        changed[at % min(len(changed), reach)] = value
    return bytes(changed[: max(1, cut % (len(changed) * 2))])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([srgb(), cmyk()]), CHANGES, st.integers(0, 1 << 20), st.sampled_from([128, 400, 1 << 30]))
def test_a_photos_damaged_profile_still_gives_colours(
    profile: bytes, changes: list[tuple[int, int]], cut: int, reach: int
) -> None:
    light = PRINTER.light(PHOTO, damaged(profile, changes, cut, reach))
    assert light.shape == (3, 4, 3)
    assert light.dtype == np.uint8


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([srgb(), cmyk()]), CHANGES, st.integers(0, 1 << 20), st.sampled_from([128, 400, 1 << 30]))
def test_a_printers_damaged_profile_gives_colours_or_a_refusal(
    profile: bytes, changes: list[tuple[int, int]], cut: int, reach: int
) -> None:
    with suppress(RendererFailed):
        assert ProfiledColour(damaged(profile, changes, cut, reach)).light(PHOTO, None).shape == (3, 4, 3)
