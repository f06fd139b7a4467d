"""A pyusb backend over USB/IP in user space: the same pyusb calls reach hw-sim or a printer behind another box's usbipd.

No kernel module, no root. Descriptors are read once per plugging in; a device that another host holds raises EBUSY. The
errors are usb.core.USBError with libusb's errno, so that callers cannot tell this backend from libusb1.
"""

from __future__ import annotations

import errno
import struct
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import usb.backend
import usb.core

from controller.hal.usb.usbip_wire import Exported, UsbIpWire, list_devices

IMPORT_TRIES = 5  # a server gives a device back a moment after the link that had it was closed
IMPORT_PAUSE_S = 0.03
CONTROL_MS = 2000  # for the requests pyusb makes itself
MAX_CONFIGURATIONS = 8  # a printer has one
MAX_DESCRIPTOR_BYTES = 4096  # of a whole configuration; a printer's has some 32

_DEVICE, _CONFIGURATION, _INTERFACE, _ENDPOINT = 1, 2, 4, 5
_SETUP = struct.Struct("<BBHHH")
_FIELDS = {
    _DEVICE: ("<BBHBBBBHHHBBBB",
              "bLength bDescriptorType bcdUSB bDeviceClass bDeviceSubClass bDeviceProtocol bMaxPacketSize0 idVendor "
              "idProduct bcdDevice iManufacturer iProduct iSerialNumber bNumConfigurations"),
    _CONFIGURATION: ("<BBHBBBBB",
                     "bLength bDescriptorType wTotalLength bNumInterfaces bConfigurationValue iConfiguration bmAttributes "
                     "bMaxPower"),
    _INTERFACE: ("<BBBBBBBBB",
                 "bLength bDescriptorType bInterfaceNumber bAlternateSetting bNumEndpoints bInterfaceClass "
                 "bInterfaceSubClass bInterfaceProtocol iInterface"),
    _ENDPOINT: ("<BBBBHB", "bLength bDescriptorType bEndpointAddress bmAttributes wMaxPacketSize bInterval"),
}  # fmt: skip
_SUPER_SPEED = {5: 4}  # USB/IP numbers it 5, libusb 4


@dataclass(slots=True)
class _Alternate:
    """One alternate setting of an interface."""

    descriptor: SimpleNamespace
    endpoints: list[SimpleNamespace] = field(default_factory=list)


@dataclass(slots=True)
class _Configuration:
    descriptor: SimpleNamespace
    interfaces: dict[int, list[_Alternate]] = field(default_factory=dict)  # by interface number, in order


@dataclass(slots=True)
class _Node:
    """One exported device; its descriptors are read on first use."""

    entry: Exported
    device: SimpleNamespace | None = None
    configurations: list[_Configuration] = field(default_factory=list)


@dataclass(slots=True)
class _Handle:
    """One imported device."""

    node: _Node
    wire: UsbIpWire


class UsbIpBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """The devices of one USB/IP server. May be used from several threads, one device by one thread."""

    def __init__(self, host: str, port: int, vendor_id: int | None = None, busid: str | None = None) -> None:
        """Only devices of this vendor and bus id are looked into: reading descriptors takes a device from others for a moment.

        No I/O here: the server is asked at each enumeration.
        """
        self.server = (host, port)
        self._vendor_id = vendor_id
        self.busid = busid  # None: all
        self._nodes: dict[Exported, _Node] = {}
        self._handles: list[_Handle] = []
        self._pause = threading.Event()  # set by abort: no more waiting

    def abort(self) -> None:
        """End every link from any thread, so that a blocked transfer returns (ENODEV). Never blocks."""
        self._pause.set()
        for handle in tuple(self._handles):
            handle.wire.abort()

    # discovery

    def enumerate_devices(self) -> Iterator[_Node]:
        """The devices now; raises USBError when the server does not answer."""
        with _usb_errors():
            found = [entry for entry in list_devices(self.server) if self._concerns(entry)]
        self._nodes = {entry: self._nodes.get(entry) or _Node(entry) for entry in found}
        yield from self._nodes.values()

    def _concerns(self, entry: Exported) -> bool:
        return self._vendor_id in (None, entry.vendor_id) and self.busid in (None, entry.busid)

    def get_parent(self, _dev: _Node) -> None:
        """Hubs are not shown."""

    def get_device_descriptor(self, dev: _Node) -> SimpleNamespace:
        """Read from the device at first, which takes it for a moment."""
        if dev.device is None:
            with _usb_errors():
                wire = self._import(dev)
                try:
                    dev.configurations, dev.device = _load(wire, dev.entry)
                finally:
                    wire.close()
        return dev.device

    def get_configuration_descriptor(self, dev: _Node, config: int) -> SimpleNamespace:
        """IndexError past the end, which ends pyusb's walk."""
        return dev.configurations[config].descriptor

    def get_interface_descriptor(self, dev: _Node, intf: int, alt: int, config: int) -> SimpleNamespace:
        """By position, not by number."""
        return self._alternate(dev, intf, alt, config).descriptor

    def get_endpoint_descriptor(self, dev: _Node, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """By position, not by address."""
        return self._alternate(dev, intf, alt, config).endpoints[ep]

    def _alternate(self, dev: _Node, intf: int, alt: int, config: int) -> _Alternate:
        return list(dev.configurations[config].interfaces.values())[intf][alt]

    # life

    def open_device(self, dev: _Node) -> _Handle:
        """Import the device for ourselves alone."""
        with _usb_errors():
            handle = _Handle(dev, self._import(dev))
        self._handles.append(handle)
        return handle

    def close_device(self, dev_handle: _Handle) -> None:
        """Give the device back."""
        if dev_handle in self._handles:
            self._handles.remove(dev_handle)
        dev_handle.wire.close()

    def set_configuration(self, dev_handle: _Handle, config_value: int) -> None:
        """SET_CONFIGURATION; also resets the endpoints."""
        self._control(dev_handle, 0x00, 9, config_value, 0, b"")

    def get_configuration(self, dev_handle: _Handle) -> int:
        """GET_CONFIGURATION."""
        answer = bytearray(1)
        self._control(dev_handle, 0x80, 8, 0, 0, answer)
        return answer[0]

    def set_interface_altsetting(self, dev_handle: _Handle, intf: int, altsetting: int) -> None:
        """SET_INTERFACE."""
        self._control(dev_handle, 0x01, 11, altsetting, intf, b"")

    def claim_interface(self, _handle: _Handle, _intf: int) -> None:
        """An import is exclusive: there is nothing left to claim."""

    def release_interface(self, _handle: _Handle, _intf: int) -> None:
        """See claim_interface."""

    def clear_halt(self, dev_handle: _Handle, ep: int) -> None:
        """CLEAR_FEATURE(ENDPOINT_HALT)."""
        self._control(dev_handle, 0x02, 1, 0, ep, b"")

    def reset_device(self, dev_handle: _Handle) -> None:
        """USB/IP has no reset; importing anew is what a replug does."""
        dev_handle.wire.close()
        with _usb_errors():
            dev_handle.wire = self._import(dev_handle.node)

    def is_kernel_driver_active(self, _handle: _Handle, _intf: int) -> bool:
        """No kernel of ours knows the device."""
        return False

    def _import(self, node: _Node) -> UsbIpWire:
        for _ in range(IMPORT_TRIES - 1):
            try:
                return UsbIpWire(self.server, node.entry.busid)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                self._pause.wait(IMPORT_PAUSE_S)
        return UsbIpWire(self.server, node.entry.busid)

    # transfers

    def ctrl_transfer(self, dev_handle: _Handle, kind: int, request: int, value: int, index: int,
                      data: array[int], timeout: int) -> int:  # fmt: skip
        """A control transfer in the direction of the request type."""
        return self._control(dev_handle, kind, request, value, index, data, timeout)

    def bulk_write(self, dev_handle: _Handle, ep: int, _intf: int, data: array[int], timeout: int) -> int:
        """May take less than all."""
        with _usb_errors():
            return dev_handle.wire.send(ep & 15, memoryview(data).cast("B"), timeout)

    def bulk_read(self, dev_handle: _Handle, ep: int, _intf: int, buff: array[int], timeout: int) -> int:
        """0 is a zero-length packet; no data in time is USBTimeoutError."""
        with _usb_errors():
            return dev_handle.wire.receive(ep & 15, memoryview(buff).cast("B"), timeout)

    def _control(self, handle: _Handle, kind: int, request: int, value: int, index: int,
                 data: bytes | bytearray | array[int], timeout_ms: int = CONTROL_MS) -> int:  # fmt: skip
        with _usb_errors():
            return _control(handle.wire, kind, request, value, index, data, timeout_ms)


@contextmanager
def _usb_errors() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise usb.core.USBTimeoutError(error.strerror or str(error), None, errno.ETIMEDOUT) from error
    except usb.core.USBError:
        raise
    except OSError as error:  # host names that do not resolve have other numbers
        raise usb.core.USBError(error.strerror or str(error), None, error.errno) from error


def _control(wire: UsbIpWire, kind: int, request: int, value: int, index: int,
             data: bytes | bytearray | array[int], timeout_ms: int) -> int:  # fmt: skip
    view = memoryview(data).cast("B")
    setup = _SETUP.pack(kind, request, value, index, len(view))
    return wire.receive(0, view, timeout_ms, setup) if kind & 0x80 else wire.send(0, view, timeout_ms, setup)


def _load(wire: UsbIpWire, entry: Exported) -> tuple[list[_Configuration], SimpleNamespace]:
    device = _parse(_descriptor(wire, _DEVICE, 0, 18))
    device.bus, device.address, device.speed = entry.bus, entry.address, _SUPER_SPEED.get(entry.speed, entry.speed)
    device.port_numbers = _ports(entry)
    device.port_number = device.port_numbers[-1]
    configurations = [_configuration(wire, index) for index in range(min(device.bNumConfigurations, MAX_CONFIGURATIONS))]
    return configurations, device


def _ports(entry: Exported) -> tuple[int, ...]:
    """The ports of a bus id such as ``1-1.4``, for a port path like libusb's."""
    ports = entry.busid.partition("-")[2].split(".")
    return tuple(map(int, ports)) if all(port.isdecimal() for port in ports) else (entry.address,)


def _configuration(wire: UsbIpWire, index: int) -> _Configuration:
    total = _parse(_descriptor(wire, _CONFIGURATION, index, 9)).wTotalLength
    if total > MAX_DESCRIPTOR_BYTES:
        raise OSError(errno.EIO, f"the device claims a configuration of {total} bytes")
    blob = _descriptor(wire, _CONFIGURATION, index, total)
    found = _Configuration(_parse(blob))
    alternate: _Alternate | None = None
    last = found.descriptor
    place = blob[0]
    while place + 2 <= len(blob) and blob[place] >= 2:
        raw = blob[place : place + blob[place]]
        place += blob[place]
        if raw[1] == _INTERFACE:
            alternate = _Alternate(last := _parse(raw))
            found.interfaces.setdefault(last.bInterfaceNumber, []).append(alternate)
        elif raw[1] == _ENDPOINT and alternate is not None:
            alternate.endpoints.append(last := _parse(raw))
        else:
            last.extra_descriptors += raw
    for each in (alternate for alternates in found.interfaces.values() for alternate in alternates):
        each.descriptor.bNumEndpoints = len(each.endpoints)  # what is there, not what is claimed
    return found


def _descriptor(wire: UsbIpWire, kind: int, index: int, length: int) -> bytes:
    answer = bytearray(length)
    got = _control(wire, 0x80, 6, kind << 8 | index, 0, answer, CONTROL_MS)
    return bytes(answer[:got])


def _parse(raw: bytes) -> SimpleNamespace:
    form, names = _FIELDS[raw[1]] if len(raw) >= 2 and raw[1] in _FIELDS else ("", "")
    if not form or len(raw) < struct.calcsize(form):
        raise OSError(errno.EIO, f"not a descriptor: {raw[:20].hex()}")
    values = zip(names.split(), struct.unpack_from(form, raw), strict=True)
    return SimpleNamespace(**dict(values), extra_descriptors=[], bRefresh=0, bSynchAddress=0)
