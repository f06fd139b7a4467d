"""A SAM card, ISO 7816 with T=1, with the command set that public reader software uses (chip.md 1.2). Pure.

    | INS | P1, P2 | what | data | answer |
    |---|---|---|---|---|
    | FF | | forget session and verification | | |
    | F0 | | open it with its blob; without data: is it open? | 32 bytes | 63Cx: x tries left |
    | F7, F8, FD | | its UID, its activation, the log of activations | | 8 bytes; 01 when open; count of openings |
    | F1 | P2 01 or 00 | host token | card control of 51 or 29 bytes, UID8, challenge | 40 bytes |
    | F2 | | verify the chip's token | 40 bytes | |
    | F3, F4 | | protect a command, open a response | | the command to send; data and inner status word |
    | FA | P1 00 to 06 | automatic verification: devices/sam_verification.py | | |

The names are public, the words of refusals are not. Choices (E): 6982 before it was opened, 6983 blocked, 6985 without a session,
6300 for a chip's wrong token, 6988 for a response that is not the chip's; the last two end the session.
"""

from __future__ import annotations

import hmac
import random
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.config import BLOB_BYTES
from hwsim.devices.chip_apdu import OK, Apdu, StatusWord, parse_apdu
from hwsim.devices.chip_icao import KEY_BYTES, NONCE_BYTES, TOKEN_BYTES
from hwsim.devices.chip_keys import Masters, bac_keys
from hwsim.devices.sam_session import HostMessaging, SamSession
from hwsim.devices.sam_verification import Verification

MAX_TRIES = 3
_HISTORY = b"SAM-SIM"
_UID8_BYTES = 8
_CARD_CONTROLS = {0x01: 51, 0x00: 29}  # P2 of F1


def _contact_atr() -> bytes:
    """T=1 with the usual block size and waiting times (ISO 7816-3)."""
    body = bytes([0x80 | len(_HISTORY), 0x81, 0x31, 0xFE, 0x45]) + _HISTORY
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


ATR = _contact_atr()


@dataclass(slots=True)
class SamMemory:
    """What a SAM keeps without power."""

    uid: bytes
    blob: bytes | None = None  # that opens it; None: it is always open
    tries: int = MAX_TRIES
    openings: int = 0
    refused: int = 0  # wrong blobs that it was ever given


