"""The chip's side of secure messaging, and a key holder with everybody's keys, for tests in this process.

That both sides read the standard in the same way proves little here; the golden vectors and hw-sim's own chips do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from controller.chips import icao
from controller.chips.apdu import Command, Response
from controller.chips.channel import Channel
from controller.chips.icao import Offer
from controller.chips.kdf import kdf, pad80, unpad80
from controller.chips.sam import KeyBlock, KeyBlocks
from controller.chips.scp03 import InitializeUpdate, Scp03Session, SessionKeys, derive
from controller.chips.tlv import tlv, tlvs
from controller.errors import DeviceAbsent, DeviceRefused
from tests.fakes.key_values import aes_cmac, aes_ecb, kcv_aes

CARD_CONTROL = bytes(range(51))
FIRST_VERSION = 0x30
PURPOSES = ("ENC", "MAC", "DEK")
CHIP_CHALLENGE = bytes(range(0x10, 0x18))
CHIP_KEY = bytes(range(0x20, 0x30))


def key_of(uid: bytes, version: int, purpose: str) -> bytes:
    """A chip's key."""
    return hashlib.sha256(f"{uid.hex()} {version} {purpose}".encode()).digest()[:16]


class BadCommandError(Exception):
    """The chip does not believe a command."""


@dataclass
class IcaoSide:
    """A chip's session under `icao`."""

    keys: icao.SessionKeys
    counter: int = 0

    def __post_init__(self) -> None:
        self.counter = int.from_bytes(self.keys.counter, "big")

    def unwrap(self, command: Command) -> Command:
        """The command inside."""
        objects = dict(tlvs(command.data))
        mac = objects.pop(0x8E, b"")
        body = b"".join(tlv(tag, value) for tag, value in objects.items())
        if command.cla & 0x0C != 0x0C or mac != self._mac(pad80(command.header, 8) + body):
            raise BadCommandError
        sealed = objects.get(0x87, b"\x01")[1:]
        data = unpad80(icao.decipher(self.keys.enc, sealed)) if sealed else b""
        le = objects.get(0x97)
        assert data is not None
        return replace(command, cla=command.cla & 0xF3, data=data, le=None if le is None else (le[0] or 256))

    def wrap(self, response: Response) -> Response:
        """The answer, protected."""
        sealed = icao.encipher(self.keys.enc, pad80(response.data, 8)) if response.data else b""
        objects = (tlv(0x87, b"\x01" + sealed) if sealed else b"") + tlv(0x99, response.sw.to_bytes(2, "big"))
        return Response(objects + tlv(0x8E, self._mac(objects)), response.sw)

    def _mac(self, message: bytes) -> bytes:
        self.counter += 1
        return icao.retail_mac(self.keys.mac, self.counter.to_bytes(8, "big") + message)


@dataclass
class Scp03Side:
    """A chip's session under `scp03`."""

    init: InitializeUpdate
    keys: SessionKeys
    level: int = 0
    chain: bytes = bytes(16)
    counter: int = -1  # EXTERNAL AUTHENTICATE is not counted

    def unwrap(self, command: Command) -> Command:
        """The command inside; the first one is EXTERNAL AUTHENTICATE, which says the level."""
        size, body = self.init.size, command.data[: -self.init.size]
        self.counter += 1
        self.chain = aes_cmac(self.keys.mac, self.chain + command.header + bytes((len(command.data),)) + body)
        if command.data[-size:] != self.chain[:size]:
            raise BadCommandError
        if self.counter and self.level & 2 and body:
            clear = unpad80(self._cbc(0).decryptor().update(body))
            assert clear is not None
            body = clear
        return replace(command, cla=command.cla & 0xFB, data=body)

    def wrap(self, response: Response) -> Response:
        """The answer, protected as the level says."""
        if not self.level & 0x10 or (response.sw != 0x9000 and response.sw >> 8 not in (0x62, 0x63)):
            return response
        data = response.data
        if data and self.level & 0x20:
            data = self._cbc(0x80).encryptor().update(pad80(data, 16))
        mac = aes_cmac(self.keys.rmac, self.chain + data + response.sw.to_bytes(2, "big"))[: self.init.size]
        return Response(data + mac, response.sw)

    def _cbc(self, top: int) -> Cipher[modes.CBC]:
        icv = aes_ecb(self.keys.enc, bytes((top,)) + self.counter.to_bytes(15, "big"))
        return Cipher(algorithms.AES(self.keys.enc), modes.CBC(icv))


