"""The card's side of SCP03, GlobalPlatform Amendment D (chip.md 3.1): S8 and S16, AES-128/192/256, every level. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from hwsim.devices.chip_apdu import Apdu, StatusWord
from hwsim.devices.chip_ciphers import (
    AES_BLOCK,
    BadPaddingError,
    aes_blocks,
    aes_decrypt,
    aes_encrypt,
    cmac,
    pad,
    scp03_kdf,
    unpad,
)

C_MAC, C_ENC, R_MAC, R_ENC = 0x01, 0x02, 0x10, 0x20
LEVELS = frozenset({0x00, 0x01, 0x03, 0x11, 0x13, 0x33})
_SECURITY = 0x6982
_CARD, _HOST, _CHALLENGE, _ENC, _MAC, _RMAC = 0x00, 0x01, 0x02, 0x04, 0x06, 0x07  # the constants of the KDF
_WARNINGS = (0x62, 0x63)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Three static AES keys of one length; the DEK is used as it is."""

    enc: bytes
    mac: bytes
    dek: bytes


def card_challenge(keys: KeySet, sequence: int, aid: bytes, size: int) -> bytes:
    """The pseudo-random challenge: nobody but the holder of the keys can foresee it, and no session has it twice."""
    return scp03_kdf(keys.enc, _CHALLENGE, sequence.to_bytes(3, "big") + aid, size * 8)


class Scp03Session:
    """From INITIALIZE UPDATE on. `size` is 8 or 16: the length of challenges, cryptograms and MACs.

    Every method raises StatusWord 6982 for what is wrong with the protection; the session is then of no use: drop it.
    """

    def __init__(self, keys: KeySet, host_challenge: bytes, card_challenge: bytes) -> None:
        context, bits = host_challenge + card_challenge, len(keys.enc) * 8
        self.size = len(host_challenge)
        self.level = 0
        self.enc, self.mac = scp03_kdf(keys.enc, _ENC, context, bits), scp03_kdf(keys.mac, _MAC, context, bits)
        self.rmac = scp03_kdf(keys.mac, _RMAC, context, bits)
        self.dek = keys.dek
        self.card_cryptogram = scp03_kdf(self.mac, _CARD, context, self.size * 8)
        self._host_cryptogram = scp03_kdf(self.mac, _HOST, context, self.size * 8)
        self._chain, self._count = bytes(AES_BLOCK), 0

    def authenticate(self, apdu: Apdu) -> bool:
        """Whether EXTERNAL AUTHENTICATE is the right host's; its level holds from then on."""
        self.level = apdu.p1
        return hmac.compare_digest(self._check(apdu), self._host_cryptogram)

    def unwrap(self, apdu: Apdu) -> Apdu:
        """The plain command inside, with CLA without its secure messaging bit."""
        self._count += 1
        if not self.level & C_MAC:
            return apdu
        data = self._check(apdu)
        if self.level & C_ENC and data:
            data = self._decrypt(data)
        return Apdu(apdu.cla & ~0x04, apdu.ins, apdu.p1, apdu.p2, data, apdu.le, apdu.le_any, apdu.extended)

    def wrap(self, data: bytes, status: bytes) -> bytes:
        """The protected response; errors go bare."""
        if not self.level & R_MAC or not (status == b"\x90\x00" or status[0] in _WARNINGS):
            return data + status
        if self.level & R_ENC and data:
            data = aes_encrypt(self.enc, pad(data, AES_BLOCK), self._icv(0x80))
        return data + cmac(self.rmac, self._chain + data + status)[: self.size] + status

    def room(self, size: int) -> int:
        """The bytes that a response with `size` bytes of data has, without the status word."""
        if not self.level & R_MAC:
            return size
        padded = size + AES_BLOCK - size % AES_BLOCK
        return (padded if self.level & R_ENC and size else size) + self.size

    def _check(self, apdu: Apdu) -> bytes:
        """The data without its MAC, which must be right; the MAC as computed is the next one's beginning."""
        data, mac = apdu.data[: -self.size], apdu.data[-self.size :]
        if not apdu.cla & 0x04 or len(apdu.data) < self.size:
            raise StatusWord(_SECURITY)
        size = len(apdu.data)
        length = b"\0" + size.to_bytes(2, "big") if apdu.extended else bytes([size])
        chain = cmac(self.mac, self._chain + apdu.header + length + data)
        if not hmac.compare_digest(chain[: self.size], mac):
            raise StatusWord(_SECURITY)
        self._chain = chain
        return data

    def _decrypt(self, data: bytes) -> bytes:
        if len(data) % AES_BLOCK:
            raise StatusWord(_SECURITY)
        try:
            return unpad(aes_decrypt(self.enc, data, self._icv(0x00)))
        except BadPaddingError as error:
            raise StatusWord(_SECURITY) from error

    def _icv(self, first: int) -> bytes:
        return aes_blocks(self.enc, bytes([first]) + self._count.to_bytes(AES_BLOCK - 1, "big"))
