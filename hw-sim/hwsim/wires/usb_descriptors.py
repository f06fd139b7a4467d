"""USB descriptors: those of a printer are built here, and any configuration can be read for its parts.

Layout: USB 2.0 chapter 9.6, Universal Serial Bus Device Class Definition for Printing Devices 1.1 chapter 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5

_DEVICE = struct.Struct("<BBHBBBBHHHBBBB")
_CONFIGURATION = struct.Struct("<BBHBBBBB")
_INTERFACE = struct.Struct("<BBBBBBBBB")
_ENDPOINT = struct.Struct("<BBBBHB")
_USB_2_0, _DEVICE_RELEASE = 0x0200, 0x0100
_SELF_POWERED = 0xC0
_ENGLISH = 0x0409
_PRINTER_CLASS, _PRINTERS = 7, 1
_BULK = 2
_STRING_LIMIT = 126  # UTF-16 units: a descriptor's length is one byte and counts itself


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What a device list tells of a device, from its device descriptor."""

    release: int
    """bcdDevice."""
    device_class: tuple[int, int, int]
    """Class, subclass, protocol."""
    configurations: int
    """How many configurations the device has."""


@dataclass(frozen=True, slots=True)
class ConfigurationShape:
    """What a host must know of one configuration before it can use it."""

    value: int
    """What SET_CONFIGURATION selects it by."""
    self_powered: bool
    interfaces: tuple[tuple[int, int, int], ...]
    """Class, subclass and protocol of each interface, first alternate setting only."""
    endpoints: frozenset[int]
    """Endpoint addresses, bit 7 set for IN."""


@dataclass(frozen=True, slots=True)
class PrinterDescriptors:
    """All descriptors of a printer, ready to be sent."""

    device: bytes
    configuration: bytes
    strings: Mapping[int, bytes]
    """Whole string descriptors by index; 0 lists the languages."""

    def get(self, kind: int, index: int, _language: int) -> bytes | None:
        """The answer to GET_DESCRIPTOR, in the form of `UsbDevice.descriptor`; one language serves all."""
        if kind == STRING:
            return self.strings.get(index)
        if index != 0:
            return None
        return {DEVICE: self.device, CONFIGURATION: self.configuration}.get(kind)


def printer_descriptors(
    vendor_id: int,
    product_id: int,
    serial: str,
    manufacturer: str,
    product: str,
    *,
    out_ep: int = 0x01,
    in_ep: int = 0x82,
    max_packet: int = 512,
    protocol: int = 2,
    device_packet: int = 64,
    usb: int = _USB_2_0,
) -> PrinterDescriptors:
    """Descriptors of a self-powered printer with one bulk OUT and one bulk IN endpoint.

    `max_packet` is 64 at full speed and 512 at high speed, `device_packet` that of endpoint 0, `usb` its version; `protocol` 2 is
    a bidirectional printer. Raises ValueError for a text longer than 126 UTF-16 units or an endpoint pointing the wrong way.
    """
    if out_ep & 0x80 or not in_ep & 0x80:
        raise ValueError(f"endpoint out 0x{out_ep:02x} or in 0x{in_ep:02x} points the wrong way")
    device = _DEVICE.pack(
        _DEVICE.size, DEVICE, usb, 0, 0, 0, device_packet, vendor_id, product_id, _DEVICE_RELEASE, 1, 2, 3, 1
    )  # fmt: skip
    body = b"".join(
        (
            _INTERFACE.pack(_INTERFACE.size, INTERFACE, 0, 0, 2, _PRINTER_CLASS, _PRINTERS, protocol, 0),
            _ENDPOINT.pack(_ENDPOINT.size, ENDPOINT, out_ep, _BULK, max_packet, 0),
            _ENDPOINT.pack(_ENDPOINT.size, ENDPOINT, in_ep, _BULK, max_packet, 0),
        )
    )
    total = _CONFIGURATION.size + len(body)
    head = _CONFIGURATION.pack(_CONFIGURATION.size, CONFIGURATION, total, 1, 1, 0, _SELF_POWERED, 0)
    strings = {
        0: struct.pack("<BBH", 4, STRING, _ENGLISH),
        **{n: _string(t) for n, t in enumerate((manufacturer, product, serial), 1)},
    }
    return PrinterDescriptors(device, head + body, strings)


def identity(device: bytes) -> DeviceIdentity:
    """Read a device descriptor."""
    _, _, _, cls, subclass, protocol, _, _, _, release, _, _, _, configurations = _DEVICE.unpack(device)
    return DeviceIdentity(release, (cls, subclass, protocol), configurations)


def shape(configuration: bytes) -> ConfigurationShape:
    """Read a whole configuration descriptor."""
    _, _, _, _, value, _, attributes, _ = _CONFIGURATION.unpack_from(configuration)
    parts = list(_parts(configuration))
    interfaces = tuple((part[5], part[6], part[7]) for part in parts if part[1] == INTERFACE and part[3] == 0)
    endpoints = frozenset(part[2] for part in parts if part[1] == ENDPOINT)
    return ConfigurationShape(value, bool(attributes & 0x40), interfaces, endpoints)


def _parts(configuration: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 <= len(configuration) and configuration[at] >= 2:
        yield configuration[at : at + configuration[at]]
        at += configuration[at]


def _string(text: str) -> bytes:
    body = text.encode("utf-16-le")
    if len(body) > 2 * _STRING_LIMIT:
        raise ValueError(f"a USB string of {len(body) // 2} units is over the limit of {_STRING_LIMIT}")
    return bytes((len(body) + 2, STRING)) + body
