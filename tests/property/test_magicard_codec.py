"""Magicard bytes: what is read does not depend on how they were cut, no bytes break the reader, and planes move as dots do."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.cards.packing import pack, unpack
from controller.cards.raster import Raster, RasterPanel
from controller.errors import DeviceUnknown
from controller.hal.magicard.codec import MAX_REPLY_BYTES, Kind, Reply, ReplyReader, info_of, status_of
from controller.hal.magicard.shift import MARGIN_DOTS, move
from tests.fakes.magicard_usb import FIELDS

words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=",:$\n"), max_size=40)
pairs = st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda pair: f"{pair[0]:02}:{pair[1]:02}")
statuses = st.builds(lambda text, pair: f"x{text}\nCode - {pair}\n(c0201)", words, pairs)
infos = st.builds(
    lambda name, cards: "$$" + ",".join((*FIELDS[:9], str(cards), *FIELDS[10:24], f"x{name}", *FIELDS[25:])) + ",",
    words,
    st.integers(0, 2**32),
)
WIDTH, COLUMNS = 642, 2
DIGITS = st.integers(-(2**34), 2**34).map(str)
distances = st.integers(-MARGIN_DOTS, MARGIN_DOTS)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places."""
    marks = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(marks)]


@given(st.lists(statuses | infos, max_size=5), st.lists(st.integers(0, 5000), max_size=20), st.integers(0, 3))
def test_replies_do_not_depend_on_how_they_were_cut_and_filled(bodies: list[str], cuts: list[int], filler: int) -> None:
    data = b"".join(b"\x01STA" + body.encode("latin-1") + b"\x03" + b"\0" * filler for body in bodies)
    reader = ReplyReader()
    read = [reply for piece in pieces(data, cuts) for reply in reader.feed(piece)]
    assert read == [Reply(Kind.INFO, body[2:]) if body.startswith("$$") else Reply(Kind.ERRORS, body) for body in bodies]
    assert not reader.unfinished


@given(statuses)
def test_the_pair_at_the_end_decides_whatever_the_text_says(body: str) -> None:
    assert status_of(Reply(Kind.ERRORS, body)).pair == body.splitlines()[-2][-5:]


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=10), st.booleans())
def test_any_bytes_are_replies_or_garbled_and_never_kept_beyond_the_cap(data: bytes, cuts: list[int], begun: bool) -> None:
    reader = ReplyReader()
    with contextlib.suppress(DeviceUnknown):
        for piece in pieces(b"\x01STA" + data if begun else data, cuts):
            reader.feed(piece)
            assert len(reader._rest) <= MAX_REPLY_BYTES


@given(st.text(max_size=300) | statuses | infos, st.sampled_from(Kind))
def test_any_text_has_a_meaning_or_is_garbled(body: str, kind: Kind) -> None:
    for meaning in (status_of, info_of):
        with contextlib.suppress(DeviceUnknown):
            meaning(Reply(kind, body))


@given(st.integers(0, len(FIELDS) - 1), words | DIGITS, st.sampled_from([33, 34, 35]))
def test_any_field_has_a_meaning_or_is_garbled(number: int, value: str, count: int) -> None:
    fields = [*FIELDS]
    fields[number] = value
    with contextlib.suppress(DeviceUnknown):
        read = info_of(Reply(Kind.INFO, ",".join(fields[:count]) + ",")).fields
        assert len(read) == count
        assert all(field.isprintable() for field in read)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["kge2", "kge"]), st.sampled_from([2, 64]), st.integers(-MARGIN_DOTS, MARGIN_DOTS)
)
def test_moved_planes_are_the_picture_moved(seed: int, packing: str, levels: int, dots: int) -> None:
    panel = RasterPanel("k", levels, COLUMNS * 96 * (levels - 1).bit_length())
    raster = Raster("any", WIDTH, COLUMNS, 300, packing, (panel,))
    picture = np.random.default_rng(seed).integers(0, levels, (WIDTH, COLUMNS), dtype=np.uint8)
    picture[:MARGIN_DOTS] = picture[-MARGIN_DOTS:] = 0  # so that nothing leaves the window that unpack looks at
    moved = unpack(move(pack(picture, raster, panel), packing, dots), raster, panel)
    assert np.array_equal(moved, np.roll(picture, -dots, axis=0))


@given(st.binary(min_size=96, max_size=96), st.sampled_from(["kge2", "kge"]), st.integers(0, MARGIN_DOTS))
def test_a_move_and_back_loses_only_what_left_the_head(plane: bytes, packing: str, dots: int) -> None:
    back = move(move(plane, packing, dots), packing, -dots)
    assert move(back, packing, dots) == move(plane, packing, dots)
