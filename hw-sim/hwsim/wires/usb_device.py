"""What a simulated USB device offers its wire, and the standard requests that the wire answers for it (USB 2.0 chapter 9.4).

Class and vendor requests go to the device; so does everything on the bulk endpoints.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hwsim.wires.usb_descriptors import CONFIGURATION, DEVICE, ConfigurationShape, DeviceIdentity, identity, shape

_SETUP = struct.Struct("<BBHHH")
_STANDARD = 0x60  # the type bits of bmRequestType: 0 is standard
_ENDPOINT_HALT = 0


class Stall(Exception):
    """The device refuses the transfer; a bulk endpoint then stays halted until the host clears it."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The setup packet of a control transfer."""

    request_type: int
    request: int
    value: int
    index: int
    length: int
    """Bytes that follow (OUT) or that the host has room for (IN)."""

    @classmethod
    def decode(cls, packet: bytes) -> Setup:
        """Read the eight bytes of a setup packet."""
        return cls(*_SETUP.unpack(packet))

    @property
    def standard(self) -> bool:
        """Whether USB itself defines the request, as against a class or a vendor."""
        return self.request_type & _STANDARD == 0


class UsbDevice(Protocol):
    """A device as the wire sees it. Transfers on one endpoint come one at a time, in order; endpoints do not wait for each other.

    A transfer is cancelled (CancelledError at its await) when the host unlinks it or the cable goes.
    """

    vendor_id: int
    product_id: int
    speed: int
    """2 full speed, 3 high speed."""

    def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
        """The whole descriptor: device 1, configuration 2, string 3. None stalls the request."""

    async def control(self, setup: Setup, data: bytes) -> bytes:
        """A class or vendor request; the answer is cut to what the host has room for. May raise Stall."""

    async def bulk_out(self, endpoint: int, data: bytes) -> None:
        """Data from the host: returning accepts all of it, awaiting is NAK, Stall refuses it."""

    async def bulk_in(self, endpoint: int, length: int) -> bytes:
        """At most `length` bytes for the host, awaited until there are some; b"" is a zero-length packet. May raise Stall."""

    def configured(self) -> None:
        """A host took the device (import) or chose its configuration anew. No transfer is pending."""

    def detached(self) -> None:
        """The host let go or the cable went. Every pending transfer has been cancelled."""


class StandardRequests:
    """The control side of one device while one host has it: its configuration and its halted endpoints."""

    def __init__(self, device: UsbDevice) -> None:
        """Start configured, as a device behind a kernel's usbipd is: the exporting host chose the first configuration."""
        self._device = device
        self._shape = first_configuration(device)
        self._configuration = self._shape.value
        self._halted: set[int] = set()
        self._answers: dict[tuple[int, int], Callable[[Setup], bytes]] = {
            (0x80, 0): self._device_status,
            (0x81, 0): lambda _: b"\0\0",
            (0x82, 0): self._endpoint_status,
            (0x02, 1): self._clear_halt,
            (0x02, 3): self._set_halt,
            (0x00, 5): lambda _: b"",  # the address belongs to the host controller in between, which is the wire
            (0x80, 6): self._descriptor,
            (0x80, 8): lambda _: bytes((self._configuration,)),
            (0x00, 9): self._set_configuration,
            (0x81, 10): lambda _: b"\0",
            (0x01, 11): self._set_interface,
        }

    def answer(self, setup: Setup) -> bytes:
        """Answer a standard request, not yet cut to the host's length. Raises Stall for what USB or the device does not know."""
        handler = self._answers.get((setup.request_type, setup.request))
        if handler is None:
            raise Stall
        return handler(setup)

    def has(self, address: int) -> bool:
        """Whether the endpoint exists in the chosen configuration."""
        return self._configuration == self._shape.value and address in self._shape.endpoints

    def halted(self, address: int) -> bool:
        """Whether the endpoint stalled and was not cleared since."""
        return address in self._halted

    def halt(self, address: int) -> None:
        """The endpoint stalled."""
        self._halted.add(address)

    def _device_status(self, _setup: Setup) -> bytes:
        return bytes((int(self._shape.self_powered), 0))

    def _endpoint_status(self, setup: Setup) -> bytes:
        return bytes((int(self._existing(setup) in self._halted), 0))

    def _clear_halt(self, setup: Setup) -> bytes:
        self._halted.discard(self._haltable(setup))
        return b""

    def _set_halt(self, setup: Setup) -> bytes:
        self._halted.add(self._haltable(setup))
        return b""

    def _haltable(self, setup: Setup) -> int:
        if setup.value != _ENDPOINT_HALT or setup.index & 0x7F == 0:
            raise Stall
        return self._existing(setup)

    def _existing(self, setup: Setup) -> int:
        if setup.index & 0x7F != 0 and not self.has(setup.index):
            raise Stall
        return setup.index

    def _descriptor(self, setup: Setup) -> bytes:
        found = self._device.descriptor(setup.value >> 8, setup.value & 0xFF, setup.index)
        if found is None:
            raise Stall
        return found

    def _set_configuration(self, setup: Setup) -> bytes:
        if setup.value not in (0, self._shape.value):
            raise Stall
        self._configuration = setup.value
        self._halted.clear()
        if setup.value != 0:
            self._device.configured()
        return b""

    def _set_interface(self, setup: Setup) -> bytes:
        if setup.value != 0 or setup.index >= len(self._shape.interfaces):
            raise Stall
        self._halted.clear()
        return b""


def device_identity(device: UsbDevice) -> DeviceIdentity:
    """Read the device descriptor; a device without one is a mistake in the simulator."""
    return identity(_required(device, DEVICE))


def first_configuration(device: UsbDevice) -> ConfigurationShape:
    """Read the first configuration; a device without one is a mistake in the simulator."""
    return shape(_required(device, CONFIGURATION))


def _required(device: UsbDevice, kind: int) -> bytes:
    found = device.descriptor(kind, 0, 0)
    if found is None:
        raise ValueError(f"USB device {device.vendor_id:04x}:{device.product_id:04x} has no descriptor of kind {kind}")
    return found
