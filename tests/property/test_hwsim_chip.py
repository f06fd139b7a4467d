"""Properties of the simulated chip and display: any bytes are taken, and answers always have the right form."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chips.apdu import ApduError, Command
from controller.errors import DeviceRefused
from hwsim.devices.chip_apdu import ChipDied
from hwsim.devices.chip_eeprom import PAGE_BYTES, TORN, ChipTroubles, Eeprom
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.display import COLUMNS, LINES, Display
from hwsim.profiles import load_chip
from hwsim.world import World
from tests.unit.hwsim.chip_bench import SELECT_DOMAIN, SamHost, Scp03Host, ask_sam, new_blank, new_sam, present, sent

MASTERS = load_masters()
PROFILE = replace(load_chip("ektp"), channel="none")
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
    chip = EktpChip(blank, PROFILE, ChipTroubles(), 1, MASTERS)
    for apdu in sent:
        response = chip.transmit(apdu)
        assert response is not None
        assert len(response) >= 2
    assert {fid: len(content) for fid, content in blank.chip.files.items()} == sizes


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0, max_value=300))
def test_a_torn_write_keeps_exactly_the_bytes_before_the_cut(content: bytes, cut: int) -> None:
    world = World(seed=1)
    blank = world.blank(world.make(1, PROFILE)[0])
    chip = EktpChip(blank, PROFILE, ChipTroubles(cut_in_bytes=cut), 1, MASTERS)
    for apdu in ("00A40000027F0A", "00A40000026FF2"):
        chip.transmit(bytes.fromhex(apdu))
    try:
        chip.transmit(bytes.fromhex("00D60002") + bytes([len(content)]) + content)
    except ChipDied:
        assert cut <= len(content)
    kept = content[:cut]
    assert bytes(blank.chip.files[0x6FF2][2:]) == kept + bytes(4096 - len(kept))


HEADS = ["80E28800", "80E20800", "80D80081", "80D83081", "80F24002", "80F28002", "80F0400F", "80F08007", "80CA0066", "80E62000"]
HEADS += ["00A4000C", "00B00000", "00D60000", "00440000", "00840000"]
protected = st.one_of(
    apdus.filter(lambda apdu: len(apdu) >= 4),
    st.builds(
        lambda head, data: bytes.fromhex(head) + (bytes([len(data)]) + data if data else b""),
        st.sampled_from(HEADS),
        st.binary(max_size=60),
    ),
)


@settings(max_examples=60)
@given(st.lists(protected, max_size=8), st.sampled_from(["ektp", "gp-scp03"]))
def test_any_command_within_a_session_gets_a_status_word(commands: list[bytes], profile: str) -> None:
    chip = present(new_blank(profile))
    host = SamHost(chip) if profile == "ektp" else Scp03Host(chip)
    if isinstance(host, SamHost):
        host.authenticate()
    else:
        sent(chip, SELECT_DOMAIN)
        host.open()
    sizes = {fid: len(content) for fid, content in chip.memory.files.items()}
    for command in commands:
        wrapped = _wrapped(host, command)
        response = b"\x90\x00" if wrapped is None else chip.transmit(wrapped)
        assert response is not None
        assert len(response) >= 2
    assert {fid: len(content) for fid, content in chip.memory.files.items()} == sizes


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_a_sam_answers_anything(commands: list[bytes]) -> None:
    sam = new_sam()
    for ins in (0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xFA):
        for data in commands:
            assert len(ask_sam(sam, f"00{ins:02X}0001", data)) >= 2
            assert len(sam.transmit(data)) >= 2


@given(st.binary(min_size=1, max_size=120), st.integers(0, 119), st.sampled_from(TORN))
def test_a_torn_file_is_old_or_new_bit_by_bit_or_a_page_of_it_is_wiped(content: bytes, cut: int, page: str) -> None:
    memory, troubles = new_blank().chip, ChipTroubles(cut_in_bytes=min(cut, len(content)), cut_page=page)
    old = bytes(byte ^ 0x5A for byte in content)
    memory.write(0x6FF1, 7, old)
    with pytest.raises(ChipDied):
        Eeprom(memory, troubles, random.Random(1)).write(0x6FF1, 7, content)
    left = bytes(memory.files[0x6FF1][7 : 7 + len(content)])
    wiped = {"erased": 0x00, "blank": 0xFF}.get(page)
    for byte, was, wanted in zip(left, old, content, strict=True):
        assert (byte ^ was) & (byte ^ wanted) == 0 if page == "mix" else byte in (was, wanted, wiped)
    page_end = -(-(7 + len(content)) // PAGE_BYTES) * PAGE_BYTES
    assert not any(memory.files[0x6FF1][page_end if page == "blank" else 7 + len(content) :])


def _wrapped(host: SamHost | Scp03Host, command: bytes) -> bytes | None:
    """The protected command; None when the host's end refuses it: it is no command, or the session is over."""
    if isinstance(host, SamHost):
        answer = ask_sam(host.sam, "00F30000", command)
        return answer[:-2] if answer[-2:] == b"\x90\x00" else None
    try:
        return host.channel.wrap(Command.decode(command)).encode()
    except (ApduError, DeviceRefused):
        return None


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_the_display_takes_anything_in_any_pieces(chunks: list[bytes]) -> None:
    piecewise, whole = Display(), Display()
    for chunk in chunks:
        piecewise.feed(chunk)
    whole.feed(b"".join(chunks))
    assert piecewise.lines == whole.lines
    assert [len(line) for line in whole.lines] == [COLUMNS] * LINES
