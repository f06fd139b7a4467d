"""USB/IP on a TCP socket, host side: list a server's devices, import one, move transfers.

Source: kernel Documentation/usb/usbip_protocol.rst.

Every failure is an OSError with the errno libusb would give: ENODEV the link is gone, EBUSY another host has the device,
ETIMEDOUT no end in time, EPIPE stall, EOVERFLOW more data than asked for, EIO the rest. Traps met here (ecosystem.md 2):

- the reply's direction word is 0 from the kernel's server, so what was asked has to be remembered;
- a transfer that timed out must be unlinked *and its answer awaited*: data that was already on its way counts as received;
- the server's numbers are claims: a length beyond what was asked ends the link.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass

from controller.clock import Deadline

CONNECT_S = 3.0  # to connect; a server on the same network needs milliseconds
HANDSHAKE_S = 3.0  # for a whole list or import, however it drips
SEND_S = 5.0  # a server that takes nothing for this long is frozen: it must read on while a device says NAK
UNLINK_S = 1.0  # the server itself answers an UNLINK, no device is involved
MAX_DEVICES = 64  # far more than one box exports; bounds the list a server may claim
MAX_TRANSFER_BYTES = 16 << 20  # what usbfs allows

_VERSION = 0x0111
_LIST, _IMPORT = 0x8005, 0x8003
_SUBMIT, _UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_OP = struct.Struct(">HHI")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_CMD_SUBMIT = struct.Struct(">IIIIIIiiii8s")
_CMD_UNLINK = struct.Struct(">IIIIII24x")
_RET = struct.Struct(">IIIIIiiiii8x")
_REFUSED = {1: errno.EBUSY, 2: errno.EBUSY, 4: errno.ENODEV}  # ST_NA: listed a moment ago, so somebody else took it
_FAILED = {
    -errno.EPIPE: errno.EPIPE, -errno.ENODEV: errno.ENODEV, -errno.ESHUTDOWN: errno.ENODEV, -errno.ENOENT: errno.ETIMEDOUT,
    -errno.ECONNRESET: errno.ETIMEDOUT, -errno.EOVERFLOW: errno.EOVERFLOW,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exported:
    """One device of a server's list."""

    busid: str
    bus: int
    address: int  # new with each plugging in
    speed: int
    vendor_id: int
    product_id: int


def list_devices(server: tuple[str, int]) -> list[Exported]:
    """The devices the server offers now. Raises OSError."""
    with socket.create_connection(server, CONNECT_S) as sock:
        deadline = Deadline.after(HANDSHAKE_S)
        sock.sendall(_OP.pack(_VERSION, _LIST, 0))
        _expect(sock, _LIST, deadline)
        (count,) = struct.unpack(">I", _read(sock, 4, deadline))
        if count > MAX_DEVICES:
            raise _failure(errno.EIO, f"the USB/IP server claims {count} devices")
        found = []
        for _ in range(count):
            raw = _read(sock, _DEVICE.size, deadline)
            _read(sock, 4 * raw[-1], deadline)  # its interfaces: at most 255 of 4 bytes
            found.append(_exported(raw))
        return found


