"""The host's ends of both secure channels against hw-sim's, which share no code with them: every APDU case, length and level."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from controller.chips.apdu import Command, Response
from controller.chips.channel import PLAIN, Channel, through
from controller.chips.icao import Des3, IcaoChannel, SessionKeys, retail_mac
from controller.chips.scp03 import LEVELS, InitializeUpdate, Scp03Session, derive
from controller.chips.script import Script, ask, drive
from controller.chips.tlv import tlv
from controller.errors import DeviceRefused
from hwsim.devices.chip_apdu import Apdu, parse_apdu
from hwsim.devices.chip_icao import IcaoSession
from hwsim.devices.chip_scp03 import KeySet
from hwsim.devices.chip_scp03 import Scp03Session as CardSession
from tests.fakes.key_values import aes_cmac

Card = IcaoSession | CardSession

CASES = {
    "1": Command(0x00, 0x44, 1, 2),
    "2": Command(0x00, 0xB0, 1, 2, le=256),
    "2 with Le": Command(0x00, 0xB0, 1, 2, le=1),
    "3": Command(0x00, 0xD6, 1, 2, b"content"),
    "3 of whole blocks": Command(0x00, 0xD6, 1, 2, bytes(range(208))),
    "4": Command(0x00, 0xA4, 4, 0, b"\x7f\x0a", 256),
    "2 extended": Command(0x00, 0xB0, 1, 2, le=65_536, extended=True),
    "3 extended": Command(0x00, 0xD6, 1, 2, bytes(1000), extended=True),
    "4 extended": Command(0x00, 0xE2, 1, 2, bytes(3000), 300, extended=True),
}
ANSWERS = [(b"", 0x9000), (b"x", 0x9000), (bytes(range(208)), 0x9000), (b"as far as it goes", 0x6282), (b"", 0x63C2)]
ODD = Command(0x00, 0xB1, 0, 0, bytes.fromhex("54020000"), 16)
READ = Command(0x00, 0xB0, 0, 0, le=16)
KEYS = SessionKeys(bytes(range(1, 17)), bytes(range(0x21, 0x31)), bytes.fromhex("FFFFFFFFFFFFFFFE"))  # the counter wraps at once


def icao() -> tuple[IcaoChannel, IcaoSession]:
    return IcaoChannel(KEYS), IcaoSession(KEYS.enc, KEYS.mac, KEYS.counter)


def scp03(level: int = 0x33, size: int = 8, bits: int = 128) -> tuple[Channel, CardSession]:
    enc, mac = bytes(range(bits // 8)), bytes(range(7, 7 + bits // 8))
    host, own = bytes(size), bytes(range(size))
    card = CardSession(KeySet(enc, mac, bytes(16)), host, own)
    answer = bytes(10) + bytes((0x30, 3, 0x70 | (size == 16))) + own + card.card_cryptogram + bytes(3)
    init = InitializeUpdate.decode(host, answer)
    keys = derive(init, bits, partial(aes_cmac, enc), partial(aes_cmac, mac))
    command, channel = Scp03Session(init, keys).authenticate(level)
    assert card.authenticate(parse_apdu(command.encode()))
    return channel, card


def assert_heard(heard: Apdu, meant: Command) -> None:
    """The card understands what the host meant."""
    assert (heard.ins, heard.p1, heard.p2, heard.data, heard.le) == (meant.ins, meant.p1, meant.p2, meant.data, meant.le)


@pytest.mark.parametrize("case", CASES)
def test_icao_carries_every_case(case: str) -> None:
    (channel, card), command = icao(), CASES[case]
    for data, sw in ANSWERS:
        wrapped = channel.wrap(command)
        assert (wrapped.cla, wrapped.le) == (0x0C, 65_536 if command.extended else 256)
        assert_heard(card.unwrap(parse_apdu(wrapped.encode())), command)
        answer = Response.decode(card.wrap(data, sw.to_bytes(2, "big"), 65_536))
        assert channel.unwrap(command, answer) == Response(data, sw)


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("size", [8, 16])
@pytest.mark.parametrize("level", LEVELS)
def test_scp03_carries_every_case_at_every_level(level: int, size: int, bits: int) -> None:
    channel, card = scp03(level, size, bits)
    for command in CASES.values():
        for data, sw in [*ANSWERS, (b"", 0x6A88)]:
            wrapped = channel.wrap(command)
            assert_heard(card.unwrap(parse_apdu(wrapped.encode())), command)
            assert channel.unwrap(command, Response.decode(card.wrap(data, sw.to_bytes(2, "big")))) == Response(data, sw)


def test_an_odd_instruction_has_its_data_in_an_object_of_its_own_both_ways() -> None:
    channel, card = icao()
    wrapped = channel.wrap(ODD)
    assert (wrapped.data[0], wrapped.data[1]) == (0x85, 8)
    assert_heard(card.unwrap(parse_apdu(wrapped.encode())), ODD)
    answer = Response.decode(card.wrap(b"S\x01x", b"\x90\x00"))
    assert answer.data[0] == 0x85
    assert channel.unwrap(ODD, answer).data == b"S\x01x"


def test_a_command_stays_on_its_logical_channel_which_the_mac_does_not_know() -> None:
    (first, _), (second, _) = scp03(), scp03()
    basic, other = first.wrap(Command(0x80, 0xCA, 0, 0x66, le=256)), second.wrap(Command(0x83, 0xCA, 0, 0x66, le=256))
    assert (basic.cla, other.cla, basic.data) == (0x84, 0x87, other.data)
    assert icao()[0].wrap(Command(0x02, 0xB0, 0, 0, le=1)).cla == 0x0E


def test_6c_under_scp03_is_asked_again_with_the_right_le() -> None:
    channel, card = scp03()
    heard = []

    def chip(raw: bytes) -> bytes:
        plain = card.unwrap(parse_apdu(raw))
        heard.append(plain.le)
        return card.wrap(b"", b"\x6c\x03") if plain.le != 3 else card.wrap(b"abc", b"\x90\x00")

    assert drive(through(channel, ask(READ, "read")), chip) == b"abc"
    assert heard == [16, 3]


def test_61_inside_of_icao_is_fetched_under_icao() -> None:
    channel, card = icao()
    heard = []

    def chip(raw: bytes) -> bytes:
        plain = card.unwrap(parse_apdu(raw))
        heard.append((plain.ins, plain.le))
        return card.wrap(b"one ", b"\x61\x05")[:-2] + b"\x90\x00" if len(heard) == 1 else card.wrap(b"after", b"\x90\x00")

    assert drive(through(channel, ask(READ, "read")), chip) == b"one after"
    assert heard == [(0xB0, 16), (0xC0, 5)]


@pytest.mark.parametrize("pair", [icao, scp03])
def test_a_protected_answer_that_comes_in_parts_is_opened_whole(pair: Callable[[], tuple[Channel, Card]]) -> None:
    channel, card = pair()
    waiting: list[bytes] = []

    def chip(raw: bytes) -> bytes:
        if raw[1] == 0xC0:
            return waiting.pop()
        card.unwrap(parse_apdu(raw))
        whole = card.wrap(b"content", b"\x90\x00")
        waiting.append(whole[5:])
        return whole[:5] + bytes((0x61, len(whole) - 7))

    assert drive(through(channel, ask(READ, "read")), chip) == b"content"


def answered(objects: bytes, counter: int) -> Response:
    """What a chip with the right keys says when it sends these objects, whatever they are."""
    return Response(objects + tlv(0x8E, retail_mac(KEYS.mac, counter.to_bytes(8, "big") + objects)), 0x9000)


OK = bytes.fromhex("99029000")
NONSENSE = {
    "no object at all": (b"\x87", "not made of data objects"),
    "no status word": (tlv(0x87, b"\x01" + Des3(KEYS.enc).encipher(bytes(8))), "has no status word inside"),
    "a status word of one byte": (tlv(0x99, b"\x90"), "has no status word inside"),
    "no padding": (tlv(0x87, b"\x01" + Des3(KEYS.enc).encipher(bytes(8))) + OK, "padding is wrong"),
    "half a block": (tlv(0x87, b"\x01" + bytes(7)) + OK, "padding is wrong"),
    "no block": (tlv(0x87, b"\x01") + OK, "padding is wrong"),
    "nothing said of padding": (tlv(0x87, Des3(KEYS.enc).encipher(b"content\x80")) + OK, "padding is wrong"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_under_a_right_mac_breaks_the_channel(what: str) -> None:
    objects, why = NONSENSE[what]
    channel = IcaoChannel(SessionKeys(KEYS.enc, KEYS.mac, bytes(8)))
    channel.wrap(READ)
    with pytest.raises(DeviceRefused, match=why):
        channel.unwrap(READ, answered(objects, 2))
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        channel.wrap(READ)


def test_lengths_may_be_longer_than_they_need_be() -> None:
    channel = IcaoChannel(SessionKeys(KEYS.enc, KEYS.mac, bytes(8)))
    channel.wrap(READ)
    assert channel.unwrap(READ, answered(bytes.fromhex("9981029000"), 2)) == Response(b"", 0x9000)


def test_padding_that_is_wrong_under_a_right_mac_breaks_scp03() -> None:
    channel, card = scp03()
    card.unwrap(parse_apdu(channel.wrap(READ).encode()))
    card.level = 0x13  # sends its data in clear, which the host takes for enciphered
    answer = Response.decode(card.wrap(bytes(16), b"\x90\x00"))
    with pytest.raises(DeviceRefused, match="an answer's padding is wrong"):
        channel.unwrap(READ, answer)
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        channel.wrap(READ)


def test_an_answer_of_the_command_before_is_not_believed() -> None:
    pairs: list[tuple[Channel, Card]] = [icao(), scp03()]
    for channel, card in pairs:
        card.unwrap(parse_apdu(channel.wrap(READ).encode()))
        before = Response.decode(card.wrap(b"first", b"\x90\x00"))
        assert channel.unwrap(READ, before).data == b"first"
        card.unwrap(parse_apdu(channel.wrap(READ).encode()))
        with pytest.raises(DeviceRefused, match="an answer's MAC is wrong"):
            channel.unwrap(READ, before)


def test_what_the_reader_is_asked_goes_past_the_channel() -> None:
    channel, card = scp03()
    asked = Command(0xFF, 0xCA, 0, 0, le=256)
    assert drive(through(channel, ask(asked, "read UID")), lambda raw: b"uid\x90\x00" if raw[0] == 0xFF else b"") == b"uid"
    card.unwrap(parse_apdu(channel.wrap(READ).encode()))  # and is not counted


def test_without_a_channel_a_command_is_sent_as_it_is() -> None:
    def script() -> Script[Response]:
        return (yield READ)

    assert drive(through(PLAIN, script()), lambda raw: raw[:2] + b"\x6a\x82") == Response(b"\x00\xb0", 0x6A82)
