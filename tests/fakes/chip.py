"""A small chip in this process: a stand-in for tests of the chip code. The station around it: `chip_station`.

The card holds its files as a chip would: bytes in EEPROM that stay when power is lost, so it can be torn at any command or
any byte. It speaks what its profile says: plainly (`ektp`), or through a secure channel (`shipped`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import pytest

from controller.chips import icao
from controller.chips.apdu import Command, Response
from controller.chips.icao import Offer
from controller.chips.profile import ChipProfile, find_profile
from controller.chips.profile_tables import LENGTH_PREFIX_BYTES, ChannelTable, Do
from controller.chips.script import drive
from controller.chips.steps import Personaliser
from controller.chips.tlv import tlv
from controller.errors import DeviceRefused
from controller.model import ChipFile
from tests.fakes.chip_sessions import (
    CARD_CONTROL,
    CHIP_CHALLENGE,
    CHIP_KEY,
    FIRST_VERSION,
    PURPOSES,
    BadCommandError,
    FakeSam,
    IcaoSide,
    Scp03Side,
    aes_cbc,
    key_of,
    scp03_side,
)
from tests.fakes.key_values import kcv_aes
from tools.pcscd import SANDBOX_VARIABLE

T = TypeVar("T")

ATR = bytes.fromhex("3B80800101")  # ISO 14443-4 without historical bytes
UID = "04A1B2C3D4E5F6"
OTHER_UID = "04FFEEDDCCBBAA"

needs_sandbox = pytest.mark.skipif(SANDBOX_VARIABLE not in os.environ, reason="needs a real pcscd: run it inside tools/sandbox")


@cache
def shipped(name: str) -> ChipProfile:
    """A shipped profile."""
    return find_profile(Path(__file__).parents[2] / "firmware_profiles" / "chips", name)


@cache
def ektp() -> ChipProfile:
    """The shipped profile without its secure channel: what is said is what is sent."""
    profile = shipped("ektp")
    return replace(
        profile,
        channel=ChannelTable("none"),
        read=replace(profile.read, block_bytes=248),
        invented=replace(profile.invented, block_bytes=240),
        steps=tuple(step for step in profile.steps if step.do is not Do.AUTHENTICATE),
    )


def at_s16(profile: ChipProfile) -> ChipProfile:
    """The same under S16."""
    channel, read = replace(profile.channel, size=16), replace(profile.read, block_bytes=223)
    return replace(profile, channel=channel, read=read, invented=replace(profile.invented, block_bytes=223))


def contents(profile: ChipProfile, size: int = 300) -> list[ChipFile]:
    """Something for every personalised file, at most `size` bytes each."""
    return [ChipFile(row.fid, bytes(at % 251 for at in range(1, min(size, row.max_bytes) + 1))) for row in profile.personalised]


def personaliser(profile: ChipProfile) -> Personaliser:
    """With a key holder that knows every FakeCard."""
    return Personaliser(profile, FakeSam(), lambda count: bytes(range(count)))


def known(card: FakeCard) -> Personaliser:
    """A conversation with a card that was identified."""
    talk = personaliser(card.profile)
    drive(talk.identify(), card.apdu)
    card.log.clear()
    return talk


class PowerLostError(Exception):
    """The card lost its power and will not answer until it is powered again."""


def tells_only_its_uid(point: str) -> None:
    """The wire of a card with other keys."""
    if point.startswith("apdu") and not point.startswith("apdu CA"):
        raise DeviceRefused("chip_refused", "authenticate: 6300")


@dataclass(slots=True)
class Faults:
    """What goes wrong; all None: nothing."""

    dies_at_apdu: int | None = None  # the nth command (from 0) is neither carried out nor answered
    mute_at_apdu: int | None = None  # the nth command is carried out but not answered
    tears_after_bytes: int | None = None  # power is lost when so many bytes were written
    answers: dict[int, str] = field(default_factory=dict)  # nth command: this answer in hex, command not carried out


@dataclass(slots=True)
class FakeCard:
    """One chip. `memory` is the truth; `apdu` raises PowerLostError when the chip dies. `log` has commands as they were meant."""

    profile: ChipProfile
    uid: str = UID
    faults: Faults = field(default_factory=Faults)
    memory: dict[int, bytearray] = field(default_factory=dict)
    log: list[Command] = field(default_factory=list)
    written_bytes: int = 0
    current: int | None = None
    powered: bool = True
    locked: bool = False
    key_version: int = FIRST_VERSION
    stored: bytes = b""  # by STORE DATA, of a DGI that is not whole
    side: IcaoSide | Scp03Side | None = None  # the secure channel
    opening: Scp03Side | None = None
    pupi: bytes = b""  # type B: what it calls itself
    wire: Callable[[str], None] = lambda _point: None  # called around every command; what it raises ends the exchange

    def __post_init__(self) -> None:
        for row in self.profile.files:
            self.memory.setdefault(row.fid, bytearray(LENGTH_PREFIX_BYTES + row.max_bytes))
        if self.profile.channel.card_control is not None:
            control = len(CARD_CONTROL).to_bytes(LENGTH_PREFIX_BYTES, "big") + CARD_CONTROL
            self.memory[self.profile.channel.card_control][: len(control)] = control

    def image(self) -> dict[int, bytes]:
        """A copy of the whole memory."""
        return {fid: bytes(cells) for fid, cells in self.memory.items()}

    def repair(self) -> None:
        """Power the card again, with no fault left."""
        self.faults, self.powered = Faults(), True
        self.reset()

    def reset(self) -> None:
        """What a chip forgets with its field."""
        self.current, self.side, self.opening, self.stored = None, None, None, b""

    def apdu(self, raw: bytes) -> bytes:
        """Carry out one command."""
        number = len(self.log)
        command = Command.decode(raw)
        self.wire(f"apdu {command.ins:02X}")
        if not self.powered or number == self.faults.dies_at_apdu:
            self.log.append(command)
            self._lose_power()
        answer = self._protected(command) if command.cla != 0xFF else self._answer(command)
        if number == self.faults.mute_at_apdu:
            self._lose_power()
        self.wire(f"apdu {command.ins:02X} answered")
        return answer.encode()

    def _protected(self, command: Command) -> Response:
        side = self.side
        if not command.cla & 0x0C:
            self.side = None  # a plain command ends the session
            return self._answer(command)
        if self.opening is not None:
            side, self.opening = self.opening, None
            side.level = command.p1
        if side is None:
            return Response(b"", 0x6988)
        try:
            inside = side.unwrap(command)
        except BadCommandError:
            self.log.append(command)
            self.side = None
            return Response(b"", 0x6982)
        answer = self._answer(inside)
        if inside.ins == 0x82:
            self.side = side
            return answer
        return side.wrap(answer)

    def _answer(self, command: Command) -> Response:
        number = len(self.log)
        self.log.append(command)
        if number in self.faults.answers:
            return Response.decode(bytes.fromhex(self.faults.answers[number]))
        return Response.decode(self._execute(command))

    def _execute(self, command: Command) -> bytes:
        if (command.cla, command.ins) == (0xFF, 0xCA):
            return (self.pupi or bytes.fromhex(self.uid)) + b"\x90\x00"
        if (command.cla, command.ins) == (0x00, 0xDD):
            return bytes.fromhex(self.uid) + b"\x90\x00" if self.pupi else b"\x6d\x00"
        if command.ins == 0xA4:
            return self._select(command)
        act = {
            0x84: self._challenge, 0x82: self._authenticate, 0x50: self._initialize, 0xE2: self._store, 0xD8: self._put_keys,
            0xF0: self._lock, 0xF2: self._status, 0x44: self._lock,
        }.get(command.ins)  # fmt: skip
        if act is not None:
            return act(command)
        if self.current is None:
            return b"\x69\x86"
        offset = command.p1 << 8 | command.p2
        row = self.profile.row(self.current)
        assert row is not None
        if command.ins == 0xB0:
            free = row.read == "free" or self._trusted
            return self._read(self.memory[self.current], offset, command.le or 0) if free else b"\x69\x82"
        if command.ins == 0xD6:
            if not self._trusted or self.locked:
                return b"\x69\x85" if self.locked else b"\x69\x82"
            return self._update(self.memory[self.current], offset, command.data)
        return b"\x6d\x00"

    @property
    def _trusted(self) -> bool:
        return self.side is not None or self.profile.channel.kind == "none"

    def _select(self, command: Command) -> bytes:
        if command.p1 == 0x04:
            self.current = None
            return b"\x90\x00"
        fid = int.from_bytes(command.data, "big")
        if fid == 0x7F0A:
            self.current = None
            state = b"\x05" if self.locked else b"\x03"
            return (tlv(0x62, tlv(0x8A, state)) if command.p2 == 4 else b"") + b"\x90\x00"
        if fid not in self.memory:
            return b"\x6a\x82"
        self.current = fid
        return b"\x90\x00"

    def _challenge(self, _command: Command) -> bytes:
        return CHIP_CHALLENGE + b"\x90\x00"

    def _authenticate(self, command: Command) -> bytes:
        if self.profile.channel.kind == "scp03":
            return b"\x90\x00"  # its MAC was right
        uid = bytes.fromhex(self.uid)
        enc, mac = key_of(uid, 0, "ENC"), key_of(uid, 0, "MAC")
        sealed, its_mac = command.data[:-8], command.data[-8:]
        host = Offer.decode(icao.decipher(enc, sealed))
        if icao.retail_mac(mac, sealed) != its_mac or host.other != CHIP_CHALLENGE:
            return b"\x63\x00"
        own = Offer(CHIP_CHALLENGE, host.own, CHIP_KEY)
        self.side = IcaoSide(icao.session_keys(host, own))
        return icao.make_token(own, partial(icao.encipher, enc), partial(icao.retail_mac, mac)) + b"\x90\x00"

    def _initialize(self, command: Command) -> bytes:
        self.opening = scp03_side(
            bytes.fromhex(self.uid), self.key_version, command.data, (CHIP_CHALLENGE * 2)[: len(command.data)]
        )
        init = self.opening.init
        head = init.diversification + bytes((init.key_version, 3, init.options))
        return head + init.card_challenge + init.card_cryptogram + init.sequence + b"\x90\x00"

    def _store(self, command: Command) -> bytes:
        if not self._trusted or self.locked:
            return b"\x69\x85" if self.locked else b"\x69\x82"
        self.stored = command.data if command.p2 == 0 else self.stored + command.data  # block 0 begins a new run
        while (whole := _first_dgi(self.stored)) is not None:
            fid, content, self.stored = whole
            self._update(self.memory[fid], LENGTH_PREFIX_BYTES, content)
            self._update(self.memory[fid], 0, len(content).to_bytes(LENGTH_PREFIX_BYTES, "big"))
        return b"\x90\x00"

    def _put_keys(self, command: Command) -> bytes:
        uid = bytes.fromhex(self.uid)
        version, at, kcvs = command.data[0], 1, b""
        for purpose in PURPOSES:
            block = command.data[at + 2 + (command.data[at + 1] % 16) : at + 2 + command.data[at + 1]]
            key = aes_cbc(key_of(uid, self.key_version, "DEK")).decryptor().update(block)
            if key != key_of(uid, version, purpose):
                return b"\x69\x82"
            kcvs += kcv_aes(key)
            at += 2 + command.data[at + 1] + 4
        self.key_version = version
        return bytes((version,)) + kcvs + b"\x90\x00"

    def _lock(self, _command: Command) -> bytes:
        if not self._trusted:
            return b"\x69\x82"
        self.locked = True
        return b"\x90\x00"

    def _status(self, _command: Command) -> bytes:
        return tlv(0xE3, tlv(0x9F70, b"\x0f" if self.locked else b"\x07")) + b"\x90\x00"

    @staticmethod
    def _read(cells: bytearray, offset: int, count: int) -> bytes:
        if offset >= len(cells):
            return b"\x6b\x00"
        data = bytes(cells[offset : offset + count])
        return data + (b"\x90\x00" if len(data) == count else b"\x62\x82")

    def _update(self, cells: bytearray, offset: int, data: bytes) -> bytes:
        if offset + len(data) > len(cells):
            return b"\x6a\x84"
        for at, byte in enumerate(data, offset):
            if self.written_bytes == self.faults.tears_after_bytes:
                self._lose_power()
            cells[at] = byte
            self.written_bytes += 1
        return b"\x90\x00"

    def _lose_power(self) -> None:
        self.powered = False
        self.reset()
        raise PowerLostError


def _first_dgi(stored: bytes) -> tuple[int, bytes, bytes] | None:
    """The first whole data grouping, and what follows it."""
    long = stored[2:3] == b"\xff"
    start = 5 if long else 3
    if len(stored) < start:
        return None
    length = int.from_bytes(stored[3:5], "big") if long else stored[2]
    if len(stored) < start + length:
        return None
    return int.from_bytes(stored[:2], "big"), stored[start : start + length], stored[start + length :]
