"""What is computed with keys that everybody knows: check values, and a card's own key from a master (chip.md 3.2, 3.5).

The product never has such a key in hand: a SAM or a token computes with it (`controller/chips/sam.py`). For cards in memory and
for the public vectors.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from controller.chips.kdf import BLOCK_BYTES, AesCmac, pad80

_AN10922 = {16: (0x01,), 24: (0x11, 0x12), 32: (0x41, 0x42)}  # diversification constants by key length
_MAX_DIVERSIFICATION_BYTES = 31


def aes_cmac(key: bytes, message: bytes) -> bytes:
    """The AES-CMAC of one message."""
    return AesCmac(key)(message)


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
    return Cipher(TripleDES((key * 2)[:24]), modes.ECB()).encryptor().update(bytes(8))[:3]


def aes_ecb(key: bytes, block: bytes) -> bytes:
    """One or more blocks enciphered one by one."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


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
