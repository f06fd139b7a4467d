"""The card's side of ICAO 9303-11 Basic Access Control and 3DES secure messaging (chip.md 4.1, 4.2). Pure.

Whoever supplies the two static keys decides what they mean: of a passport they come from the printed data, of this chip from the
key holder (devices/chip_keys.py).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha1
from typing import Self

from hwsim.devices.chip_apdu import SHORT_LE, Apdu, StatusWord
from hwsim.devices.chip_ciphers import DES_BLOCK, BadPaddingError, des3_decrypt, des3_encrypt, pad, retail_mac, unpad

NONCE_BYTES = 8
KEY_BYTES = 16
TOKEN_BYTES = 40  # 32 of cryptogram, 8 of MAC
SM_CLA = 0x0C
_MISSING, _WRONG = 0x6987, 0x6988
DATA, DATA_ODD, LE, STATUS, MAC = 0x87, 0x85, 0x97, 0x99, 0x8E
MAC_OBJECT_BYTES = 10


@dataclass(frozen=True, slots=True)
class BacKeys:
    """A chip's static keys, 16 bytes each."""

    enc: bytes
    mac: bytes


def with_parity(key: bytes) -> bytes:
    """Each byte with an odd number of ones; DES ignores the lowest bit, the public vectors show it."""
    return bytes((byte & 0xFE) | (bin(byte >> 1).count("1") + 1) % 2 for byte in key)


def seal_token(keys: BacKeys, secret: bytes) -> bytes:
    """32 bytes enciphered, with their MAC: what either side sends."""
    cryptogram = des3_encrypt(keys.enc, secret)
    return cryptogram + retail_mac(keys.mac, cryptogram)


def open_token(keys: BacKeys, token: bytes) -> bytes | None:
    """The 32 bytes of a token; None when it has another length or its MAC is wrong."""
    if len(token) != TOKEN_BYTES:
        return None
    cryptogram, mac = token[:-DES_BLOCK], token[-DES_BLOCK:]
    if not hmac.compare_digest(retail_mac(keys.mac, cryptogram), mac):
        return None
    return des3_decrypt(keys.enc, cryptogram)


def session_keys(seed: bytes) -> tuple[bytes, bytes]:
    """KSenc and KSmac of the two halves' exclusive or."""
    return _session_key(seed, 1), _session_key(seed, 2)


class Messaging:
    """What both ends of secure messaging have in common: keys, and a counter that every command and every response moves on."""

    def __init__(self, enc: bytes, mac: bytes, counter: bytes) -> None:
        self.enc, self._mac, self._counter = enc, mac, int.from_bytes(counter, "big")
        self.odd = False  # the instruction under way is odd: its data is BER-TLV and has an object of its own

    @classmethod
    def agree(cls, rnd_ifd: bytes, rnd_ic: bytes, k_ifd: bytes, k_ic: bytes) -> Self:
        """From the nonces and key halves of the two tokens."""
        enc, mac = session_keys(bytes(a ^ b for a, b in zip(k_ifd, k_ic, strict=True)))
        return cls(enc, mac, rnd_ic[4:] + rnd_ifd[4:])

    def sign(self, message: bytes) -> bytes:
        """The MAC object of a message, with the next counter."""
        self._counter = (self._counter + 1) % (1 << 64)
        return encode_object(MAC, retail_mac(self._mac, self._counter.to_bytes(8, "big") + message))

    def check(self, message: bytes, objects: dict[int, bytes]) -> None:
        """Take the MAC out of the objects. Raises StatusWord 6987 without one, 6988 for a wrong one."""
        mac = objects.pop(MAC, None)
        if mac is None:
            raise StatusWord(_MISSING)
        if not hmac.compare_digest(self.sign(message), encode_object(MAC, mac)):
            raise StatusWord(_WRONG)

    def hide(self, data: bytes) -> bytes:
        """Data as an object; nothing for no data."""
        if not data:
            return b""
        hidden = des3_encrypt(self.enc, pad(data, DES_BLOCK))
        return encode_object(DATA_ODD, hidden) if self.odd else encode_object(DATA, b"\x01" + hidden)

    def show(self, objects: dict[int, bytes]) -> bytes:
        """The data of the objects. Raises StatusWord 6988."""
        tag, start = (DATA_ODD, b"") if self.odd else (DATA, b"\x01")
        value = objects.get(tag)
        if value is None:
            return b""
        hidden = value[len(start) :]
        if value[: len(start)] != start or not hidden or len(hidden) % DES_BLOCK:
            raise StatusWord(_WRONG)
        try:
            return unpad(des3_decrypt(self.enc, hidden))
        except BadPaddingError as error:
            raise StatusWord(_WRONG) from error


class IcaoSession(Messaging):
    """The chip's end. After any error it is of no use any more: drop it."""

    def unwrap(self, apdu: Apdu) -> Apdu:
        """The plain command inside. Raises StatusWord 6987 or 6988."""
        objects = parse_objects(apdu.data)
        body = b"".join(encode_object(tag, value) for tag, value in objects.items() if tag != MAC)
        self.check(pad(apdu.header, DES_BLOCK) + body, objects)
        self.odd, wanted = bool(apdu.ins & 1), objects.get(LE)
        if not set(objects) <= {DATA_ODD if self.odd else DATA, LE} or (wanted is not None and len(wanted) not in (1, 2)):
            raise StatusWord(_WRONG)
        data = self.show(objects)
        number = None if wanted is None else int.from_bytes(wanted, "big")
        le = None if wanted is None or number is None else number or 256 ** len(wanted)
        return Apdu(0x00, apdu.ins, apdu.p1, apdu.p2, data, le, number == 0, apdu.extended)

    def wrap(self, data: bytes, status: bytes, limit: int = SHORT_LE) -> bytes:
        """The protected response. Data that does not fit into `limit` bytes is left out: 6700 instead."""
        body = self.hide(data) + encode_object(STATUS, status)
        if len(body) + MAC_OBJECT_BYTES > limit:
            return self.wrap(b"", b"\x67\x00", limit)
        return body + self.sign(body) + status


def _session_key(seed: bytes, kind: int) -> bytes:
    return with_parity(sha1(seed + bytes([0, 0, 0, kind])).digest()[:16])  # noqa: S324  the standard says SHA-1


def parse_objects(data: bytes) -> dict[int, bytes]:
    """The data objects in the order they came; each tag once. Raises StatusWord 6988."""
    found: dict[int, bytes] = {}
    while data:
        tag, length, rest = _head(data)
        if len(rest) < length or tag in found or MAC in found:
            raise StatusWord(_WRONG)
        found[tag], data = rest[:length], rest[length:]
    return found


def _head(data: bytes) -> tuple[int, int, bytes]:
    """Tag, length and what follows; lengths of one to three bytes."""
    extra = data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0
    if len(data) < 2 + extra or extra > 2 or (len(data) > 1 and data[1] == 0x80):
        raise StatusWord(_WRONG)
    length = int.from_bytes(data[2 : 2 + extra], "big") if extra else data[1]
    return data[0], length, data[2 + extra :]


def encode_object(tag: int, value: bytes) -> bytes:
    """One object; up to 65535 bytes."""
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    return bytes([tag, 0x81, size]) + value if size < 0x100 else bytes([tag, 0x82]) + size.to_bytes(2, "big") + value
