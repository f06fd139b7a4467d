"""One claimed USB printer interface: bytes out, bytes in, on one thread of its own.

`UsbPipe` blocks and belongs to the link's thread; `UsbLink` is how the event loop gets there. Rules (reliability.md 2.1,
ecosystem.md 2): count every write, for pyusb raises nothing when a part went out; wait in slices, so that a deadline and a
stop always work; let go of the device on every path, so that the next `open` finds it anew.

Errors: DeviceAbsent while nothing was sent, DeviceUnknown after that.
"""

from __future__ import annotations

import errno
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, Protocol, TypeVar

import usb.core
import usb.util

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.usb.byte_pipe import BytePipe
from controller.hal.usb.find import UsbRoute, UsbWanted, check_address, claim, find_device, open_backend, port_path
from controller.hal.usb.usbip_backend import UsbIpBackend
from controller.hal.worker_thread import WorkerThread

__all__ = ["Pipe", "UsbLink", "UsbPipe", "UsbRoute", "UsbWanted", "check_address", "open_backend"]

WRITE_BYTES = 65_536  # per transfer: the stop flag is looked at in between
READ_BYTES = 4096  # a multiple of every bulk packet size, so that no packet overflows
SLICE_MS = 250  # the longest read before the deadline and the stop flag are looked at
EMPTY_PAUSE_S = 0.01  # some printers answer a read with empty packets without end: do not spin on them
CONTROL_MS = 1000

_SOFT_RESET_TO, _SOFT_RESET = 0x21, 2
_TO_INTERFACE, _GET_DEVICE_ID, _GET_PORT_STATUS = 0xA1, 0, 1

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Pipe(BytePipe, Protocol):
    """What a link drives: `UsbPipe`, or what stands around it or in for it (`usb.trace`, `usb.replay`)."""

    def device_id(self) -> str: ...
    def interrupt(self) -> None: ...


