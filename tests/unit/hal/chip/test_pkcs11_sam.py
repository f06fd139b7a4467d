"""The key holder in a token: key lengths, cards that are not the one in hand, masters and mechanisms that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pkcs11 import Attribute, KeyType, MechanismFlag

from controller.chips.scp03 import InitializeUpdate
from controller.errors import DeviceAbsent, DeviceError
from controller.hal.chip.key_ring import KeyRing, Kind, Use
from controller.hal.chip.pkcs11_link import TokenLink
from controller.hal.chip.pkcs11_sam import MASTERS, Pkcs11Sam, ScpKeys
from hwsim.devices.chip_ciphers import aes_blocks, aes_decrypt
from hwsim.devices.chip_keys import scp03_keys
from hwsim.devices.chip_scp03 import Scp03Session
from tests.fakes.token import SoftToken, fresh, put_masters

UID, OTHER = bytes.fromhex("04A1B2C3D4E5F6"), bytes.fromhex("04FFEEDDCCBBAA")
TYPE_B = bytes.fromhex("1122334455667788")
ICAO_MASTER = bytes(range(24))


token = pytest.fixture(fresh)


@pytest.fixture
def link(token: SoftToken) -> Iterator[TokenLink]:
    link = token.link()
    yield link
    link.close()


def initialized(master: bytes, uid: bytes = UID, version: int = 0x30, size: int = 8) -> InitializeUpdate:
    host, card = bytes(size), bytes(range(size))
    session = Scp03Session(scp03_keys(master, version, uid), host, card)
    answer = bytes(10) + bytes((version, 3, 0x70 | (size == 16))) + card + session.card_cryptogram + bytes(3)
    return InitializeUpdate.decode(host, answer)


def refusal(sam: Pkcs11Sam) -> str:
    with pytest.raises(DeviceError) as refused:
        sam.check()
    assert refused.value.condition == "sam_refused"
    return refused.value.detail


@pytest.mark.parametrize("uid", [UID, TYPE_B])
@pytest.mark.parametrize("size", [8, 16])
@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_card_keys_are_as_long_as_the_master(link: TokenLink, key_bytes: int, size: int, uid: bytes) -> None:
    master = bytes(range(key_bytes))
    put_masters(link, ICAO_MASTER, master)
    sam = Pkcs11Sam(link, "scp03")
    sam.open_scp03(uid, initialized(master, uid, size=size))  # raises when the card's cryptogram is wrong


def test_new_keys_of_a_length_that_no_token_wraps_are_refused(link: TokenLink) -> None:
    master = bytes(range(24))
    put_masters(link, ICAO_MASTER, master)
    sam = Pkcs11Sam(link, "scp03")
    sam.open_scp03(UID, initialized(master))
    with pytest.raises(DeviceError, match="192 bits, and keys of that length cannot be wrapped"):
        sam.new_keys(UID, 1)
    assert "192 bits" in refusal(sam)  # told before a blank is fed


@pytest.mark.parametrize("key_bytes", [16, 32])
def test_new_keys_of_every_length_that_the_token_wraps(link: TokenLink, key_bytes: int) -> None:
    master = bytes(range(key_bytes))
    put_masters(link, ICAO_MASTER, master)
    sam = Pkcs11Sam(link, "scp03")
    sam.open_scp03(UID, initialized(master))
    old, new = scp03_keys(master, 0x30, UID), scp03_keys(master, 1, UID)
    first = sam.new_keys(UID, 1).keys[0]
    assert (aes_decrypt(old.dek, first.block, bytes(16)), first.key_bytes) == (new.enc, key_bytes)
    assert first.kcv == aes_blocks(new.enc, b"\1" * 16)[:3]


def test_new_keys_are_made_only_for_the_card_in_hand(link: TokenLink) -> None:
    master = bytes(range(16))
    put_masters(link, ICAO_MASTER, master)
    sam = Pkcs11Sam(link, "scp03")
    sam.open_scp03(UID, initialized(master))
    with pytest.raises(DeviceError, match="only for the card whose session is open"):
        sam.new_keys(OTHER, 1)
    sam.close()
    with pytest.raises(DeviceError, match="only for the card whose session is open"):
        sam.new_keys(UID, 1)


def test_two_lanes_share_the_token_and_not_their_sessions(link: TokenLink) -> None:
    put_masters(link, ICAO_MASTER, bytes(range(16)))
    one, two = Pkcs11Sam(link, "icao"), Pkcs11Sam(link, "icao")
    one.begin(bytes(51), UID, bytes(8))
    with pytest.raises(DeviceError, match="no mutual authentication was begun"):
        two.finish(bytes(40))


def test_a_lane_is_not_asked_for_another_channel_than_its_own(link: TokenLink) -> None:
    with pytest.raises(DeviceError, match="set up for 'scp03', not 'icao'"):
        Pkcs11Sam(link, "scp03").begin(bytes(51), UID, bytes(8))
    with pytest.raises(DeviceError, match="set up for 'icao', not 'scp03'"):
        Pkcs11Sam(link, "icao").open_scp03(UID, initialized(bytes(16)))


def test_a_challenge_of_another_size_is_refused(link: TokenLink) -> None:
    with pytest.raises(DeviceError, match="a challenge of 7 bytes"):
        Pkcs11Sam(link, "icao").begin(bytes(51), UID, bytes(7))


@pytest.mark.parametrize("needs", ["icao", "scp03"])
def test_a_token_without_the_master_is_refused_before_a_blank_is_fed(link: TokenLink, needs: str) -> None:
    sam = Pkcs11Sam(link, "icao" if needs == "icao" else "scp03")
    assert "make them with 'print-station keys init'" in refusal(sam)


def test_a_master_that_could_be_carried_off_is_refused(link: TokenLink) -> None:
    label, _kind = MASTERS["icao"]
    link.run(lambda ring: ring._session.generate_key(
        KeyType.DES3, label=label, store=True, capabilities=MechanismFlag.DERIVE, template={Attribute.EXTRACTABLE: True},
    ), write=True)  # fmt: skip
    assert refusal(Pkcs11Sam(link, "icao")) == f"master '{label}' is not guarded: CKA_EXTRACTABLE is True"


def test_a_token_that_is_gone_is_absent(token: SoftToken) -> None:
    link = token.link("gone")
    with pytest.raises(DeviceAbsent, match="no token is named 'gone'"):
        Pkcs11Sam(link, "icao").begin(bytes(51), UID, bytes(8))
    link.close()


def test_a_thousand_cards_good_and_bad_leave_no_key_in_the_token(link: TokenLink) -> None:
    master = bytes(range(16))
    put_masters(link, ICAO_MASTER, master)
    scp03, icao = Pkcs11Sam(link, "scp03"), Pkcs11Sam(link, "icao")
    good, foreign = initialized(master), initialized(master[::-1])
    for _ in range(250):  # four sessions each
        scp03.open_scp03(UID, good)
        scp03.new_keys(UID, 1)
        with pytest.raises(DeviceError, match="cryptogram is wrong"):
            scp03.open_scp03(UID, foreign)
        icao.begin(bytes(51), UID, bytes(8))
        with pytest.raises(DeviceError, match="the chip's token is wrong"):
            icao.finish(bytes(40))
        with pytest.raises(DeviceError, match="refuses what is done with a key"):
            link.run(lambda ring: ring.derive_aes(ScpKeys(ring, UID, 1)._master, bytes(15), 16, Use.MAC))
    assert link.run(lambda ring: len(list(ring._session.get_objects()))) == len(MASTERS)


@pytest.mark.parametrize("version", [0, 1, 0x2F, 0x7F, 0xFF])
def test_a_card_that_lies_about_its_key_version_is_not_ours(link: TokenLink, version: int) -> None:
    master = bytes(range(16))
    put_masters(link, ICAO_MASTER, master)
    with pytest.raises(DeviceError, match="chip_refused: the card's cryptogram is wrong"):
        Pkcs11Sam(link, "scp03").open_scp03(UID, replace(initialized(master), key_version=version))


def test_new_keys_may_leave_only_wrapped_and_other_keys_not_at_all(link: TokenLink) -> None:
    master = bytes(range(16))
    put_masters(link, ICAO_MASTER, master)

    def look(ring: KeyRing) -> None:
        keys = ScpKeys(ring, UID, 1)
        new, dek, mac = keys.key(1, Use.TO_CARD).handle, keys.key(3, Use.WRAP).handle, keys.key(2, Use.MAC).handle
        assert [bool(key[Attribute.EXTRACTABLE]) for key in (new, dek, mac)] == [True, False, False]
        assert all(key[Attribute.SENSITIVE] and not key[Attribute.TOKEN] for key in (new, dek, mac))

    link.run(look)


def test_a_key_of_the_wrong_kind_under_a_masters_name_is_no_master(link: TokenLink) -> None:
    label, _kind = MASTERS["scp03"]
    link.run(lambda ring: ring.make_master(label, Kind.DES3, 24), write=True)
    assert f"the token has no AES keys named '{label}'" in refusal(Pkcs11Sam(link, "scp03"))


def test_a_master_that_may_not_derive_is_refused_even_unchecked(link: TokenLink) -> None:
    label, _kind = MASTERS["icao"]
    link.run(lambda ring: ring._session.generate_key(
        KeyType.DES3, label=label, store=True, capabilities=MechanismFlag.ENCRYPT,
    ), write=True)  # fmt: skip
    sam = Pkcs11Sam(link, "icao")
    assert "CKA_DERIVE is False" in refusal(sam)
    with pytest.raises(DeviceError, match="sam_refused: the token's attributes of a key forbid to derive with it"):
        sam.begin(bytes(51), UID, bytes(8))
