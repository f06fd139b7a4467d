"""The ciphers of both secure channels, as the card computes them (chip.md 3.1, 4.1, 4.2). Pure.

Own eyes: nothing here is shared with the controller; both are held to the public vectors of chip.md 3.2 and 4.2.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

DES_BLOCK = 8
AES_BLOCK = 16
_NO_ICV = bytes(AES_BLOCK)


class BadPaddingError(ValueError):
    """What was decrypted does not end as ISO 9797-1 method 2 pads it."""


def pad(data: bytes, block: int) -> bytes:
    """ISO 9797-1 method 2: 80 and zeros to the next whole block; always at least one byte."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def unpad(data: bytes) -> bytes:
    """The data without its padding. Raises BadPaddingError."""
    stripped = data.rstrip(b"\0")
    if not stripped.endswith(b"\x80"):
        raise BadPaddingError("no 80 before the zeros")
    return stripped[:-1]


def des3_encrypt(key: bytes, data: bytes) -> bytes:
    """Triple DES in CBC mode with ICV 0; keys of 16 or 24 bytes, whole blocks."""
    return _des3(key).encryptor().update(data)


def des3_decrypt(key: bytes, data: bytes) -> bytes:
    """The reverse of `des3_encrypt`."""
    return _des3(key).decryptor().update(data)


def des3_blocks(key: bytes, data: bytes) -> bytes:
    """Triple DES of each block by itself (ECB)."""
    return Cipher(TripleDES(_three(key)), modes.ECB()).encryptor().update(data)  # noqa: S305  key derivation works on blocks


def retail_mac(key: bytes, data: bytes) -> bytes:
    """ISO 9797-1 MAC algorithm 3 with DES over the padded data: 8 bytes; the key has 16."""
    chained = des3_encrypt(key[:8] * 3, pad(data, DES_BLOCK))[-DES_BLOCK:]
    return des3_encrypt(key[:8] * 3, des3_decrypt(key[8:] * 3, chained))


def cmac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, 16 bytes."""
    mac = _cmac(key).copy()
    mac.update(data)
    return mac.finalize()


def aes_encrypt(key: bytes, data: bytes, icv: bytes = _NO_ICV) -> bytes:
    """AES in CBC mode; whole blocks."""
    return Cipher(_aes(key), modes.CBC(icv)).encryptor().update(data)


def aes_decrypt(key: bytes, data: bytes, icv: bytes = _NO_ICV) -> bytes:
    """The reverse of `aes_encrypt`."""
    return Cipher(_aes(key), modes.CBC(icv)).decryptor().update(data)


def aes_blocks(key: bytes, data: bytes) -> bytes:
    """AES of each block by itself (ECB)."""
    return Cipher(_aes(key), modes.ECB()).encryptor().update(data)  # noqa: S305  one-block uses of SCP03


def check_value(key: bytes) -> bytes:
    """The KCV of an AES key: three bytes of AES over 01*16."""
    return aes_blocks(key, b"\x01" * AES_BLOCK)[:3]


def scp03_kdf(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """The counter-mode KDF of SCP03 (chip.md 3.1)."""
    rounds = range(1, -(-bits // 128) + 1)
    label = bytes(11) + bytes([constant]) + b"\0" + bits.to_bytes(2, "big")
    return b"".join(cmac(key, label + bytes([number]) + context) for number in rounds)[: bits // 8]


def _three(key: bytes) -> bytes:
    return key if len(key) == 24 else key + key[:8]


# Keys of simulated chips guard nothing, so what is made of them may be kept: it costs more than the work done with it.


@lru_cache(maxsize=64)
def _des3(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(TripleDES(_three(key)), modes.CBC(bytes(DES_BLOCK)))


@lru_cache(maxsize=64)
def _aes(key: bytes) -> algorithms.AES:
    return algorithms.AES(key)


@lru_cache(maxsize=64)
def _cmac(key: bytes) -> CMAC:
    return CMAC(algorithms.AES(key))