class SamCard:
    """One SAM (wires.vpcd.ChipCard)."""

    atr = ATR

    def __init__(self, masters: Masters, memory: SamMemory, seed: int, centre_key: bytes | None = None) -> None:
        """`centre_key`: the public key of content signatures, PEM; without one every verification fails."""
        self.masters, self.memory = masters, memory
        self._random = random.Random(seed)  # noqa: S311  of a simulated SAM, whose keys everybody knows
        self._centre_key = centre_key
        self._open = False
        self._forget()
        self._commands: dict[int, Callable[[Apdu], bytes]] = {
            0xFF: self._reset,
            0xF0: self._unlock,
            0xF7: lambda _apdu: self.memory.uid,
            0xF8: lambda _apdu: bytes([self._opened]),
            0xFD: lambda _apdu: self.memory.openings.to_bytes(2, "big"),
            0xF1: self._begin,
            0xF2: self._finish,
            0xF3: self._wrap,
            0xF4: self._unwrap,
            0xFA: self._verification,
        }

    def power(self, on: bool) -> None:
        """Switched off, it forgets its session and that it was opened."""
        if not on:
            self.reset()

    def reset(self) -> None:
        """See power."""
        self._open = False
        self._forget()

    async def apdu(self, command: bytes) -> bytes | None:
        """See ChipCard."""
        return self.transmit(command)

    def transmit(self, raw: bytes) -> bytes:
        """The response with its status word."""
        try:
            apdu = parse_apdu(raw)
            if apdu.cla != 0x00:
                raise StatusWord(0x6E00)
            command = self._commands.get(apdu.ins)
            if command is None:
                raise StatusWord(0x6D00)
            return command(apdu) + OK
        except StatusWord as refused:
            return refused.raw

    @property
    def _opened(self) -> bool:
        return self._open or self.memory.blob is None

    def _forget(self) -> None:
        self._session: SamSession | None = None
        self._verifying: Verification | None = None

    def _reset(self, _apdu: Apdu) -> bytes:
        self._forget()
        if self.memory.tries == 0:
            raise StatusWord(0x6983)
        return b""

    def _unlock(self, apdu: Apdu) -> bytes:
        memory = self.memory
        if memory.blob is None or (not apdu.data and self._open):
            return b""
        if memory.tries == 0:
            raise StatusWord(0x6983)
        if not apdu.data:
            raise StatusWord(0x63C0 | memory.tries)
        if len(apdu.data) != BLOB_BYTES:
            raise StatusWord(0x6700)
        if not hmac.compare_digest(apdu.data, memory.blob):
            memory.tries -= 1
            memory.refused += 1
            raise StatusWord(0x63C0 | memory.tries if memory.tries else 0x6983)
        memory.tries, self._open = MAX_TRIES, True
        memory.openings += 1
        return b""

    # One chip

    def _begin(self, apdu: Apdu) -> bytes:
        self._check_opened()
        self._session = None
        size = _CARD_CONTROLS.get(apdu.p2)
        if apdu.p1 or size is None:
            raise StatusWord(0x6A86)
        if len(apdu.data) != size + _UID8_BYTES + NONCE_BYTES:
            raise StatusWord(0x6700)
        control, uid, challenge = apdu.data[:size], apdu.data[size:-NONCE_BYTES], apdu.data[-NONCE_BYTES:]
        keys = bac_keys(self.masters.ektp, control, uid)
        self._session = SamSession(keys, challenge, self._random.randbytes(NONCE_BYTES + KEY_BYTES))
        return self._session.token

    def _finish(self, apdu: Apdu) -> bytes:
        self._check_opened()
        session = self._session
        if session is None or session.messaging is not None:
            raise StatusWord(0x6985)
        if len(apdu.data) != TOKEN_BYTES:
            raise StatusWord(0x6700)
        if not session.verify(apdu.data):
            self._session = None
            raise StatusWord(0x6300)
        return b""

    def _wrap(self, apdu: Apdu) -> bytes:
        messaging = self.messaging
        plain = parse_apdu(apdu.data)
        if self._verifying is not None:
            self._verifying.command(plain)
        return messaging.protect(plain)

    def _unwrap(self, apdu: Apdu) -> bytes:
        data, status = self._opened_response(apdu.data)
        return data + status

    def _opened_response(self, protected: bytes) -> tuple[bytes, bytes]:
        messaging, session = self.messaging, self._session
        self._session = None
        data, status = messaging.open(protected)  # an error ends the session: it is not taken back
        self._session = session
        if self._verifying is not None and status in (OK, b"\x62\x82"):
            self._verifying.response(data)
        return data, status

    @property
    def messaging(self) -> HostMessaging:
        """Of the session with a chip. Raises StatusWord when there is none or the SAM was not opened."""
        self._check_opened()
        if self._session is None or self._session.messaging is None:
            raise StatusWord(0x6985)
        return self._session.messaging

    def _check_opened(self) -> None:
        if not self._opened:
            raise StatusWord(0x6982 if self.memory.tries else 0x6983)

    # Automatic verification

    def _verification(self, apdu: Apdu) -> bytes:
        self._check_opened()
        if apdu.p1 == 0x00:
            self._verifying = Verification()
            return b""
        verifying = self._verifying
        if verifying is None:
            raise StatusWord(0x6985)
        if apdu.p1 == 0x02:
            self._verifying = None
        elif apdu.p1 == 0x03:
            verifying.photo(apdu.data)
        elif apdu.p1 == 0x05:
            self._opened_response(apdu.data)
        elif apdu.p1 == 0x06:
            verifying.signature(apdu.data)
        elif apdu.p1 == 0x04:
            return bytes([verifying.right(self._centre_key)])
        else:
            raise StatusWord(0x6A86)
        return b""
