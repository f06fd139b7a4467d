"""Properties of the simulated chip and display: any bytes are taken, and answers always have the right form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwsim.devices.chip import ChipDied, ChipTroubles, EktpChip
from hwsim.devices.display import COLUMNS, LINES, Display
from hwsim.profiles import load_chip
from hwsim.world import World

PROFILE = load_chip("ektp")
_headers = st.sampled_from(
    [bytes.fromhex(h) for h in ("00A40000", "00A4000C", "00B00000", "00D60002", "00840000", "FFCA0000", "00B0FFFF")]
)
apdus = st.one_of(
    st.binary(max_size=20),
    st.builds(lambda header, body: header + body, _headers, st.binary(max_size=20)),
    st.sampled_from([bytes.fromhex(a) for a in ("00A40000027F0A", "00A40000026FF1", "00A40000026FF0", "00D6000003ABCDEF")]),
)


@given(st.lists(apdus, max_size=20))
def test_any_apdu_gets_a_status_word_and_files_keep_their_size(sent: list[bytes]) -> None:
    world = World(seed=1)
    blank = world.blank(world.make(1, PROFILE)[0])
    sizes = {fid: len(content) for fid, content in blank.chip.files.items()}
    chip = EktpChip(blank, PROFILE, ChipTroubles(), seed=1)
    for apdu in sent:
        response = chip.transmit(apdu)
        assert response is not None
        assert len(response) >= 2
    assert {fid: len(content) for fid, content in blank.chip.files.items()} == sizes


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0, max_value=300))
def test_a_torn_write_keeps_exactly_the_bytes_before_the_cut(content: bytes, cut: int) -> None:
    world = World(seed=1)
    blank = world.blank(world.make(1, PROFILE)[0])
    chip = EktpChip(blank, PROFILE, ChipTroubles(cut_in_bytes=cut), seed=1)
    for apdu in ("00A40000027F0A", "00A40000026FF2"):
        chip.transmit(bytes.fromhex(apdu))
    try:
        chip.transmit(bytes.fromhex("00D60002") + bytes([len(content)]) + content)
    except ChipDied:
        assert cut <= len(content)
    kept = content[:cut]
    assert bytes(blank.chip.files[0x6FF2][2:]) == kept + bytes(4096 - len(kept))


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_the_display_takes_anything_in_any_pieces(chunks: list[bytes]) -> None:
    piecewise, whole = Display(), Display()
    for chunk in chunks:
        piecewise.feed(chunk)
    whole.feed(b"".join(chunks))
    assert piecewise.lines == whole.lines
    assert [len(line) for line in whole.lines] == [COLUMNS] * LINES
