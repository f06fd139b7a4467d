"""What every simulated printer has on its USB cable: descriptors, the requests of the printer class, replies, and being busy."""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

from hwsim.clock import Clock
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.replies import ReplyTricks
from hwsim.exchanges import Exchanges
from hwsim.wires.usbip import PrinterDescriptors, Setup, Stall

FULL_SPEED, MAX_PACKET_BYTES = 2, 64
HANG_UP_S = 0.05  # wall clock: the end of a killed host's connection has come through, and its transfers are cancelled
READY, BUSY = 0x18, 0x08
_DEVICE_ID, _PORT_STATUS = (0xA1, 0), (0xA1, 1)
_SOFT_RESET = {(0x21, 2), (0x23, 2)}  # the second by an old misprint of the class document, and in use


class Spoken(Protocol):
    """Something that the printer was told; `text` never holds data."""

    @property
    def text(self) -> str:
        """Name and parameters."""


class UsbPrinter(ABC):
    """One printer. `run` is its own life: start it at power-on, cancel it at power-off."""

    speed = FULL_SPEED
    vendor_id: int
    product_id: int

    def __init__(self, mechanics: Mechanics, clock: Clock, exchanges: Exchanges, end_of_reply: bytes = b"\0") -> None:
        self.mechanics = mechanics
        self._clock, self._exchanges = clock, exchanges
        self.replies = ReplyTricks(end_of_reply)
        self.on_command: list[Callable[[Spoken], None]] = []  # told of each command before it is executed
        self.stalls = 0  # so many next bulk OUT transfers stall
        self.shown_status: int | None = None  # a port status that a test chose
        self._nak_until_s = 0.0  # on the event loop's clock
        self._resets = 0  # how often the buffers were lost

    # What a family does in its own way

    @abstractmethod
    async def run(self) -> None:
        """Live until the power goes (cancelled). Starts with everything forgotten that needs power."""

    @abstractmethod
    def cut_power(self) -> None:
        """The power goes: nothing moves from this moment on, and what needs power is forgotten."""

    @abstractmethod
    def descriptors(self) -> PrinterDescriptors:
        """All descriptors."""

    @abstractmethod
    def device_id(self) -> str:
        """The IEEE 1284 text."""

    @property
    @abstractmethod
    def machine_status(self) -> int:
        """The port status, as far as the machine decides it."""

    @property
    @abstractmethod
    def busy(self) -> bool:
        """Whether it acts on something or is about to."""

    @abstractmethod
    def becomes(self, words: Mapping[str, str]) -> None:
        """Another unit, or the same with other firmware: what it says of its `model`, `serial`, `firmware`."""

    @abstractmethod
    def adjust(self, name: str, value: str) -> None:
        """Somebody turned a setting of the unit, named as in the profile. Raises SimError."""

    @abstractmethod
    async def take(self, data: bytes) -> None:
        """What the host sends on bulk OUT; awaiting is NAK."""

    @abstractmethod
    def forget_buffers(self) -> None:
        """Lose what lies in the buffers for what the host sends."""

    # The USB device (wires.usbip.UsbDevice)

    def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
        """See wires.usbip.UsbDevice."""
        return self.descriptors().get(kind, index, language)

    async def control(self, setup: Setup, _data: bytes) -> bytes:
        """The three requests of the printer class."""
        request = setup.request_type, setup.request
        if request == _DEVICE_ID:
            text = self.device_id().encode("latin-1", "replace")
            return struct.pack(">H", len(text) + 2) + text
        if request == _PORT_STATUS:
            return bytes([self.port_status])
        if (setup.request_type & 0x7F, setup.request) in _SOFT_RESET:
            self.bus_reset()
            return b""
        raise Stall

    @property
    def port_status(self) -> int:
        """As printers.md 2 says; 08 while it takes no data."""
        if self.shown_status is not None:
            return self.shown_status
        return BUSY if self._naks() else self.machine_status

    async def bulk_out(self, _endpoint: int, data: bytes) -> None:
        """Take all of it, or NAK, or stall."""
        if self.stalls:
            self.stalls -= 1
            raise Stall
        if self._naks():
            await asyncio.sleep(self._nak_until_s - asyncio.get_running_loop().time())
        await self.take(data)

    async def bulk_in(self, _endpoint: int, length: int) -> bytes:
        """The next piece of a reply, awaited. What happens after it happens when the wire has sent it."""
        label = await self.replies.wait()
        number, disturbed = self._exchanges.begin("usb", f"< {label}")
        if disturbed:
            await asyncio.sleep(HANG_UP_S)
            await self.replies.wait()
        asyncio.get_running_loop().call_soon(self._exchanges.end, "usb", number)
        return self.replies.take(length)

    def configured(self) -> None:
        """Nothing happens: a host that looks again finds the printer as it was."""
        return

    def detached(self) -> None:
        """Nothing happens: a device does not notice that its host let go."""
        return

    def bus_reset(self) -> None:
        """What lies in the USB buffers is lost."""
        self._resets += 1
        self.replies.flush()
        self.forget_buffers()

    def hold(self, seconds: float) -> None:
        """It takes no data for so long, wall clock."""
        self._nak_until_s = asyncio.get_running_loop().time() + seconds

    def _naks(self) -> bool:
        return self._nak_until_s > 0 and asyncio.get_running_loop().time() < self._nak_until_s
