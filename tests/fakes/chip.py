"""A small ISO 7816 card in this process, and a chip station around it: stand-ins for tests of the chip code.

The card holds its files as a chip would: bytes in EEPROM that stay when power is lost, so it can be torn at any command or
any byte. `FakeChipStation` is the port in memory; `WiredCard` lets the same card lie in vpcd's slot, under a real pcscd.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.chips.apdu import Command
from controller.chips.profile import LENGTH_PREFIX_BYTES, ChipProfile, find_profile
from controller.chips.script import drive, for_chip, identify, read_files, write_files
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.model import ChipFile, ChipSight
from hwsim.wires.vpcd import CardDied
from tools.pcscd import SANDBOX_VARIABLE

ATR = bytes.fromhex("3B80800101")  # ISO 14443-4 without historical bytes
UID = "04A1B2C3D4E5F6"
OTHER_UID = "04FFEEDDCCBBAA"

needs_sandbox = pytest.mark.skipif(SANDBOX_VARIABLE not in os.environ, reason="needs a real pcscd: run it inside tools/sandbox")


def ektp() -> ChipProfile:
    """The shipped profile."""
    return find_profile(Path(__file__).parents[2] / "firmware_profiles" / "chips", "ektp")


def contents(profile: ChipProfile, size: int = 300) -> list[ChipFile]:
    """Something for every personalised file, at most `size` bytes each."""
    return [ChipFile(row.fid, bytes(at % 251 for at in range(1, min(size, row.max_bytes) + 1))) for row in profile.personalised]


class PowerLostError(Exception):
    """The card lost its power and will not answer until it is powered again."""


@dataclass(slots=True)
class Faults:
    """What goes wrong; all None: nothing."""

    dies_at_apdu: int | None = None  # the nth command (from 0) is neither carried out nor answered
    mute_at_apdu: int | None = None  # the nth command is carried out but not answered
    tears_after_bytes: int | None = None  # power is lost when so many bytes were written
    answers: dict[int, str] = field(default_factory=dict)  # nth command: this answer in hex, command not carried out


@dataclass(slots=True)
class FakeCard:
    """One chip. `memory` is the truth; `apdu` raises PowerLostError when the chip dies."""

    profile: ChipProfile
    uid: str = UID
    faults: Faults = field(default_factory=Faults)
    memory: dict[int, bytearray] = field(default_factory=dict)
    log: list[Command] = field(default_factory=list)
    written_bytes: int = 0
    current: int | None = None
    powered: bool = True
    wire: Callable[[str], None] = lambda _point: None  # called around every command; what it raises ends the exchange

    def __post_init__(self) -> None:
        for row in self.profile.files:
            self.memory.setdefault(row.fid, bytearray(LENGTH_PREFIX_BYTES + row.max_bytes))

    def image(self) -> dict[int, bytes]:
        """A copy of the whole memory."""
        return {fid: bytes(cells) for fid, cells in self.memory.items()}

    def repair(self) -> None:
        """Power the card again, with no fault left."""
        self.faults, self.powered, self.current = Faults(), True, None

    def apdu(self, raw: bytes) -> bytes:
        """Carry out one command."""
        number = len(self.log)
        command = Command.decode(raw)
        self.wire(f"apdu {command.ins:02X}")
        self.log.append(command)
        if not self.powered or number == self.faults.dies_at_apdu:
            self._lose_power()
        if number in self.faults.answers:
            return bytes.fromhex(self.faults.answers[number])
        answer = self._execute(command)
        if number == self.faults.mute_at_apdu:
            self._lose_power()
        self.wire(f"apdu {command.ins:02X} answered")
        return answer

    def _execute(self, command: Command) -> bytes:
        if (command.cla, command.ins) == (0xFF, 0xCA):
            return bytes.fromhex(self.uid) + b"\x90\x00"
        if command.ins == 0xA4:
            return self._select(int.from_bytes(command.data, "big"))
        if self.current is None:
            return b"\x69\x86"
        offset = command.p1 << 8 | command.p2
        if command.ins == 0xB0:
            return self._read(self.memory[self.current], offset, command.le or 0)
        if command.ins == 0xD6:
            return self._update(self.memory[self.current], offset, command.data)
        return b"\x6d\x00"

    def _select(self, fid: int) -> bytes:
        if fid == 0x7F0A:
            self.current = None
            return b"\x90\x00"
        if fid not in self.memory:
            return b"\x6a\x82"
        self.current = fid
        return b"\x90\x00"

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
        self.powered, self.current = False, None
        raise PowerLostError


class FakeChipStation:
    """The ChipStation port over a FakeCard in memory. `card` is what lies in the field; None: nothing does.

    `absent` is the condition for which the reader cannot be asked (pcscd killed, reader unplugged); setting it drops the card.
    """

    def __init__(self, profile: ChipProfile) -> None:
        self._profile = profile
        self._taken: tuple[FakeCard, str] | None = None
        self._absent = ""
        self.card: FakeCard | None = None

    @property
    def absent(self) -> str:
        """Why the reader cannot be asked; empty: it can."""
        return self._absent

    @absent.setter
    def absent(self, condition: str) -> None:
        self._absent = condition
        self.drop()

    def drop(self) -> None:
        """The connection to the card is lost, and with it the card's power."""
        self._taken = None
        if self.card is not None:
            self.card.current = None

    async def check(self) -> None:
        """See the port."""
        if self._absent:
            raise DeviceAbsent(self._absent, "not there")

    async def identify(self, deadline: Deadline) -> ChipSight:
        """See the port; does not wait: no card now is no card."""
        self._taken = None
        await self.check()
        card = self.card
        try:
            if card is None:
                raise PowerLostError
            sight = drive(identify(self._profile), card.apdu)
        except PowerLostError as error:
            raise DeviceRefused("chip_silent", "no card answered") from error
        self._taken = (card, sight.uid)
        return sight

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        """See the port."""
        card, uid = self._session()
        try:
            drive(for_chip(self._profile, uid, write_files(self._profile, files)), card.apdu)
        except PowerLostError as error:
            raise self._lost() from error

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """See the port."""
        card, uid = self._session()
        try:
            return drive(for_chip(self._profile, uid, read_files(self._profile, fids)), card.apdu)
        except PowerLostError as error:
            raise self._lost() from error

    async def release(self) -> None:
        """See the port."""
        self._taken = None

    async def close(self) -> None:
        """See the port."""
        self._taken = None

    def _session(self) -> tuple[FakeCard, str]:
        if self._taken is None:
            raise DeviceUnknown("reader_lost", "no card is held")
        if self._taken[0] is not self.card:
            raise self._lost()
        return self._taken

    def _lost(self) -> DeviceUnknown:
        self._taken = None
        return DeviceUnknown("chip_silent", "the card is gone")


class WiredCard:
    """A FakeCard as `hwsim.wires.vpcd.VpcdSlot` holds it: the same chip under a real pcscd."""

    atr = ATR

    def __init__(self, card: FakeCard) -> None:
        self._card = card
        self._answering = asyncio.Event()
        self._answering.set()
        self.asked = asyncio.Event()  # a command has come since `hang`

    def hang(self) -> None:
        """Answer no further command."""
        self._answering.clear()
        self.asked.clear()

    def resume(self) -> None:
        """Answer the command that waits, and all later ones."""
        self._answering.set()

    def power(self, on: bool) -> None:
        """Losing the field loses the selected file, never the memory."""
        self._card.current = None

    def reset(self) -> None:
        """As `power`."""
        self._card.current = None

    async def apdu(self, command: bytes) -> bytes:
        """The card's answer, not before `resume` when it hangs."""
        self.asked.set()
        await self._answering.wait()
        try:
            return self._card.apdu(command)
        except PowerLostError as error:
            raise CardDied from error
