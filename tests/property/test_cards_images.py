"""However a picture is damaged, it is decoded or refused: no other error comes out of a decoder."""

import warnings
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.cards.images import Source, open_picture
from controller.errors import RenderError
from tests.golden.cards.sample import portrait, signature

SOURCE = Source("photo.data", ("JPEG", "PNG"), 200_000, 1, 1)
PICTURES = (portrait(), signature((90, 40)))
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PICTURES), CHANGES, st.integers(0, 1 << 30), st.sampled_from([64, 800, 1 << 30]))
def test_damage_is_refused_or_harmless(picture: bytes, changes: list[tuple[int, int]], cut: int, reach: int) -> None:
    damaged = bytearray(picture)
    for at, value in changes:
        damaged[at % min(len(damaged), reach)] = value
    with warnings.catch_warnings(), suppress(RenderError):
        warnings.simplefilter("error")
        open_picture(bytes(damaged[: max(1, cut % (len(damaged) * 2))]), SOURCE)
