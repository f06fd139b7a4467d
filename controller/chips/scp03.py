"""GlobalPlatform SCP03: mutual authentication and secure messaging with AES, S8 and S16 (chip.md 3.1). Pure.

    INITIALIZE UPDATE  --InitializeUpdate-->  Sam.open_scp03  -->  Scp03Session  --authenticate(level)-->  Command, Channel

Only session keys are here: the static keys stay with the key holder, who derives `SessionKeys` with `derive`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from controller.chips.apdu import MAX_COMMAND_DATA_BYTES, ApduError, Command, Response
from controller.chips.channel import Channel, broken
from controller.chips.kdf import BLOCK_BYTES, aes_cmac, aes_ecb, kdf, pad80, unpad80
from controller.errors import DeviceRefused

C_MAC, C_ENC, R_MAC, R_ENC = 0x01, 0x02, 0x10, 0x20  # bits of the security level
LEVELS = (0x00, 0x01, 0x03, 0x11, 0x13, 0x33)

_CARD_CRYPTOGRAM, _HOST_CRYPTOGRAM, _CARD_CHALLENGE, _S_ENC, _S_MAC, _S_RMAC = 0x00, 0x01, 0x02, 0x04, 0x06, 0x07
_IU_LENGTHS = {29: (8, 0), 32: (8, 3), 45: (16, 0), 48: (16, 3)}  # of the answer: challenge bytes, sequence counter bytes
_SCP = 0x03
_PROTECTED = 0x04  # in CLA: secure messaging in GlobalPlatform's manner
_RESPONSE_COUNTER = 0x80  # top byte of the counter block for an answer
_PROTECTED_ANSWERS = (0x9000, 0x62, 0x63)  # any other status word comes bare

Sign = Callable[[bytes], bytes]  # AES-CMAC under a key that stays where it is


@dataclass(frozen=True, slots=True)
class InitializeUpdate:
    """What both sides said in INITIALIZE UPDATE."""

    host_challenge: bytes
    diversification: bytes  # 10 bytes
    key_version: int  # of the static keys the card chose
    options: int  # `i`
    card_challenge: bytes
    card_cryptogram: bytes
    sequence: bytes = b""  # 3 bytes when the card's challenge is pseudo-random

    @classmethod
    def decode(cls, host_challenge: bytes, answer: bytes) -> InitializeUpdate:
        """The card's answer. DeviceRefused("chip_refused") when it is not one of SCP03 with challenges of this size."""
        size, counter = _IU_LENGTHS.get(len(answer), (0, 0))
        if size != len(host_challenge) or answer[11] != _SCP:
            raise DeviceRefused("chip_refused", f"INITIALIZE UPDATE: an answer of {len(answer)} bytes is not what SCP03 gives "
                                                f"to a challenge of {len(host_challenge)}")  # fmt: skip
        challenge, cryptogram = answer[13 : 13 + size], answer[13 + size : 13 + 2 * size]
        return cls(host_challenge, answer[:10], answer[10], answer[12], challenge, cryptogram, answer[len(answer) - counter :])

    @property
    def size(self) -> int:
        """Bytes of challenges, cryptograms and MACs: 8 (S8) or 16 (S16)."""
        return len(self.host_challenge)

    @property
    def context(self) -> bytes:
        """What session keys and cryptograms are derived from."""
        return self.host_challenge + self.card_challenge


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one session; worthless after it."""

    enc: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    rmac: bytes = field(repr=False)


def derive(init: InitializeUpdate, key_bits: int, sign_enc: Sign, sign_mac: Sign) -> SessionKeys:
    """Session keys with static ENC and MAC keys (`key_bits` long) of which only the signing is given."""
    context = init.context
    return SessionKeys(
        kdf(sign_enc, _S_ENC, context, key_bits), kdf(sign_mac, _S_MAC, context, key_bits),
        kdf(sign_mac, _S_RMAC, context, key_bits),
    )  # fmt: skip


def card_challenge(sign_enc: Sign, sequence: bytes, aid: bytes, size: int) -> bytes:
    """The pseudo-random challenge that a card makes from its counter and the AID of its security domain."""
    return kdf(sign_enc, _CARD_CHALLENGE, sequence + aid, 8 * size)


class Scp03Session:
    """A card that has proven itself; the host has not yet. Raises DeviceRefused("chip_refused") when the card did not."""

    def __init__(self, init: InitializeUpdate, keys: SessionKeys) -> None:
        self._init, self._keys = init, keys
        if not hmac.compare_digest(self._cryptogram(_CARD_CRYPTOGRAM), init.card_cryptogram):
            raise DeviceRefused("chip_refused", "the card's cryptogram is wrong: it has not the keys of our batch")

    def authenticate(self, level: int) -> tuple[Command, Channel]:
        """EXTERNAL AUTHENTICATE, and the channel that is open once the card has answered 9000 to it."""
        if level not in LEVELS:
            raise ValueError(f"security level {level:02X} is none of SCP03")
        channel = Scp03Channel(self._keys, level, self._init.size)
        command = Command(0x80, 0x82, level, 0, self._cryptogram(_HOST_CRYPTOGRAM))
        return channel.first(command), channel

    def _cryptogram(self, constant: int) -> bytes:
        return kdf(lambda block: aes_cmac(self._keys.mac, block), constant, self._init.context, 8 * self._init.size)


class Scp03Channel:
    """The host's side of secure messaging. See `Channel`."""

    def __init__(self, keys: SessionKeys, level: int, size: int) -> None:
        self._keys, self._level, self._size = keys, level, size
        self._chain = bytes(BLOCK_BYTES)  # the last command's whole MAC
        self._counter = 0  # commands since EXTERNAL AUTHENTICATE
        self._dead = ""

    def first(self, command: Command) -> Command:
        """EXTERNAL AUTHENTICATE: MACed whatever the level, never enciphered, and not counted."""
        return self._signed(command)

    def wrap(self, command: Command) -> Command:
        """See `Channel`."""
        if self._dead:
            raise broken(self._dead)
        self._counter += 1
        if not self._level & C_MAC:
            return command
        if self._level & C_ENC and command.data:
            sealed = _cbc(self._keys.enc, self._icv(0)).encryptor().update(pad80(command.data, BLOCK_BYTES))
            command = self._fitting(command, sealed)
        return self._signed(command)

    def unwrap(self, command: Command, response: Response) -> Response:  # noqa: ARG002 - the protocol's signature
        """See `Channel`. A bare error word is the card's last in this session only when it says so: 6982."""
        if self._dead:
            raise broken(self._dead)
        if response.sw not in _PROTECTED_ANSWERS and response.sw >> 8 not in _PROTECTED_ANSWERS:
            if response.sw == 0x6982:
                self._dead = "the card ended the session with 6982"
            return response
        if not self._level & R_MAC:
            return response
        return Response(self._opened(self._proven(response)), response.sw)

    def _signed(self, command: Command) -> Command:
        command = self._fitting(command, command.data + bytes(self._size), cla=_protected(command.cla))
        size = 2 if command.extended else 1
        lc = bytes(size == 2) + len(command.data).to_bytes(size, "big")
        body = command.data[: -self._size]
        self._chain = aes_cmac(self._keys.mac, self._chain + command.header + lc + body)
        return replace(command, data=body + self._chain[: self._size])

    def _fitting(self, command: Command, data: bytes, cla: int | None = None) -> Command:
        try:
            return replace(command, data=data, cla=command.cla if cla is None else cla)
        except ApduError as error:
            self._dead = "a command was too long"
            raise DeviceRefused("chip_refused", f"{len(data)} bytes under SCP03; {MAX_COMMAND_DATA_BYTES} fit") from error

    def _proven(self, response: Response) -> bytes:
        """The answer's data without its MAC."""
        data, mac = response.data[: -self._size], response.data[-self._size :]
        wanted = aes_cmac(self._keys.rmac, self._chain + data + response.sw.to_bytes(2, "big"))[: self._size]
        if not hmac.compare_digest(mac, wanted):
            self._dead = "an answer's MAC is wrong"
            raise broken(self._dead)
        return data

    def _opened(self, data: bytes) -> bytes:
        if not self._level & R_ENC or not data:
            return data
        clear = None
        if len(data) % BLOCK_BYTES == 0:
            clear = unpad80(_cbc(self._keys.enc, self._icv(_RESPONSE_COUNTER)).decryptor().update(data))
        if clear is None:
            self._dead = "an answer's padding is wrong"
            raise broken(self._dead)
        return clear

    def _icv(self, top: int) -> bytes:
        return aes_ecb(self._keys.enc, bytes((top,)) + self._counter.to_bytes(BLOCK_BYTES - 1, "big"))


def _protected(cla: int) -> int:
    """CLA with the secure messaging bit, on the basic logical channel."""
    return cla & 0xFC | _PROTECTED


def _cbc(key: bytes, icv: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(icv))