class UsbIpWire:
    """One imported device. Transfers may be in flight from several threads; one thread reads and ends with the link."""

    def __init__(self, server: tuple[str, int], busid: str) -> None:
        """Connect and import. Raises OSError; nothing is left open then."""
        self._sock = socket.create_connection(server, CONNECT_S)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            deadline = Deadline.after(HANDSHAKE_S)
            self._sock.sendall(_OP.pack(_VERSION, _IMPORT, 0) + struct.pack("32s", busid.encode("ascii", "replace")))
            _expect(self._sock, _IMPORT, deadline)
            device = _exported(_read(self._sock, _DEVICE.size, deadline))
            self._sock.settimeout(None)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(SEND_S), 0))
        except BaseException:
            self._sock.close()
            raise
        self._devid = device.bus << 16 | device.address
        self._sending = threading.Lock()
        self._table = threading.Lock()  # never held while sending: a full socket must not stop the reader
        self._urbs: dict[int, _Urb] = {}
        self._unlinks: dict[int, int] = {}  # sequence number of the UNLINK: of its target
        self._sequence = 0
        self._dead = False
        self._reader = threading.Thread(target=self._serve, name=f"usbip-{busid}", daemon=True)
        self._reader.start()

    def send(self, endpoint: int, data: memoryview, timeout_ms: int, setup: bytes = b"\0" * 8) -> int:
        """Move data to the device; returns how much it took, which may be less. A timeout of 0 waits for ever.

        ETIMEDOUT: taken back in time, but USB/IP does not say how much had gone by then.
        """
        return self._transfer(_Urb(None, len(data)), endpoint, data, setup, timeout_ms)

    def receive(self, endpoint: int, into: memoryview, timeout_ms: int, setup: bytes = b"\0" * 8) -> int:
        """Move data from the device; returns how much came. ETIMEDOUT: nothing was lost, the next call gets it."""
        return self._transfer(_Urb(into, len(into)), endpoint, memoryview(b""), setup, timeout_ms)

    def abort(self) -> None:
        """End the link from any thread: everything in flight fails with ENODEV at once. Never blocks."""
        self._dead = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the link and its thread. Closing twice is fine."""
        self.abort()
        self._reader.join(CONNECT_S)  # it was just woken
        self._sock.close()

    def _transfer(self, urb: _Urb, endpoint: int, data: memoryview, setup: bytes, timeout_ms: int) -> int:
        inward = urb.into is not None
        if urb.length > MAX_TRANSFER_BYTES:
            raise _failure(errno.EINVAL, f"a transfer of {urb.length} bytes")
        sequence = self._enter(urb)
        head = _CMD_SUBMIT.pack(_SUBMIT, sequence, self._devid, inward, endpoint, 0, urb.length, 0, 0, 0, setup)
        self._put(head, data)
        if not urb.done.wait(timeout_ms / 1000 if timeout_ms else None):
            self._take_back(sequence, endpoint)
            if not urb.done.wait(UNLINK_S):
                self.abort()
                raise _failure(errno.ENODEV, "the USB/IP server answers no more")
        if urb.status:
            raise _failure(_FAILED.get(urb.status, errno.EIO))
        return urb.actual

    def _enter(self, urb: _Urb) -> int:
        with self._table:
            if self._dead:
                raise _failure(errno.ENODEV)
            self._sequence += 1
            self._urbs[self._sequence] = urb
            return self._sequence

    def _take_back(self, target: int, endpoint: int) -> None:
        with self._table:
            self._sequence += 1
            sequence = self._sequence
            self._unlinks[sequence] = target
        self._put(_CMD_UNLINK.pack(_UNLINK, sequence, self._devid, 0, endpoint, target), memoryview(b""))

    def _put(self, head: bytes, data: memoryview) -> None:
        try:
            with self._sending:
                sent = self._sock.sendmsg([head, data])
                if sent < len(head):
                    self._sock.sendall(head[sent:])
                    sent = len(head)
                if sent - len(head) < len(data):
                    self._sock.sendall(data[sent - len(head) :])
        except OSError as error:  # half a message may be out: the stream is of no more use
            self.abort()
            raise _failure(errno.ENODEV) from error

    def _serve(self) -> None:
        with suppress(OSError):
            while self._receive_one():
                pass
        self.abort()
        with self._table:
            lost, self._urbs = self._urbs, {}
        for urb in lost.values():
            urb.end(-errno.ENODEV)

    def _receive_one(self) -> bool:
        """Take one answer; False when the server does not keep to the protocol."""
        command, sequence, _, _, _, status, actual, *_ = _RET.unpack(_read(self._sock, _RET.size))
        if command == _RET_UNLINK:
            self._unlinked(sequence)
            return True
        if command != _RET_SUBMIT:
            return False
        with self._table:
            urb = self._urbs.pop(sequence, None)
        if urb is None:  # whether data follow is not known either
            return False
        if not 0 <= actual <= urb.length:
            urb.end(-errno.EOVERFLOW)
            return False
        try:
            if urb.into is not None:
                _fill(self._sock, urb.into[:actual])
        except OSError:
            urb.end(-errno.ENODEV)
            raise
        urb.end(status, actual)
        return True

    def _unlinked(self, sequence: int) -> None:
        with self._table:
            urb = self._urbs.pop(self._unlinks.pop(sequence, 0), None)
        if urb is not None:  # else it had been answered before
            urb.end(-errno.ECONNRESET)


class _Urb:
    """One transfer in flight."""

    __slots__ = ("actual", "done", "into", "length", "status")

    def __init__(self, into: memoryview | None, length: int) -> None:
        self.into = into  # None: to the device
        self.length = length
        self.done = threading.Event()
        self.status = 0
        self.actual = 0

    def end(self, status: int, actual: int = 0) -> None:
        self.status, self.actual = status, actual
        self.done.set()


def _expect(sock: socket.socket, operation: int, deadline: Deadline) -> None:
    version, code, status = _OP.unpack(_read(sock, _OP.size, deadline))
    if version >> 8 != _VERSION >> 8 or code != operation & 0x7FFF:
        raise _failure(errno.EIO, f"not a USB/IP answer: version {version:#06x}, code {code:#06x}")
    if status:
        raise _failure(_REFUSED.get(status, errno.EIO), f"the USB/IP server refused with status {status}")


def _exported(raw: bytes) -> Exported:
    fields = _DEVICE.unpack(raw)
    busid = fields[1].split(b"\0")[0].decode("ascii", "replace")
    return Exported(busid, fields[2], fields[3], fields[4], fields[5], fields[6])


def _read(sock: socket.socket, count: int, deadline: Deadline | None = None) -> bytes:
    buffer = bytearray(count)
    _fill(sock, memoryview(buffer), deadline)
    return bytes(buffer)


def _fill(sock: socket.socket, view: memoryview, deadline: Deadline | None = None) -> None:
    while view:
        if deadline is not None:
            sock.settimeout(deadline.left_ms() / 1000)
        got = sock.recv_into(view)
        if got == 0:
            raise _failure(errno.ENODEV, "the USB/IP server closed the link")
        view = view[got:]


def _failure(code: int, text: str | None = None) -> OSError:
    return OSError(code, text if text is not None else os.strerror(code))
