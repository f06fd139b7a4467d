"""Secure channels: whatever is said comes out as it was meant; whatever is changed is not believed; no nonsense crashes one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.chips import icao
from controller.chips.apdu import Command, Response
from controller.chips.channel import Channel
from controller.chips.scp03 import LEVELS, Scp03Session, SessionKeys
from controller.chips.tlv import TlvError, tlv, tlvs
from controller.errors import DeviceRefused
from tests.fakes.chip_sessions import IcaoSide, Scp03Side, scp03_side

KEYS = icao.SessionKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(8)))
NAMES = ["icao", *(f"s{size} level {level:02x}" for size in (8, 16) for level in LEVELS if level)]
COMMANDS = st.builds(
    Command, st.sampled_from([0x00, 0x80]), st.sampled_from([0xA4, 0xB0, 0xD6, 0xE2]), st.integers(0, 255), st.integers(0, 255),
    st.binary(max_size=208), st.none() | st.integers(1, 200),
)  # fmt: skip
ANSWERS = st.builds(Response, st.binary(max_size=208), st.sampled_from([0x9000, 0x6282, 0x63C1]))


def pair(name: str) -> tuple[Channel, IcaoSide | Scp03Side]:
    """Both ends of a new session."""
    if name == "icao":
        return icao.IcaoChannel(KEYS), IcaoSide(KEYS)
    size, level = int(name[1 : name.index(" ")]), int(name[-2:], 16)
    side = scp03_side(bytes(7), 0x30, bytes(range(size)), bytes(range(size)))
    side.level = level
    command, channel = Scp03Session(side.init, side.keys).authenticate(level)
    side.unwrap(command)
    return channel, side


@pytest.mark.parametrize("name", NAMES)
@given(exchanges=st.lists(st.tuples(COMMANDS, ANSWERS), max_size=5))
def test_both_ends_mean_the_same(name: str, exchanges: list[tuple[Command, Response]]) -> None:
    channel, side = pair(name)
    for command, answer in exchanges:
        assert replace(side.unwrap(channel.wrap(command)), cla=command.cla) == command
        assert channel.unwrap(command, side.wrap(answer)) == answer


@pytest.mark.parametrize("name", ["icao", "s8 level 33", "s16 level 13"])
@given(command=COMMANDS, answer=ANSWERS, data=st.data())
def test_an_answer_that_was_changed_is_never_believed(name: str, command: Command, answer: Response, data: st.DataObject) -> None:
    channel, side = pair(name)
    side.unwrap(channel.wrap(command))
    raw = side.wrap(answer).encode()
    at = data.draw(st.integers(0, len(raw) - 3))
    changed = raw[:at] + bytes((raw[at] ^ data.draw(st.integers(1, 255)),)) + raw[at + 1 :]
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        channel.unwrap(command, Response.decode(changed))


@pytest.mark.parametrize("name", ["icao", "s8 level 33", "s16 level 33"])
@given(raw=st.binary(min_size=2, max_size=300))
def test_any_bytes_are_an_answer_or_break_the_channel(name: str, raw: bytes) -> None:
    channel, _ = pair(name)
    command = Command(0x00, 0xB0, 0, 0, le=16)
    channel.wrap(command)
    try:
        answer = channel.unwrap(command, Response.decode(raw))
    except DeviceRefused:
        with pytest.raises(DeviceRefused, match="secure channel broken"):
            channel.wrap(command)
    else:
        assert answer.sw != 0x9000  # a bare error word; a success is believed with its MAC only


@given(st.lists(st.tuples(st.sampled_from([0x87, 0x99, 0x8E, 0x9F70]), st.binary(max_size=300)), max_size=4))
def test_data_objects_survive_encoding(objects: list[tuple[int, bytes]]) -> None:
    assert list(tlvs(b"".join(tlv(tag, value) for tag, value in objects))) == objects


@given(st.binary(max_size=40))
def test_any_bytes_are_data_objects_or_refused(raw: bytes) -> None:
    try:
        objects = list(tlvs(raw))
    except TlvError:
        return
    assert sum(len(value) for _, value in objects) <= len(raw)


def test_keys_are_in_no_text() -> None:
    assert "aaaa" not in repr(SessionKeys(b"a" * 16, b"b" * 16, b"c" * 16))