def scp03_side(uid: bytes, version: int, host_challenge: bytes, own: bytes) -> Scp03Side:
    """The session that INITIALIZE UPDATE begins on a chip."""
    enc, mac = (key_of(uid, version, purpose) for purpose in PURPOSES[:2])
    init = InitializeUpdate(host_challenge, bytes(10), version, 0x70 | (len(own) == 16), own, b"", bytes(3))
    keys = derive(init, 128, partial(aes_cmac, enc), partial(aes_cmac, mac))
    cryptogram = kdf(partial(aes_cmac, keys.mac), 0, init.context, 8 * init.size)
    return Scp03Side(replace(init, card_cryptogram=cryptogram), keys)


@dataclass
class FakeSam:
    """A key holder that has the keys of every FakeCard. `trouble`: what it says instead of working."""

    trouble: str = ""
    asked: list[str] = field(default_factory=list)
    offer: Offer | None = None
    keys: tuple[bytes, bytes] = (b"", b"")
    dek: bytes = b""

    def check(self) -> None:
        """See the port."""
        if self.trouble == "sam_absent":
            raise DeviceAbsent(self.trouble, "taken out")
        if self.trouble:
            raise DeviceRefused(self.trouble, "says no")

    def begin(self, card_control: bytes, uid: bytes, challenge: bytes) -> bytes:
        """See the port."""
        self._ask("begin")
        if card_control != CARD_CONTROL:
            raise DeviceRefused("chip_refused", "another card control")
        self.keys = (key_of(uid, 0, "ENC"), key_of(uid, 0, "MAC"))
        self.offer = Offer(bytes(range(8)), challenge, bytes(range(0x40, 0x50)))
        return icao.make_token(self.offer, partial(icao.encipher, self.keys[0]), partial(icao.retail_mac, self.keys[1]))

    def finish(self, token: bytes) -> Channel:
        """See the port."""
        self._ask("finish")
        offer, self.offer = self.offer, None
        if offer is None:
            raise DeviceRefused("sam_refused", "no mutual authentication was begun")
        chip = icao.open_token(token, offer, partial(icao.decipher, self.keys[0]), partial(icao.retail_mac, self.keys[1]))
        return icao.IcaoChannel(icao.session_keys(offer, chip))

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:
        """See the port."""
        self._ask("open_scp03")
        enc, mac, self.dek = (key_of(uid, init.key_version, purpose) for purpose in PURPOSES)
        return Scp03Session(init, derive(init, 128, partial(aes_cmac, enc), partial(aes_cmac, mac)))

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        """See the port."""
        self._ask("new_keys")
        if not self.dek:
            raise DeviceRefused("sam_refused", "no session is open")
        enc, mac, dek = (self._block(key_of(uid, version, purpose)) for purpose in PURPOSES)
        return KeyBlocks(version, (enc, mac, dek))

    def close(self) -> None:
        """See the port."""
        self.offer, self.dek = None, b""

    def _block(self, key: bytes) -> KeyBlock:
        return KeyBlock(0x88, aes_cbc(self.dek).encryptor().update(key), kcv_aes(key))

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.check()


def aes_cbc(key: bytes) -> Cipher[modes.CBC]:
    """AES-CBC with ICV 0, as the DEK is used."""
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16)))
