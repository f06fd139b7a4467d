"""What crosses a printer's USB pipe, written down as it happens: a trace file (docs/add-a-printer.md has the format).

A trace is text, one JSON object a line. The first says what was recorded, with which device and how good the times are; then
comes one line for each transfer, in their order; the last says what the driver made of it. Dots are personal data (a face):
a panel, and whatever else has more than `LONG_BYTES`, is written as its length and SHA-256 unless everything is asked for, with
the command in front of the dots where that can be told. `usb.replay` reads it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceError, DeviceUnknown
from controller.hal.usb.link import UsbPipe

FORMAT = "print-station-usb-trace/1"
LONG_BYTES = 512  # no command of a known family is longer; the smallest panel has 80,000 bytes
TIMES = {
    "clock": "monotonic, 0 when the recording began",
    "unit": "ms",
    "taken": "by this program before and after each call to the USB library, not on the bus",
}
_PANEL = rb"\x1bDb;[a-z]{1,4};\d{1,3};"  # of Evolis, before the dots
_HEADS = re.compile(_PANEL + rb"|\x05{0,64}\x01,[A-Z0-9,.:%?-]{1,440}\x1c")  # or the keys of a Magicard job
_STANDARD_IN, _GET_DESCRIPTOR = 0x80, 6
_DEVICE, _CONFIGURATION, _STRING, _ENGLISH = 1, 2, 3, 0x0409
_MAX_CONFIGURATION_BYTES = 4096  # a printer's has some 32
_STRINGS = {"manufacturer": 14, "product": 15, "serial": 16}  # where the device descriptor has the number of each

Facts = dict[str, Any]
Tell = Callable[[Mapping[str, Any]], None]
_T = TypeVar("_T")


class RecordingPipe:
    """A `UsbPipe` that tells of everything that goes through it; the driver sees no difference."""

    def __init__(self, pipe: UsbPipe, header: Mapping[str, Any], tell: Tell, *, full: bool = False) -> None:
        """`tell` gets each line of the trace but the last; the first when the device was found. Its errors go to the driver."""
        self._pipe = pipe
        self._header = header
        self._tell = tell
        self._full = full
        self._started_s = monotonic_s()
        self._introduced = False

    @property
    def is_open(self) -> bool:
        """As `UsbPipe`, and so is all that follows."""
        return self._pipe.is_open

    def open(self) -> bool:
        if self._introduced:
            return self._record({"do": "open"}, self._pipe.open, lambda opened: {"opened": opened})
        opened = self._pipe.open()  # a device that was never there leaves no trace
        self._introduced = True
        self._tell({"format": FORMAT, **self._header, "full": self._full, "times": TIMES, "device": describe(self._pipe)})
        self._line({"do": "open", "opened": opened}, self._started_s)
        return opened

    def write(self, data: bytes, deadline: Deadline) -> None:
        self._record({"do": "out", **self._endpoint("out"), **self._content(data)}, lambda: self._pipe.write(data, deadline))

    def read(self, deadline: Deadline) -> bytes:
        return self._record({"do": "in", **self._endpoint("into")}, lambda: self._pipe.read(deadline), _reply)

    def port_status(self) -> int:
        return self._record({"do": "GET_PORT_STATUS"}, self._pipe.port_status, lambda status: self._content(bytes([status])))

    def soft_reset(self) -> None:
        self._record({"do": "SOFT_RESET"}, self._pipe.soft_reset)

    def device_id(self) -> str:
        return self._record({"do": "GET_DEVICE_ID"}, self._pipe.device_id, lambda text: {"text": text})

    def pause(self, seconds: float) -> None:
        self._pipe.pause(seconds)

    def interrupt(self) -> None:
        self._pipe.interrupt()

    def dispose(self) -> None:
        self._pipe.dispose()

    def _endpoint(self, way: str) -> Facts:
        return {"endpoint": getattr(self._pipe.route, way)} if self._pipe.is_open else {}

    def _content(self, data: bytes) -> Facts:
        return content(data, full=self._full)

    def _record(self, facts: Facts, transfer: Callable[[], _T], result: Callable[[_T], Facts] = lambda _: {}) -> _T:
        """Do it, and tell how it went; also when it fails."""
        begun_s = monotonic_s()
        try:
            done = transfer()
        except DeviceError as error:
            self._line({**facts, "error": error_facts(error), "still_open": self._pipe.is_open}, begun_s)
            raise
        self._line({**facts, **result(done)}, begun_s)
        return done

    def _line(self, facts: Facts, begun_s: float) -> None:
        now_s = monotonic_s()
        times = {"t_ms": round((begun_s - self._started_s) * 1000), "took_ms": round((now_s - begun_s) * 1000)}
        self._tell({**times, **facts})


def content(data: bytes, *, full: bool) -> Facts:
    """Bytes as a trace has them. Short ones as they are; long ones and panels are dots, and only their hash is kept."""
    if full or (len(data) <= LONG_BYTES and not re.match(_PANEL, data)):
        return {"length": len(data), "hex": data.hex()}
    found = _HEADS.match(data)
    head = {} if found is None else {"head": found[0].hex()}
    return {"length": len(data), **head, "sha256": hashlib.sha256(data).hexdigest()}


def _reply(data: bytes) -> Facts:
    """What a printer says holds no dots."""
    return content(data, full=True)


def error_facts(error: DeviceError) -> Facts:
    """An error as a trace has it."""
    return {"class": type(error).__name__, "condition": error.condition, "detail": error.detail}


def describe(pipe: UsbPipe) -> Facts:
    """What the device says of itself, as it says it. What it does not answer is missing. The pipe is open."""
    facts: Facts = {"interface": pipe.route.interface, "endpoint_out": pipe.route.out, "endpoint_in": pipe.route.into}
    with suppress(DeviceUnknown):
        facts["device_id"] = pipe.device_id()
    with suppress(DeviceUnknown):
        facts["configuration_descriptor"] = _configuration(pipe).hex()
    with suppress(DeviceUnknown):
        device = _descriptor(pipe, _DEVICE, 0, 0, 18)
        facts["device_descriptor"] = device.hex()
        facts |= _strings(pipe, device)
    return facts


def _strings(pipe: UsbPipe, device: bytes) -> Facts:
    found: Facts = {}
    for name, place in _STRINGS.items():
        if len(device) > place and device[place]:
            with suppress(DeviceUnknown):
                found[name] = _descriptor(pipe, _STRING, device[place], _ENGLISH, 255)[2:].decode("utf-16-le", "replace")
    return found


def _configuration(pipe: UsbPipe) -> bytes:
    total = int.from_bytes(_descriptor(pipe, _CONFIGURATION, 0, 0, 9)[2:4], "little")
    return _descriptor(pipe, _CONFIGURATION, 0, 0, min(total, _MAX_CONFIGURATION_BYTES))


def _descriptor(pipe: UsbPipe, kind: int, number: int, language: int, length: int) -> bytes:
    return pipe.control_in(_STANDARD_IN, _GET_DESCRIPTOR, kind << 8 | number, language, length)
