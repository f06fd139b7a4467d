"""AES-CMAC (RFC 4493, SP 800-38B), AN10922 and key check values, as printed in chip.md 3.2 and 3.5."""

from __future__ import annotations

import pytest

from tests.fakes.key_values import aes_cmac, an10922, kcv_aes, kcv_des

MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
_AES_128 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
_AES_192 = bytes.fromhex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b")  # not in chip.md: SP 800-38B, D.2
_AES_256 = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
_MASTER = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
_INPUT = bytes.fromhex("04782E21801D803042F54E585020416275")

CMACS = [
    (_AES_128, 0, "bb1d6929e95937287fa37d129b756746"),
    (_AES_128, 16, "070a16b46b4d4144f79bdd9dd04a287c"),
    (_AES_128, 40, "dfa66747de9ae63030ca32611497c827"),
    (_AES_128, 64, "51f0bebf7e3b9d92fc49741779363cfe"),
    (_AES_192, 0, "d17ddf46adaacde531cac483de7a9367"),
    (_AES_192, 16, "9e99a7bf31e710900662f65e617c5184"),
    (_AES_192, 40, "8a1de5be2eb31aad089a82e6ee908b0e"),
    (_AES_192, 64, "a1d5df0eed790f794d77589659f39a11"),
    (_AES_256, 0, "028962f61b7bf89efc6b551f4667d983"),
    (_AES_256, 16, "28a7023f452e8f82bd4bf28d8c37c35c"),
    (_AES_256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"),
    (_AES_256, 64, "e1992190549f6ed5696a2c056c315410"),
]


@pytest.mark.parametrize(("key", "length", "mac"), CMACS)
def test_cmac(key: bytes, length: int, mac: str) -> None:
    assert aes_cmac(key, MESSAGE[:length]).hex() == mac


def test_an10922_with_128_bits() -> None:
    assert an10922(_MASTER, _INPUT) == bytes.fromhex("A8DD63A3B89D54B37CA802473FDA9175")


def test_an10922_with_192_bits() -> None:
    """Not in chip.md: as AN10922 2.3 prints it."""
    wanted = "CE39C8E1CD82D9A7BEDBE9D74AF59B23176755EE7586E12C"
    assert an10922(_MASTER + bytes.fromhex("0102030405060708"), _INPUT) == bytes.fromhex(wanted)


def test_an10922_with_256_bits() -> None:
    master = _MASTER + bytes.fromhex("0102030405060708090A0B0C0D0E0F00")
    wanted = "4FC6EEC820B4C54314990B8611662DB695E7880982C0001E6067488346100AED"
    assert an10922(master, _INPUT) == bytes.fromhex(wanted)


@pytest.mark.parametrize("length", [0, 32])
def test_an10922_takes_1_to_31_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} bytes of diversification input"):
        an10922(_MASTER, bytes(length))


@pytest.mark.parametrize(("first", "kcv"), [(0x00, "C35280"), (0x10, "013808"), (0x20, "840DE5")])
def test_check_values_of_the_keys_that_pysim_prints(first: int, kcv: str) -> None:
    assert kcv_aes(bytes(range(first, first + 16))).hex().upper() == kcv


def test_check_value_of_a_des_key_is_the_zero_block() -> None:
    """The well-known KCV of the GlobalPlatform test key 40..4F."""
    assert kcv_des(bytes(range(0x40, 0x50))).hex().upper() == "8BAF47"
