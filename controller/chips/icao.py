"""ICAO 9303-11: mutual authentication in the shape of BAC, and secure messaging with 3DES (chip.md 4.1, 4.2). Pure.

Whoever holds Kenc and Kmac (a SAM, a token, a chip of a test) makes and opens the 40-byte tokens; both sides then have an
`IcaoChannel`. A token that keeps its keys inside gives `seal` and `mac` instead of keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from controller.chips.apdu import MAX_ANSWER_DATA_BYTES, ApduError, Command, Response
from controller.chips.channel import broken
from controller.chips.kdf import pad80, unpad80
from controller.chips.tlv import TlvError, tlv, tlvs
from controller.errors import DeviceRefused

BLOCK_BYTES = 8
KEY_BYTES = 16  # 2-key 3DES
CHALLENGE_BYTES = 8

_PROTECTED = 0x0C  # in CLA: secure messaging, header authenticated
_DATA, _ODD_DATA, _LE, _STATUS, _MAC = 0x87, 0x85, 0x97, 0x99, 0x8E
_PLAIN_CONTENT = b"\x01"  # in DO87: what follows is padded

Transform = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Offer:
    """What one side says in the mutual authentication: its challenge, the other's, and its half of the session's key."""

    own: bytes
    other: bytes
    key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The 32 bytes that are enciphered."""
        return self.own + self.other + self.key

    @classmethod
    def decode(cls, clear: bytes) -> Offer:
        """The offer in 32 deciphered bytes."""
        return cls(clear[:CHALLENGE_BYTES], clear[CHALLENGE_BYTES : 2 * CHALLENGE_BYTES], clear[2 * CHALLENGE_BYTES :])


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one session and its send sequence counter at the start; worthless after it."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    counter: bytes


def make_token(offer: Offer, encipher: Transform, mac: Transform) -> bytes:
    """The 40 bytes for the other side. `encipher`: 3DES-CBC under Kenc, ICV 0; `mac`: retail MAC under Kmac, with its padding."""
    sealed = encipher(offer.encode())
    return sealed + mac(sealed)


def open_token(token: bytes, own: Offer, decipher: Transform, mac: Transform) -> Offer:
    """What the chip offers in its token. DeviceRefused("chip_refused") when it does not prove that it has the keys."""
    sealed, its_mac = token[:-BLOCK_BYTES], token[-BLOCK_BYTES:]
    if len(token) != 40 or not hmac.compare_digest(mac(sealed), its_mac):
        raise DeviceRefused("chip_refused", "the chip's token is wrong: it has not the keys of our batch")
    offer = Offer.decode(decipher(sealed))
    if (offer.own, offer.other) != (own.other, own.own):
        raise DeviceRefused("chip_refused", "the chip's token answers another challenge")
    return offer


def session_keys(host: Offer, chip: Offer) -> SessionKeys:
    """What both sides have after the exchange."""
    seed = bytes(a ^ b for a, b in zip(host.key, chip.key, strict=True))
    return SessionKeys(derive(seed, 1), derive(seed, 2), chip.own[4:] + host.own[4:])


def derive(seed: bytes, number: int) -> bytes:
    """A 2-key 3DES key from a seed: 1 enciphers, 2 makes MACs (ICAO 9303-11, 9.7.1)."""
    return _odd_parity(hashlib.sha1(seed + number.to_bytes(4, "big"), usedforsecurity=False).digest()[:KEY_BYTES])


def encipher(key: bytes, clear: bytes) -> bytes:
    """3DES-CBC with ICV 0 of whole blocks."""
    return _cbc(key).encryptor().update(clear)


def decipher(key: bytes, sealed: bytes) -> bytes:
    """The inverse of `encipher`."""
    return _cbc(key).decryptor().update(sealed)


