"""Whatever a chip or a file says is understood or refused in the one way its reader expects, and is shown to nobody."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from controller.chips.apdu import Command, Response
from controller.chips.content_signature import ContentSignature, load_public_key
from controller.chips.icao import Des3, Offer, RetailMac, open_token
from controller.chips.scp03 import InitializeUpdate, Scp03Session, SessionKeys
from controller.chips.status_words import meaning_of
from controller.chips.tlv import TlvError, find
from controller.chips.trace import Tracer
from controller.errors import DeviceRefused
from controller.model import ChipFile

KEY = ec.derive_private_key(7, ec.SECP256R1()).public_key()
OFFER = Offer(bytes(8), bytes(8), bytes(16))
SECRET = bytes.fromhex("5EC2E7DA7A5EC2E7")
PARTS = st.binary(max_size=40).map(lambda noise: noise + SECRET)


@given(st.sampled_from([8, 16]), st.binary(max_size=60) | st.sampled_from([29, 32, 45, 48]).flatmap(lambda size: st.binary(
    min_size=size, max_size=size)))  # fmt: skip
def test_any_answer_to_initialize_update_is_a_card_or_refused(size: int, answer: bytes) -> None:
    host = bytes(range(size))
    with suppress(DeviceRefused):
        init = InitializeUpdate.decode(host, answer)
        assert (len(init.card_challenge), len(init.card_cryptogram), len(init.diversification)) == (size, size, 10)
        assert answer[11] == 3
        with pytest.raises(DeviceRefused, match="cryptogram is wrong"):
            Scp03Session(init, SessionKeys(bytes(16), bytes(16), bytes(16)))


@given(st.binary(max_size=60) | st.binary(min_size=40, max_size=40))
def test_any_bytes_are_no_token_of_a_chip_with_our_keys(token: bytes) -> None:
    with pytest.raises(DeviceRefused, match="has not the keys of our batch"):
        open_token(token, OFFER, Des3(bytes(range(16))).decipher, RetailMac(bytes(range(16))))


@given(st.binary(max_size=60), st.lists(st.integers(0, 0xFFFF), max_size=5))
def test_a_path_is_found_in_any_bytes_or_they_are_refused(data: bytes, path: list[int]) -> None:
    with suppress(TlvError):
        found = find(data, path)
        assert found is None or found in data


def test_a_path_is_followed_to_its_end() -> None:
    deep = bytes.fromhex("E10A E208 E306 E404 E502 0102".replace(" ", ""))
    assert find(deep, [0xE1, 0xE2, 0xE3, 0xE4, 0xE5]) == b"\x01\x02"
    assert find(deep, [0xE1, 0xE2, 0xE3, 0xE4, 0xE6]) is None


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_any_bytes_are_a_wrong_signature(signature: bytes, content: bytes) -> None:
    files = [ChipFile(0x6FF1, content), ChipFile(0x6FF6, signature)]
    assert "6FF6" in ContentSignature(0x6FF6, (KEY,)).wrong(files)


@given(st.text(max_size=100) | st.binary(min_size=33, max_size=33).map(bytes.hex))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(load_public_key(text), ec.EllipticCurvePublicKey)


@given(st.integers(0, 0xFFFF))
def test_a_status_word_is_a_success_only_when_it_says_so(sw: int) -> None:
    assert meaning_of(sw).success == (sw == 0x9000 or sw >> 8 == 0x61)
    assert meaning_of(sw).retryable == (sw >> 8 == 0x6C)


@given(PARTS, PARTS, st.integers(0, 3))
def test_a_masked_trace_holds_no_data(said: bytes, answered: bytes, cut: int) -> None:
    command = Command(0x00, 0xD6, 0, 0, said).encode()
    for raw in (command, command[cut:], command + SECRET):
        text = Tracer().lines(1, raw, answered + b"\x90\x00", 1.0)
        assert SECRET.hex() not in text.lower()
        assert SECRET.hex() not in Tracer().lines(1, raw, answered[:1], 1.0).lower()


@pytest.mark.parametrize("thing", [
    Command(0, 0xD6, 0, 0, SECRET), Response(SECRET, 0x9000), ChipFile(0x6FF1, SECRET), Offer(bytes(8), bytes(8), SECRET * 2),
    SessionKeys(SECRET * 2, SECRET * 2, SECRET * 2),
])  # fmt: skip
def test_data_and_keys_are_in_no_text(thing: object) -> None:
    assert str(SECRET)[2:10] not in f"{thing!r} {thing}"
    assert "5ec2" not in f"{thing!r}".lower()
