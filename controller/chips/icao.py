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

from controller.chips.apdu import MAX_ANSWER_DATA_BYTES, MAX_EXTENDED_ANSWER_BYTES, ApduError, Command, Response
from controller.chips.channel import broken
from controller.chips.kdf import pad80, unpad80
from controller.chips.status_words import meaning_of
from controller.chips.tlv import TlvError, tlv, tlvs
from controller.errors import DeviceRefused

BLOCK_BYTES = 8
KEY_BYTES = 16  # 2-key 3DES
CHALLENGE_BYTES = 8

_PROTECTED = 0x0C  # in CLA: secure messaging, header authenticated
_DATA, _ODD_DATA, _LE, _STATUS, _MAC = 0x87, 0x85, 0x97, 0x99, 0x8E
_PLAIN_CONTENT = b"\x01"  # in DO87: what follows is padded
_MAC_OBJECT_BYTES = 10  # DO8E, the last of every answer

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


class Des3:
    """2-key 3DES under one key. Made once, used often."""

    def __init__(self, key: bytes) -> None:
        algorithm = TripleDES((key * 2)[:24])  # K1 K2 K1
        self._cbc = Cipher(algorithm, modes.CBC(bytes(BLOCK_BYTES)))
        self._ecb = Cipher(algorithm, modes.ECB()).encryptor()  # noqa: S305 - the last step of a MAC

    def encipher(self, clear: bytes) -> bytes:
        """CBC with ICV 0 of whole blocks."""
        return self._cbc.encryptor().update(clear)

    def decipher(self, sealed: bytes) -> bytes:
        """The inverse of `encipher`."""
        return self._cbc.decryptor().update(sealed)

    def block(self, clear: bytes) -> bytes:
        """One block by itself."""
        return self._ecb.update(clear)


class RetailMac:
    """ISO 9797-1 MAC algorithm 3 with DES, padding method 2, under one key."""

    def __init__(self, key: bytes) -> None:
        self._single, self._whole = Des3(key[:BLOCK_BYTES] * 2), Des3(key)  # two equal halves: single DES

    def __call__(self, message: bytes) -> bytes:
        """The 8 bytes of a message."""
        padded = pad80(message, BLOCK_BYTES)
        chained = self._single.encipher(padded[:-BLOCK_BYTES])[-BLOCK_BYTES:]
        last = int.from_bytes(chained, "big") ^ int.from_bytes(padded[-BLOCK_BYTES:], "big")
        return self._whole.block(last.to_bytes(BLOCK_BYTES, "big"))


def encipher(key: bytes, clear: bytes) -> bytes:
    """3DES-CBC with ICV 0 of whole blocks, once."""
    return Des3(key).encipher(clear)


def decipher(key: bytes, sealed: bytes) -> bytes:
    """The inverse of `encipher`."""
    return Des3(key).decipher(sealed)


def retail_mac(key: bytes, message: bytes) -> bytes:
    """The retail MAC of a message, once."""
    return RetailMac(key)(message)


class IcaoChannel:
    """The host's side of secure messaging. See `Channel`."""

    def __init__(self, keys: SessionKeys) -> None:
        self._cipher, self._retail_mac = Des3(keys.enc), RetailMac(keys.mac)
        self._counter = int.from_bytes(keys.counter, "big")
        self._dead = ""

    def wrap(self, command: Command) -> Command:
        """See `Channel`."""
        if self._dead:
            raise broken(self._dead)
        cla = command.cla & 0xF3 | _PROTECTED
        header = bytes((cla, command.ins, command.p1, command.p2))
        objects = self._data(command) + (b"" if command.le is None else tlv(_LE, _le(command)))
        objects += tlv(_MAC, self._mac(pad80(header, BLOCK_BYTES) + objects))
        le = MAX_EXTENDED_ANSWER_BYTES if command.extended else MAX_ANSWER_DATA_BYTES
        try:
            return Command(cla, command.ins, command.p1, command.p2, objects, le, command.extended)
        except ApduError as error:
            self._dead = "a command was too long"
            raise DeviceRefused("chip_refused", f"{len(command.data)} bytes of data do not fit under secure messaging") from error

    def unwrap(self, command: Command, response: Response) -> Response:
        """See `Channel`. An error word without protection is the chip's way to end the session: it is passed on."""
        if self._dead:
            raise broken(self._dead)
        if not response.data and not meaning_of(response.sw).success:
            self._dead = f"the chip ended the session with {response.sw:04X}"
            return response
        proven, mac = response.data[:-_MAC_OBJECT_BYTES], response.data[-_MAC_OBJECT_BYTES:]
        if not hmac.compare_digest(mac, tlv(_MAC, self._mac(proven))):
            raise self._break("an answer's MAC is wrong")
        try:
            objects = dict(tlvs(proven))
        except TlvError as error:
            raise self._break("an answer is not made of data objects") from error
        status = objects.get(_STATUS, b"")
        if len(status) != 2:
            raise self._break("an answer has no status word inside")
        return Response(self._opened(command, objects), int.from_bytes(status, "big"))

    def _data(self, command: Command) -> bytes:
        if not command.data:
            return b""
        sealed = self._cipher.encipher(pad80(command.data, BLOCK_BYTES))
        return tlv(_ODD_DATA, sealed) if command.ins & 1 else tlv(_DATA, _PLAIN_CONTENT + sealed)

    def _opened(self, command: Command, objects: dict[int, bytes]) -> bytes:
        """The clear data; an answer without any has no object for it."""
        tag, start = (_ODD_DATA, b"") if command.ins & 1 else (_DATA, _PLAIN_CONTENT)
        if tag not in objects:
            return b""
        sealed, clear = objects[tag].removeprefix(start), None
        if objects[tag].startswith(start) and sealed and len(sealed) % BLOCK_BYTES == 0:
            clear = unpad80(self._cipher.decipher(sealed))
        if clear is None:
            raise self._break("an answer's padding is wrong")
        return clear

    def _mac(self, message: bytes) -> bytes:
        """The counter goes up by one with every command and with every answer."""
        self._counter = (self._counter + 1) % (1 << 8 * BLOCK_BYTES)
        return self._retail_mac(self._counter.to_bytes(BLOCK_BYTES, "big") + message)

    def _break(self, why: str) -> DeviceRefused:
        self._dead = why
        return broken(why)


def _le(command: Command) -> bytes:
    assert command.le is not None
    if command.extended:
        return (command.le % MAX_EXTENDED_ANSWER_BYTES).to_bytes(2, "big")
    return bytes((command.le % MAX_ANSWER_DATA_BYTES,))


def _odd_parity(key: bytes) -> bytes:
    return bytes(byte & 0xFE | (byte & 0xFE).bit_count() % 2 ^ 1 for byte in key)