def retail_mac(key: bytes, message: bytes) -> bytes:
    """ISO 9797-1 MAC algorithm 3 with DES, padding method 2."""
    first, second = key[:BLOCK_BYTES], key[BLOCK_BYTES:]
    padded = pad80(message, BLOCK_BYTES)
    chained = encipher(first * 2, padded)[-BLOCK_BYTES:]  # two equal halves: single DES
    return encipher(first * 2, decipher(second * 2, chained))


class IcaoChannel:
    """The host's side of secure messaging. See `Channel`."""

    def __init__(self, keys: SessionKeys) -> None:
        self._keys = keys
        self._counter = int.from_bytes(keys.counter, "big")
        self._dead = ""

    def wrap(self, command: Command) -> Command:
        """See `Channel`."""
        if self._dead:
            raise broken(self._dead)
        header = bytes((command.cla & 0xF3 | _PROTECTED, command.ins, command.p1, command.p2))
        objects = self._data(command) + (b"" if command.le is None else tlv(_LE, _le(command)))
        objects += tlv(_MAC, self._mac(pad80(header, BLOCK_BYTES) + objects))
        le = MAX_ANSWER_DATA_BYTES if not command.extended else MAX_ANSWER_DATA_BYTES**2
        try:
            return Command(header[0], command.ins, command.p1, command.p2, objects, le, command.extended)
        except ApduError as error:
            self._dead = "a command was too long"
            raise DeviceRefused("chip_refused", f"{len(command.data)} bytes of data do not fit under secure messaging") from error

    def unwrap(self, command: Command, response: Response) -> Response:
        """See `Channel`. An answer without protection is the chip's way to end the session: its status word is passed on."""
        if self._dead:
            raise broken(self._dead)
        if not response.data and response.sw != 0x9000:
            self._dead = f"the chip ended the session with {response.sw:04X}"
            return response
        try:
            objects = dict(tlvs(response.data))
        except TlvError as error:
            raise self._break("an answer is not made of data objects") from error
        mac = objects.pop(_MAC, b"")
        proven = b"".join(tlv(tag, value) for tag, value in objects.items())
        if not response.data.startswith(proven) or not hmac.compare_digest(mac, self._mac(proven)):
            raise self._break("an answer's MAC is wrong")
        status = objects.get(_STATUS, b"")
        if len(status) != 2:
            raise self._break("an answer has no status word inside")
        return Response(self._opened(command, objects), int.from_bytes(status, "big"))

    def _data(self, command: Command) -> bytes:
        if not command.data:
            return b""
        sealed = encipher(self._keys.enc, pad80(command.data, BLOCK_BYTES))
        return tlv(_ODD_DATA, sealed) if command.ins & 1 else tlv(_DATA, _PLAIN_CONTENT + sealed)

    def _opened(self, command: Command, objects: dict[int, bytes]) -> bytes:
        sealed = objects.get(_ODD_DATA) if command.ins & 1 else objects.get(_DATA, _PLAIN_CONTENT)[1:]
        if not sealed:
            return b""
        clear = unpad80(decipher(self._keys.enc, sealed)) if len(sealed) % BLOCK_BYTES == 0 else None
        if clear is None:
            raise self._break("an answer's padding is wrong")
        return clear

    def _mac(self, message: bytes) -> bytes:
        """The counter goes up by one with every command and with every answer."""
        self._counter = (self._counter + 1) % (1 << 8 * BLOCK_BYTES)
        return retail_mac(self._keys.mac, self._counter.to_bytes(BLOCK_BYTES, "big") + message)

    def _break(self, why: str) -> DeviceRefused:
        self._dead = why
        return broken(why)


def _le(command: Command) -> bytes:
    assert command.le is not None
    return (command.le % 65_536).to_bytes(2, "big") if command.extended else bytes((command.le % MAX_ANSWER_DATA_BYTES,))


def _odd_parity(key: bytes) -> bytes:
    return bytes(byte & 0xFE | (byte & 0xFE).bit_count() % 2 ^ 1 for byte in key)


def _cbc(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(TripleDES((key * 2)[:24]), modes.CBC(bytes(BLOCK_BYTES)))  # K1 K2 K1
