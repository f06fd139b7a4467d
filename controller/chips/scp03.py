"""GlobalPlatform SCP03: mutual authentication and secure messaging with AES, S8 and S16 (chip.md 3.1). Pure.

    INITIALIZE UPDATE  --InitializeUpdate-->  Sam.open_scp03  -->  Scp03Session  --authenticate(level)-->  Command, Channel

Only session keys are here: the static keys stay with the key holder, who derives `SessionKeys` with `derive`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from controller.chips.apdu import MAX_COMMAND_DATA_BYTES, MAX_EXTENDED_DATA_BYTES, Command, Response
from controller.chips.channel import Channel, broken
from controller.chips.kdf import BLOCK_BYTES, AesCmac, kdf, pad80, unpad80
from controller.errors import DeviceRefused

C_MAC, C_ENC, R_MAC, R_ENC = 0x01, 0x02, 0x10, 0x20  # bits of the security level
LEVELS = (0x00, 0x01, 0x03, 0x11, 0x13, 0x33)

_CARD_CRYPTOGRAM, _HOST_CRYPTOGRAM, _CARD_CHALLENGE, _S_ENC, _S_MAC, _S_RMAC = 0x00, 0x01, 0x02, 0x04, 0x06, 0x07
_IU_LENGTHS = {29: (8, 0), 32: (8, 3), 45: (16, 0), 48: (16, 3)}  # of the answer: challenge bytes, sequence counter bytes
_SCP = 0x03
_PROTECTED = 0x04  # in CLA: secure messaging in GlobalPlatform's manner
_RESPONSE_COUNTER = 0x80  # top byte of the counter block for an answer
_CHANNEL_BITS = 0x03  # in CLA: the logical channel
_PROTECTED_ANSWERS = (0x90, 0x61, 0x62, 0x63)  # SW1 of words that are believed with a MAC only; errors come bare
_SESSION_OVER = 0x6982

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
        return kdf(AesCmac(self._keys.mac), constant, self._init.context, 8 * self._init.size)


class Scp03Channel:
    """The host's side of secure messaging. See `Channel`."""

    def __init__(self, keys: SessionKeys, level: int, size: int) -> None:
        self._level, self._size = level, size
        self._aes = algorithms.AES(keys.enc)
        self._blocks = Cipher(self._aes, modes.ECB()).encryptor()  # noqa: S305 - counter blocks one by one, as the standard says
        self._mac, self._rmac = AesCmac(keys.mac), AesCmac(keys.rmac)
        self._chain = bytes(BLOCK_BYTES)  # the last command's whole MAC
        self._counter = 0  # commands since EXTERNAL AUTHENTICATE
        self._dead = ""

    def first(self, command: Command) -> Command:
        """EXTERNAL AUTHENTICATE: MACed whatever the level, never enciphered, and not counted."""
        return self._signed(command, command.data)

    def wrap(self, command: Command) -> Command:
        """See `Channel`."""
        if self._dead:
            raise broken(self._dead)
        self._counter += 1
        if not self._level & C_MAC:
            return command
        body = command.data
        if self._level & C_ENC and body:
            body = self._cbc(0).encryptor().update(pad80(body, BLOCK_BYTES))
        return self._signed(command, body)

    def unwrap(self, command: Command, response: Response) -> Response:  # noqa: ARG002 - the protocol's signature
        """See `Channel`. A bare error word is the card's last in this session only when it says so: 6982."""
        if self._dead:
            raise broken(self._dead)
        if response.sw == _SESSION_OVER:
            self._dead = "the card ended the session with 6982"
        if not self._level & R_MAC:
            return response
        if response.sw >> 8 not in _PROTECTED_ANSWERS:
            return Response(b"", response.sw)  # data that came with it would be unproven
        return Response(self._opened(self._proven(response)), response.sw)

    def _signed(self, command: Command, body: bytes) -> Command:
        """The command with `body` and the MAC over it. The MAC knows no logical channel; the command stays on its own."""
        total, most = len(body) + self._size, MAX_EXTENDED_DATA_BYTES if command.extended else MAX_COMMAND_DATA_BYTES
        if total > most:
            self._dead = "a command was too long"
            raise DeviceRefused("chip_refused", f"{total} bytes under SCP03; {most} fit")
        lc = b"\0" + total.to_bytes(2, "big") if command.extended else bytes((total,))
        head = bytes((command.cla & ~_CHANNEL_BITS | _PROTECTED, command.ins, command.p1, command.p2))
        self._chain = self._mac(self._chain + head + lc + body)
        data = body + self._chain[: self._size]
        return Command(command.cla | _PROTECTED, command.ins, command.p1, command.p2, data, command.le, command.extended)

    def _proven(self, response: Response) -> bytes:
        """The answer's data without its MAC."""
        data, mac = response.data[: -self._size], response.data[-self._size :]
        wanted = self._rmac(self._chain + data + response.sw.to_bytes(2, "big"))[: self._size]
        if not hmac.compare_digest(mac, wanted):
            raise self._break("an answer's MAC is wrong")
        return data

    def _opened(self, data: bytes) -> bytes:
        if not self._level & R_ENC or not data:
            return data
        clear = None
        if len(data) % BLOCK_BYTES == 0:
            clear = unpad80(self._cbc(_RESPONSE_COUNTER).decryptor().update(data))
        if clear is None:
            raise self._break("an answer's padding is wrong")
        return clear

    def _cbc(self, top: int) -> Cipher[modes.CBC]:
        """The session's cipher for the command that is counted now, or its answer."""
        icv = self._blocks.update(bytes((top,)) + self._counter.to_bytes(BLOCK_BYTES - 1, "big"))
        return Cipher(self._aes, modes.CBC(icv))

    def _break(self, why: str) -> DeviceRefused:
        self._dead = why
        return broken(why)
