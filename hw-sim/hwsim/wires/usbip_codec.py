"""USB/IP 1.1.1 as bytes, server side: requests are decoded, replies are packed (kernel Documentation/usb/usbip_protocol.rst).

Pure: bytes in, requests out, "need more" is None. Isochronous transfers are not spoken: no device here has such an endpoint.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = 0x0111
ST_OK, ST_DEV_BUSY, ST_NODEV = 0, 2, 4  # the kernel's tools/usb/usbip: ST_NODEV 4, not ST_NA 1, for an unknown bus id

TRANSFER_LIMIT_BYTES = 16 << 20  # usbfs allows 16 MiB of transfers in all; a printer's largest is one panel, 0.7 MB

_OP_REQ_IMPORT, _OP_REQ_DEVLIST = 0x8003, 0x8005
_OP_REP_IMPORT, _OP_REP_DEVLIST = 0x0003, 0x0005
_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_OP = struct.Struct(">HHI")
_BUSID_BYTES = 32
_SUBMIT = struct.Struct(">IIIIIIIIiI8s")
_UNLINK = struct.Struct(">IIIIII24x")
_REPLY = struct.Struct(">IIIIIiIIII8x")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_HIGHEST_ENDPOINT = 15
_NOT_ISOCHRONOUS = (0, -1)  # the kernel sends 0, the protocol document says 0xffffffff


class ProtocolError(Exception):
    """The peer does not speak this protocol; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class ListDevices:
    """OP_REQ_DEVLIST."""


@dataclass(frozen=True, slots=True)
class ImportDevice:
    """OP_REQ_IMPORT. Everything after it is Submit and Unlink."""

    busid: str


@dataclass(frozen=True, slots=True)
class Submit:
    """USBIP_CMD_SUBMIT with its data."""

    seqnum: int
    devid: int
    inward: bool
    """Whether the device sends."""
    endpoint: int
    """Number without the direction bit."""
    length: int
    """Bytes of data (OUT), room in the host's buffer (IN)."""
    setup: bytes
    data: bytes

    @property
    def address(self) -> int:
        """The endpoint's address, bit 7 set for IN."""
        return self.endpoint | (0x80 if self.inward else 0)


@dataclass(frozen=True, slots=True)
class Unlink:
    """USBIP_CMD_UNLINK."""

    seqnum: int
    devid: int
    target: int
    """The sequence number of the Submit to take back."""


Request = ListDevices | ImportDevice | Submit | Unlink


@dataclass(frozen=True, slots=True)
class ExportedDevice:
    """One device as a device list and an import reply describe it."""

    busid: str
    busnum: int
    devnum: int
    speed: int
    vendor_id: int
    product_id: int
    release: int
    device_class: tuple[int, int, int]
    configuration: int
    configurations: int
    interfaces: tuple[tuple[int, int, int], ...]

    @property
    def devid(self) -> int:
        """How every URB names the device."""
        return self.busnum << 16 | self.devnum


class RequestDecoder:
    """Cuts a connection's bytes into requests, however they were split."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._imported = False

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next(self) -> Request | None:
        """The next whole request, or None until more was fed. Raises ProtocolError."""
        return self._urb_request() if self._imported else self._operation()

    def _operation(self) -> ListDevices | ImportDevice | None:
        if len(self._buffer) < _OP.size:
            return None
        version, code, _status = _OP.unpack_from(self._buffer)
        if version != VERSION:
            raise ProtocolError(f"USB/IP version 0x{version:04x}, expected 0x{VERSION:04x}")
        if code == _OP_REQ_DEVLIST:
            self._take(_OP.size)
            return ListDevices()
        if code != _OP_REQ_IMPORT:
            raise ProtocolError(f"unknown USB/IP operation 0x{code:04x}")
        if len(self._buffer) < _OP.size + _BUSID_BYTES:
            return None
        busid = self._take(_OP.size + _BUSID_BYTES)[_OP.size :]
        self._imported = True
        return ImportDevice(busid.split(b"\0")[0].decode("ascii", "replace"))

    def _urb_request(self) -> Submit | Unlink | None:
        if len(self._buffer) < _SUBMIT.size:
            return None
        command = int.from_bytes(self._buffer[:4], "big")
        if command == _CMD_SUBMIT:
            return self._submit()
        if command != _CMD_UNLINK:
            raise ProtocolError(f"unknown USB/IP command {command}")
        _command, seqnum, devid, _direction, _endpoint, target = _UNLINK.unpack(self._take(_UNLINK.size))
        return Unlink(seqnum, devid, target)

    def _submit(self) -> Submit | None:
        _, seqnum, devid, direction, endpoint, _, length, _, packets, _, setup = _SUBMIT.unpack_from(self._buffer)
        if direction > 1 or endpoint > _HIGHEST_ENDPOINT:
            raise ProtocolError(f"URB {seqnum} for direction {direction} of endpoint {endpoint}")
        if length > TRANSFER_LIMIT_BYTES:
            raise ProtocolError(f"URB {seqnum} of {length} bytes is over the limit of {TRANSFER_LIMIT_BYTES}")
        if packets not in _NOT_ISOCHRONOUS:
            raise ProtocolError(f"URB {seqnum} is isochronous")
        payload = 0 if direction else length
        if len(self._buffer) < _SUBMIT.size + payload:
            return None
        self._take(_SUBMIT.size)
        return Submit(seqnum, devid, bool(direction), endpoint, length, setup, self._take(payload))

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        return taken


def pack_device_list(devices: Sequence[ExportedDevice]) -> bytes:
    """OP_REP_DEVLIST."""
    entries = (_pack_device(device) + b"".join(bytes((*triple, 0)) for triple in device.interfaces) for device in devices)
    return _OP.pack(VERSION, _OP_REP_DEVLIST, ST_OK) + len(devices).to_bytes(4, "big") + b"".join(entries)


def pack_import(device: ExportedDevice) -> bytes:
    """OP_REP_IMPORT for a device that is now the caller's."""
    return _OP.pack(VERSION, _OP_REP_IMPORT, ST_OK) + _pack_device(device)


def pack_import_refusal(status: int) -> bytes:
    """OP_REP_IMPORT with ST_DEV_BUSY or ST_NODEV; nothing follows."""
    return _OP.pack(VERSION, _OP_REP_IMPORT, status)


def pack_submit_reply(seqnum: int, status: int, actual: int) -> bytes:
    """USBIP_RET_SUBMIT without its data; devid, direction and endpoint are 0 as from the kernel's server."""
    return _REPLY.pack(_RET_SUBMIT, seqnum, 0, 0, 0, status, actual, 0, 0, 0)


def pack_unlink_reply(seqnum: int, status: int) -> bytes:
    """USBIP_RET_UNLINK: status -ECONNRESET when the URB was taken back, 0 when it had been answered before."""
    return _REPLY.pack(_RET_UNLINK, seqnum, 0, 0, 0, status, 0, 0, 0, 0)


def _pack_device(device: ExportedDevice) -> bytes:
    path = f"/sys/devices/platform/hwsim/usb{device.busnum}/{device.busid}".encode("ascii")
    return _DEVICE.pack(
        path,
        device.busid.encode("ascii"),
        device.busnum,
        device.devnum,
        device.speed,
        device.vendor_id,
        device.product_id,
        device.release,
        *device.device_class,
        device.configuration,
        device.configurations,
        len(device.interfaces),
    )
