"""CMAC, key derivation and padding on `cryptography` (chip.md 3.1, 3.2). Pure."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_BYTES = 16


class AesCmac:
    """AES-CMAC under one key (RFC 4493). Made once, used often: the key's schedule costs more than a short message."""

    def __init__(self, key: bytes) -> None:
        self._fresh = CMAC(algorithms.AES(key))

    def __call__(self, message: bytes) -> bytes:
        """The 16 bytes of a message."""
        mac = self._fresh.copy()
        mac.update(message)
        return mac.finalize()


def kdf_blocks(constant: int, context: bytes, bits: int) -> list[bytes]:
    """What the key signs with AES-CMAC, block by block, to derive `bits`: the SP 800-108 counter mode of SCP03.

    The results are joined and cut to `bits`. A token does the signing, so that its key stays inside.
    """
    head = bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big")
    return [head + bytes((number,)) + context for number in range(1, -(-bits // (8 * BLOCK_BYTES)) + 1)]


def kdf(sign: Callable[[bytes], bytes], constant: int, context: bytes, bits: int) -> bytes:
    """`bits` derived with a key that only `sign` (its AES-CMAC) has."""
    return b"".join(sign(block) for block in kdf_blocks(constant, context, bits))[: bits // 8]


def pad80(data: bytes, block_bytes: int) -> bytes:
    """80, then zeros up to a whole block (ISO 9797-1 method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block_bytes)


def unpad80(data: bytes) -> bytes | None:
    """What `pad80` was given; None when there is no such padding."""
    kept = data.rstrip(b"\0")
    return kept[:-1] if kept.endswith(b"\x80") else None
