"""The card's side of both secure channels against public vectors (chip.md 3.2, 4.1, 4.2): RFC 4493, pySim's traces of real
cards for SCP03 S8, two independent programs for S16, and ICAO 9303-11 appendix D."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from hwsim.devices.chip_apdu import StatusWord, parse_apdu
from hwsim.devices.chip_ciphers import check_value, cmac, retail_mac
from hwsim.devices.chip_icao import BacKeys, IcaoSession, open_token, seal_token, session_keys
from hwsim.devices.chip_scp03 import KeySet, Scp03Session, card_challenge
from hwsim.devices.sam_session import HostMessaging, SamSession
from tests.golden.scp03_cards import AID, EID, PLAIN, SESSIONS, CardSession

OK = b"\x90\x00"


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


# AES-CMAC (RFC 4493, SP 800-38B)

MESSAGE = raw(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
K128 = "2b7e151628aed2a6abf7158809cf4f3c"
K192 = "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"  # not in chip.md: SP 800-38B, D.2
K256 = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"


@pytest.mark.parametrize(
    ("key", "size", "mac"),
    [
        (K128, 0, "bb1d6929e95937287fa37d129b756746"),
        (K128, 16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (K128, 40, "dfa66747de9ae63030ca32611497c827"),
        (K128, 64, "51f0bebf7e3b9d92fc49741779363cfe"),
        (K192, 0, "d17ddf46adaacde531cac483de7a9367"),
        (K192, 16, "9e99a7bf31e710900662f65e617c5184"),
        (K192, 40, "8a1de5be2eb31aad089a82e6ee908b0e"),
        (K192, 64, "a1d5df0eed790f794d77589659f39a11"),
        (K256, 0, "028962f61b7bf89efc6b551f4667d983"),
        (K256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"),
        (K256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"),
        (K256, 64, "e1992190549f6ed5696a2c056c315410"),
    ],
)
def test_aes_cmac(key: str, size: int, mac: str) -> None:
    assert cmac(raw(key), MESSAGE[:size]).hex() == mac


# SCP03


@dataclass(frozen=True)
class Trace:
    """One session as both sides saw it: plain and protected command, plain and protected reply of each exchange."""

    keys: KeySet
    initialize: str
    sequence: int
    aid: str
    challenge: str
    cryptogram: str
    session: tuple[str, str, str] | None  # where they are printed
    authenticate: str
    exchanges: tuple[tuple[str, str, str, str], ...]


PYSIM = ("000102030405060708090a0b0c0d0e0f", "101112131415161718191a1b1c1d1e1f", "202122232425262728292a2b2c2d2e2f")
TESTING = "404142434445464748494a4b4c4d4e4f"
SESSION_KEYS = {  # as printed in chip.md 3.2
    "S8 AES-128 level 33": (
        "bc5689f3a0b783a9ed6da1c5c6bc1f99",
        "0415f56cbb9e488bb171b2b66081f004",
        "1ee185123244e047bc9d68b914bd1fbe",
    ),
    "S8 AES-128 level 11": (
        "c4e87149f2114da66bb015a567d751f9",
        "8b2635556e987a6b84f43d9ffc197d3f",
        "3f6b2ce3b3abd9a99bd4453afa54cc7b",
    ),
    "S8 AES-256 level 33": (
        "6882480f1f4cfee7bddf6c691b6e1549645a47543cb4fe1042b72da7cdfdb958",
        "0607c530eb8e7b6e781a70b349370db8728c4b6ed29a24e5461864c142f98fec",
        "c88cdcd5473d403ce55264626eaf308b915482e0df3bf48e35a0f58d18c1f04c",
    ),
}


def with_card(card: CardSession) -> Trace:
    eid, *others = zip(PLAIN, card.protected, strict=True)
    return Trace(
        KeySet(*card.keys), card.initialize, int(card.answer[-6:], 16), AID, card.answer[26:42], card.answer[42:58],
        SESSION_KEYS.get(card.name), card.authenticate, ((*eid, EID, card.eid), *((*other, "", "") for other in others)),
    )  # fmt: skip


TRACES = {
    **{card.name: with_card(card) for card in SESSIONS},
    "S16, AES-128, level 33": Trace(
        KeySet(raw(TESTING), raw(TESTING), raw(TESTING)),
        "8050300010000102030405060708090a0b0c0d0e0f00",
        1,
        "A000000151000000",
        "6924434c956736c8ee6122e8a3fc612f",
        "4a9db39586c07e649edcdfb3396ed482",
        ("09c014f2b3f79c11c76206bfc13e7935", "0e2499872e6c43662a95d8f939e04c08", "f18bf6bf8f9733395c5a03696af11bb1"),
        "848233002034f2f819d94cfc006d737b5aa42999b2c6bbb437668b6c3f5b4c01afc8252cc0",
        (
            ("80f22002", "84f2200210093dbac663a6f988752e470018545bb3", "", "df6c33ba741c418943e68d9aaa132cae"),
            (
                "80ca006600",
                "84ca0066107fd084bbd17796b82a6838a6526831d400",
                "C0FFEE",
                "bc577ce0b17bb1f4960dc38d417cc38b4147ba854123b705a580d31474c44809",
            ),
            (
                "80e28000050102030405",
                "84e28000203975ffcdaa23f8024a76979c2298a5056aaf5051cd04520bd8f3378090668557",
                "",
                "cafb192612e305019e627e968c230edc",
            ),
            (
                "80f24002024f0000",
                "84f2400220317d454649da4c19353f4987fa34297cea06908c9896088058cfd6bfaf525bc500",
                "",
                "",
            ),
        ),
    ),
}


def opened(trace: Trace) -> Scp03Session:
    host = parse_apdu(raw(trace.initialize)).data
    session = Scp03Session(trace.keys, host, raw(trace.challenge))
    assert session.authenticate(parse_apdu(raw(trace.authenticate)))
    return session


@pytest.mark.parametrize("name", TRACES)
def test_scp03_derives_challenge_keys_and_cryptogram(name: str) -> None:
    trace = TRACES[name]
    session = opened(trace)
    challenge = card_challenge(trace.keys, trace.sequence, raw(trace.aid), session.size)
    assert (challenge.hex(), session.card_cryptogram.hex()) == (trace.challenge, trace.cryptogram)
    assert trace.session in (None, (session.enc.hex(), session.mac.hex(), session.rmac.hex()))


@pytest.mark.parametrize("name", TRACES)
def test_scp03_opens_commands_and_protects_replies(name: str) -> None:
    session = opened(TRACES[name])
    for plain, protected, reply, protected_reply in TRACES[name].exchanges:
        assert session.unwrap(parse_apdu(raw(protected))) == parse_apdu(raw(plain))
        if protected_reply:
            assert session.wrap(raw(reply), OK) == raw(protected_reply) + OK


@pytest.mark.parametrize("name", TRACES)
def test_scp03_refuses_every_flipped_bit(name: str) -> None:
    good = raw(TRACES[name].exchanges[0][1])
    for at in [*range(4), *range(5, len(good) - 1)]:
        bad = bytearray(good)
        bad[at] ^= 0x01
        with pytest.raises(StatusWord, match="6982"):
            opened(TRACES[name]).unwrap(parse_apdu(bytes(bad)))


def test_check_values() -> None:
    assert [check_value(raw(key)).hex() for key in PYSIM] == ["c35280", "013808", "840de5"]


def test_scp03_counts_the_extended_length_into_the_mac() -> None:
    trace = TRACES["S8 AES-128 level 11"]
    short = parse_apdu(raw(trace.exchanges[0][1]))
    data = short.data
    extended = short.header + b"\0" + len(data).to_bytes(2, "big") + data + b"\0\0"
    with pytest.raises(StatusWord, match="6982"):
        opened(trace).unwrap(parse_apdu(extended))


# ICAO 9303-11 appendix D

BAC = BacKeys(raw("AB94FDECF2674FDFB9B391F85D7F76F2"), raw("7962D9ECE03D1ACD4C76089DCE131543"))
RND_IC, RND_IFD = raw("4608F91988702212"), raw("781723860C06C226")
K_IFD, K_IC = raw("0B795240CB7049B01C19B33E32804F0B"), raw("0B4F80323EB3191CB04970CB4052790B")
HOST_TOKEN = raw("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
CARD_TOKEN = raw("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
ICAO = [
    ("00A4020C02011E", "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800", "", "990290008E08FA855A5D4C50A8ED"),
    ("00B0000004", "0CB000000D9701048E08ED6705417E96BA5500", "60145F01", "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED"),
    (
        "00B0000412",
        "0CB000040D9701128E082EA28A70F3C7B53500",
        "04303130365F36063034303030305C026175",
        "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D74",
    ),
]


def icao() -> IcaoSession:
    return IcaoSession.agree(RND_IFD, RND_IC, K_IFD, K_IC)


def test_bac_tokens_of_both_sides() -> None:
    assert seal_token(BAC, RND_IFD + RND_IC + K_IFD) == HOST_TOKEN
    assert open_token(BAC, HOST_TOKEN) == RND_IFD + RND_IC + K_IFD
    assert seal_token(BAC, RND_IC + RND_IFD + K_IC) == CARD_TOKEN


def test_bac_session_keys() -> None:
    seed = raw("0036D272F5C350ACAC50C3F572D23600")
    assert [key.hex().upper() for key in session_keys(seed)] == [
        "979EC13B1CBFE9DCD01AB0FED307EAE5",
        "F1CB1F1FB5ADF208806B89DC579DC1F8",
    ]


def test_a_token_with_a_wrong_byte_or_length_is_not_opened() -> None:
    for bad in (HOST_TOKEN[:-1], HOST_TOKEN + b"\0", HOST_TOKEN[:-1] + b"\0", b"\0" + HOST_TOKEN[1:]):
        assert open_token(BAC, bad) is None


def test_icao_opens_commands_and_protects_replies() -> None:
    session = icao()
    for plain, protected, reply, protected_reply in ICAO:
        opened_command, expected = session.unwrap(parse_apdu(raw(protected))), parse_apdu(raw(plain))
        assert (opened_command.header, opened_command.data, opened_command.le) == (expected.header, expected.data, expected.le)
        assert session.wrap(raw(reply), OK) == raw(protected_reply) + OK


def test_the_sams_end_of_the_mutual_authentication() -> None:
    session = SamSession(BAC, RND_IC, RND_IFD + K_IFD)
    assert session.token == HOST_TOKEN
    assert session.verify(CARD_TOKEN)


def test_the_sam_protects_commands_and_opens_replies() -> None:
    messaging = HostMessaging.agree(RND_IFD, RND_IC, K_IFD, K_IC)
    for plain, protected, reply, protected_reply in ICAO:
        assert messaging.protect(parse_apdu(raw(plain))) == raw(protected)
        assert messaging.open(raw(protected_reply)) == (raw(reply), OK)


def test_icao_refuses_every_flipped_bit() -> None:
    good = raw(ICAO[0][1])
    for at in [*range(1, 4), *range(5, len(good) - 1)]:
        bad = bytearray(good)
        bad[at] ^= 0x01
        with pytest.raises(StatusWord, match=r"698[78]"):
            icao().unwrap(parse_apdu(bytes(bad)))


def test_icao_refuses_a_replayed_command() -> None:
    session = icao()
    session.unwrap(parse_apdu(raw(ICAO[0][1])))
    session.wrap(b"", OK)
    with pytest.raises(StatusWord, match="6988"):
        session.unwrap(parse_apdu(raw(ICAO[0][1])))


def test_a_retail_mac_of_one_block_is_a_triple_des() -> None:
    block = raw("8000000000000000")  # no data, padded
    left, right = BAC.mac[:8], BAC.mac[8:]
    assert retail_mac(BAC.mac, b"") == Cipher(TripleDES(left + right + left), modes.ECB()).encryptor().update(block)