class UsbPipe:
    """The blocking side of a link. Everything but `interrupt` belongs on the link's thread."""

    def __init__(self, address: str, wanted: UsbWanted) -> None:
        check_address(address)
        self._address = address
        self._wanted = wanted
        self._backend: Any = None
        self._device: Any = None
        self._route: UsbRoute | None = None
        self._stop = threading.Event()

    @property
    def is_open(self) -> bool:
        """Whether the interface is claimed."""
        return self._route is not None

    @property
    def route(self) -> UsbRoute:
        """Where the bytes go. DeviceAbsent when the link is not open."""
        return self._opened()

    def open(self) -> bool:
        """Find the device and claim its printer interface; False when that had been done. Raises DeviceAbsent."""
        if self._stop.is_set():
            raise DeviceAbsent("printer_lost", "the link was closed")
        if self.is_open:
            return False
        self._backend = open_backend(self._address, self._wanted)
        self._device = find_device(self._backend, self._wanted)
        try:
            self._route = claim(self._device, self._wanted.interface_class)
            self._check_make()
        except DeviceAbsent:
            self.dispose()
            raise
        return True

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it. DeviceAbsent when the link is not open, otherwise DeviceUnknown: a part may have gone out."""
        route = self._opened()
        for start in range(0, len(data), WRITE_BYTES):
            self._check_stop()
            chunk = array("B", data[start : start + WRITE_BYTES])
            with self._mapped("write"):
                took = self._device.write(route.out, chunk, deadline.left_ms())
            if took != len(chunk):
                raise DeviceUnknown("printer_late", f"the printer took {start + took} of {len(data)} bytes in time")

    def read(self, deadline: Deadline) -> bytes:
        """What came next, at least one byte; b"" when the deadline passed. Raises DeviceUnknown when the device is gone."""
        route = self._opened()
        while True:
            self._check_stop()
            with suppress(usb.core.USBTimeoutError), self._mapped("read"):
                packet: array[int] = self._device.read(route.into, READ_BYTES, min(SLICE_MS, deadline.left_ms()))
                if packet:
                    return packet.tobytes()
                self._stop.wait(EMPTY_PAUSE_S)
            if deadline.passed:
                return b""

    def port_status(self) -> int:
        """GET_PORT_STATUS: the byte that `port_status` explains; 0, a fault, when the device answers without it."""
        answer = self.control_in(_TO_INTERFACE, _GET_PORT_STATUS, 0, self._opened().interface, 1)
        return answer[0] if answer else 0

    def soft_reset(self) -> None:
        """SOFT_RESET: the printer forgets what it was sent in part. One that does not know the request is left as it is."""
        route = self._opened()
        with suppress(DeviceUnknown), self._mapped("soft reset"):
            self._device.ctrl_transfer(_SOFT_RESET_TO, _SOFT_RESET, 0, route.interface, None, CONTROL_MS)

    def device_id(self) -> str:
        """GET_DEVICE_ID: the IEEE 1284 text."""
        route = self._opened()
        answer = self.control_in(_TO_INTERFACE, _GET_DEVICE_ID, 0, route.interface << 8 | route.alternate, 1024)
        return answer[2 : int.from_bytes(answer[:2], "big")].decode("ascii", "replace")

    def control_in(self, kind: int, request: int, value: int, index: int, length: int) -> bytes:
        """A control request that reads. DeviceUnknown `printer_garbled` when the device does not know it."""
        self._opened()
        with self._mapped("control request"):
            answer: array[int] = self._device.ctrl_transfer(kind, request, value, index, length, CONTROL_MS)
        return answer.tobytes()

    def pause(self, seconds: float) -> None:
        """Wait, unless the link is being closed."""
        self._stop.wait(seconds)
        self._check_stop()

    def interrupt(self) -> None:
        """From any thread, for good: what blocks returns soon with DeviceUnknown, nothing new begins."""
        self._stop.set()
        if isinstance(self._backend, UsbIpBackend):
            self._backend.abort()

    def dispose(self) -> None:
        """Let go of the device. Twice is fine."""
        device, self._device, self._route = self._device, None, None
        if device is not None:
            with suppress(usb.core.USBError):  # gone already
                usb.util.dispose_resources(device)

    def _check_make(self) -> None:
        """DeviceAbsent when the IEEE 1284 text lacks a word of the profile: another make behind a borrowed USB number."""
        words = self._wanted.device_id.split()
        if not words:
            return
        try:
            text = self.device_id()
        except DeviceUnknown as error:
            lost = error.condition == "printer_lost"
            raise DeviceAbsent("printer_lost" if lost else "printer_other", f"no IEEE 1284 text: {error.detail}") from error
        if not all(word.casefold() in text.casefold() for word in words):
            raise DeviceAbsent("printer_other", f"{port_path(self._device)}: IEEE 1284 text {text!r} without {' '.join(words)!r}")

    def _clear_halt(self) -> None:
        """End a stall in both directions; what was said is unknown, what comes next can be heard."""
        route = self._opened()
        with suppress(usb.core.USBError):  # gone meanwhile: the next transfer says so
            self._device.clear_halt(route.out)
            self._device.clear_halt(route.into)

    def _opened(self) -> UsbRoute:
        if self._route is None:
            raise DeviceAbsent("printer_absent", "the link is not open")
        return self._route

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise DeviceUnknown("printer_lost", "the link was told to stop")

    @contextmanager
    def _mapped(self, doing: str) -> Iterator[None]:
        """USB errors as ours; a device that is gone is let go of at once."""
        try:
            yield
        except usb.core.USBTimeoutError as error:
            if doing == "read":
                raise
            raise DeviceUnknown("printer_late", f"{doing}: {error}") from error
        except usb.core.USBError as error:
            if error.errno in (errno.EPIPE, errno.EOVERFLOW):
                self._clear_halt()
                raise DeviceUnknown("printer_garbled", f"{doing}: {error}") from error
            self.dispose()
            raise DeviceUnknown("printer_lost", f"{doing}: {error}") from error


class UsbLink:
    """One USB printer interface and the thread that owns it. One task at a time; a second one raises RuntimeError."""

    def __init__(self, address: str, wanted: UsbWanted, pipe: Pipe | None = None) -> None:
        """`address` is ``usb`` or ``usbip://HOST:PORT`` (ValueError for anything else). No I/O happens here."""
        self.pipe: Pipe = UsbPipe(address, wanted) if pipe is None else pipe  # for functions given to `run`
        self.wanted = wanted
        self._worker = WorkerThread(f"usb-{wanted.serial}")

    async def run(self, work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run `work` on the link's thread. Raises DeviceAbsent after `close`, and whatever `work` raises.

        A cancelled caller leaves `work` running; the next call waits behind it.
        """
        if not self._worker.usable:
            raise DeviceAbsent("printer_lost", "the link was closed")
        return await self._worker.call(work, *args, **kwargs)

    async def close(self) -> None:
        """Stop what runs, let go of the device, end the thread. Final; twice is fine."""
        self.pipe.interrupt()
        await self._worker.close(self.pipe.dispose)
