"""ICAO 9303-11, Appendix D: mutual authentication and secure messaging, as printed in chip.md 4."""

from __future__ import annotations

import pytest

from controller.chips.apdu import Command, Response
from controller.chips.icao import (
    IcaoChannel,
    Offer,
    SessionKeys,
    decipher,
    derive,
    encipher,
    make_token,
    open_token,
    retail_mac,
    session_keys,
)
from controller.errors import DeviceRefused

KENC, KMAC = bytes.fromhex("AB94FDECF2674FDFB9B391F85D7F76F2"), bytes.fromhex("7962D9ECE03D1ACD4C76089DCE131543")
HOST = Offer(bytes.fromhex("781723860C06C226"), bytes.fromhex("4608F91988702212"),
             bytes.fromhex("0B795240CB7049B01C19B33E32804F0B"))  # fmt: skip
CHIP_KEY = bytes.fromhex("0B4F80323EB3191CB04970CB4052790B")
TOKEN = bytes.fromhex("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
ANSWER = bytes.fromhex("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
KEYS = SessionKeys(bytes.fromhex("979EC13B1CBFE9DCD01AB0FED307EAE5"), bytes.fromhex("F1CB1F1FB5ADF208806B89DC579DC1F8"),
                   bytes.fromhex("887022120C06C226"))  # fmt: skip
EXCHANGES = [  # command, protected, answer, its meaning
    (Command(0, 0xA4, 2, 0x0C, b"\x01\x1e"), "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
     "990290008E08FA855A5D4C50A8ED9000", ""),
    (Command(0, 0xB0, 0, 0, le=4), "0CB000000D9701048E08ED6705417E96BA5500",
     "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000", "60145F01"),
    (Command(0, 0xB0, 0, 4, le=18), "0CB000040D9701128E082EA28A70F3C7B53500",
     "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
     "04303130365F36063034303030305C026175"),
]  # fmt: skip


def _opened(answer: bytes) -> Offer:
    return open_token(answer, HOST, lambda data: decipher(KENC, data), lambda data: retail_mac(KMAC, data))


def test_keys_from_the_seed() -> None:
    seed = bytes.fromhex("239AB9CB282DAF66231DC5A4DF6BFBAE")
    assert (derive(seed, 1), derive(seed, 2)) == (KENC, KMAC)


def test_the_hosts_token() -> None:
    assert make_token(HOST, lambda data: encipher(KENC, data), lambda data: retail_mac(KMAC, data)) == TOKEN


def test_the_chips_token_and_the_session() -> None:
    chip = _opened(ANSWER)
    assert chip == Offer(HOST.other, HOST.own, CHIP_KEY)
    assert session_keys(HOST, chip) == KEYS


def test_every_exchange_of_the_session() -> None:
    channel = IcaoChannel(KEYS)
    for command, protected, answer, meaning in EXCHANGES:
        assert channel.wrap(command).encode().hex().upper() == protected
        assert channel.unwrap(command, Response.decode(bytes.fromhex(answer))) == Response(bytes.fromhex(meaning), 0x9000)


@pytest.mark.parametrize("at", range(40))
def test_a_token_changed_anywhere_is_refused(at: int) -> None:
    changed = bytes(byte ^ (place == at) for place, byte in enumerate(ANSWER))
    with pytest.raises(DeviceRefused, match="chip_refused: the chip's token is wrong"):
        _opened(changed)


def test_the_token_of_another_exchange_is_refused() -> None:
    other = Offer(bytes(8), bytes(8), bytes(16))
    with pytest.raises(DeviceRefused, match="answers another challenge"):
        open_token(ANSWER, other, lambda data: decipher(KENC, data), lambda data: retail_mac(KMAC, data))


@pytest.mark.parametrize("at", range(len(bytes.fromhex(EXCHANGES[1][2])) - 2))
def test_an_answer_changed_anywhere_breaks_the_channel_for_good(at: int) -> None:
    channel = IcaoChannel(KEYS)
    command, _, answer, _ = EXCHANGES[0]
    channel.wrap(command)
    channel.unwrap(command, Response.decode(bytes.fromhex(answer)))
    command, _, answer, _ = EXCHANGES[1]
    channel.wrap(command)
    changed = bytes(byte ^ (place == at) for place, byte in enumerate(bytes.fromhex(answer)))
    with pytest.raises(DeviceRefused, match="chip_refused: secure channel broken"):
        channel.unwrap(command, Response.decode(changed))
    with pytest.raises(DeviceRefused, match="secure channel broken"):
        channel.wrap(command)


def test_a_bare_error_word_is_passed_on_and_ends_the_session() -> None:
    channel = IcaoChannel(KEYS)
    command = EXCHANGES[0][0]
    channel.wrap(command)
    assert channel.unwrap(command, Response(b"", 0x6988)).sw == 0x6988
    with pytest.raises(DeviceRefused, match="the chip ended the session with 6988"):
        channel.wrap(command)


def test_a_bare_success_is_no_answer_of_this_session() -> None:
    channel = IcaoChannel(KEYS)
    channel.wrap(EXCHANGES[0][0])
    with pytest.raises(DeviceRefused, match="secure channel broken: an answer's MAC is wrong"):
        channel.unwrap(EXCHANGES[0][0], Response(b"", 0x9000))


def test_a_command_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DeviceRefused, match="240 bytes of data do not fit under secure messaging"):
        IcaoChannel(KEYS).wrap(Command(0, 0xD6, 0, 0, bytes(240)))
