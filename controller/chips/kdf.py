"""CMAC, key derivation and key check values on `cryptography` (chip.md 3.1, 3.2, 3.5). Pure."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_BYTES = 16

_AN10922 = {16: (0x01,), 24: (0x11, 0x12), 32: (0x41, 0x42)}  # diversification constants by key length
_MAX_DIVERSIFICATION_BYTES = 31


class AesCmac:
    """AES-CMAC under one key (RFC 4493). Made once, used often: the key's schedule costs more than a short message."""

    def __init__(self, key: bytes) -> None:
        self._fresh = CMAC(algorithms.AES(key))

    def __call__(self, message: bytes) -> bytes:
        """The 16 bytes of a message."""
        mac = self._fresh.copy()
        mac.update(message)
        return mac.finalize()


def aes_cmac(key: bytes, message: bytes) -> bytes:
    """The same, once."""
    return AesCmac(key)(message)


def kdf_blocks(constant: int, context: bytes, bits: int) -> list[bytes]:
    """What the key signs with AES-CMAC, block by block, to derive `bits`: the SP 800-108 counter mode of SCP03.

    The results are joined and cut to `bits`. A token does the signing, so that its key stays inside.
    """
    head = bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big")
    return [head + bytes((number,)) + context for number in range(1, -(-bits // (8 * BLOCK_BYTES)) + 1)]


def kdf(sign: Callable[[bytes], bytes], constant: int, context: bytes, bits: int) -> bytes:
    """`bits` derived with a key that only `sign` (its AES-CMAC) has."""
    return b"".join(sign(block) for block in kdf_blocks(constant, context, bits))[: bits // 8]


def an10922(master: bytes, diversification: bytes) -> bytes:
    """A card's own AES key from a master (NXP AN10922). ValueError when the input is longer than 31 bytes."""
    if not 1 <= len(diversification) <= _MAX_DIVERSIFICATION_BYTES:
        raise ValueError(f"{len(diversification)} bytes of diversification input; 1 to {_MAX_DIVERSIFICATION_BYTES} are possible")
    macs = [_padded_cmac(master, bytes((constant,)) + diversification) for constant in _AN10922[len(master)]]
    if len(master) == 24:  # the two MACs overlap by half a block
        first, second = macs
        return first[:8] + bytes(a ^ b for a, b in zip(first[8:], second[:8], strict=True)) + second[8:]
    return b"".join(macs)


def kcv_aes(key: bytes) -> bytes:
    """Key check value of an AES key: 3 bytes of the block of ones."""
    return aes_ecb(key, b"\x01" * BLOCK_BYTES)[:3]


def kcv_des(key: bytes) -> bytes:
    """Key check value of a 2- or 3-key DES key: 3 bytes of the block of zeros."""
    return Cipher(TripleDES((key * 2)[:24]), modes.ECB()).encryptor().update(bytes(8))[:3]  # noqa: S305 - what the standard says


def aes_ecb(key: bytes, block: bytes) -> bytes:
    """One or more blocks enciphered one by one."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305 - single blocks, as the standard says


def pad80(data: bytes, block_bytes: int) -> bytes:
    """80, then zeros up to a whole block (ISO 9797-1 method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block_bytes)


def unpad80(data: bytes) -> bytes | None:
    """What `pad80` was given; None when there is no such padding."""
    kept = data.rstrip(b"\0")
    return kept[:-1] if kept.endswith(b"\x80") else None


def _padded_cmac(key: bytes, message: bytes) -> bytes:
    """AN10922 pads to 32 bytes always, and takes the subkey for padded input then: CMAC would only pad to a whole block."""
    zero = aes_ecb(key, bytes(BLOCK_BYTES))
    subkey = _doubled(_doubled(zero)) if len(message) < 2 * BLOCK_BYTES else _doubled(zero)
    padded = message if len(message) == 2 * BLOCK_BYTES else pad80(message, 2 * BLOCK_BYTES)
    last = bytes(a ^ b for a, b in zip(padded[BLOCK_BYTES:], subkey, strict=True))
    chained = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK_BYTES))).encryptor()
    return chained.update(padded[:BLOCK_BYTES] + last)[-BLOCK_BYTES:]


def _doubled(block: bytes) -> bytes:
    """Times x in GF(2^128), as CMAC makes its subkeys."""
    value = int.from_bytes(block, "big") << 1
    return ((value & (1 << 128) - 1) ^ (0x87 if value >> 128 else 0)).to_bytes(BLOCK_BYTES, "big")
