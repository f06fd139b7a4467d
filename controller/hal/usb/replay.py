"""A trace file in the place of a printer: answers the driver as the printer did, and stops at the first byte that differs.

What a trace does not tell cannot be checked: of dots only length and hash. Reads in which nothing came are no difference: how
often a driver listens in vain depends on the clock. Format: `usb.trace`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, StationError
from controller.hal.usb.trace import FORMAT, content

MAX_TRACE_BYTES = 64 << 20  # a card with all its dots as hex has 7 MB
MAX_LINES = 1_000_000  # a day of asking every 0.1 s
SHOWN_BYTES = 60  # of a transfer, in a message
_ERRORS: dict[str, type[DeviceError]] = {kind.__name__: kind for kind in (DeviceAbsent, DeviceRefused, DeviceUnknown)}
_TRANSFERS = ("open", "out", "in", "GET_PORT_STATUS", "GET_DEVICE_ID", "SOFT_RESET")
_END = "end"
_KINDS = {"hex": str, "sha256": str, "text": str, "length": int, "opened": bool, "still_open": bool, "error": dict}
_OF_ERROR = ("class", "condition", "detail")


class TraceError(StationError):
    """The file is no trace."""


class TraceDiffers(StationError):
    """Today's driver does something else than the recorded one; the text says what, and at which line of the trace."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trace after the first."""

    line: int
    do: str
    facts: Mapping[str, Any]

    @property
    def empty(self) -> bool:
        """A read in which nothing came."""
        return self.do == "in" and self.facts.get("length") == 0

    @property
    def data(self) -> bytes:
        """What was transferred. Raises TraceError when only its hash was kept."""
        if "hex" not in self.facts:
            raise TraceError(f"line {self.line} has only the hash of what the printer sent")
        return bytes.fromhex(self.facts["hex"])

    def __str__(self) -> str:
        if self.do != "out":
            return self.do
        return f"out, {_told(content(self.data, full=False) if 'hex' in self.facts else self.facts)}"


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace file."""

    header: Mapping[str, Any]
    steps: tuple[Step, ...]
    outcome: Mapping[str, Any] | None  # what the driver made of it; None: the recording broke off


def read_trace(path: Path) -> Trace:
    """The trace in a file. Raises TraceError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TRACE_BYTES + 1)  # what a device or a pipe holds is not known before
        if len(raw) > MAX_TRACE_BYTES:
            raise TraceError(f"{path}: has more than {MAX_TRACE_BYTES} bytes")
        return parse_trace(raw.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: {error}") from error


def parse_trace(text: str) -> Trace:
    """The trace in a text. Raises TraceError, which names the line."""
    rows = [_row(number, line) for number, line in enumerate(text.splitlines()[:MAX_LINES], 1) if line.strip()]
    if not rows or rows[0][1].get("format") != FORMAT:
        raise TraceError(f"line 1 does not say that this is a {FORMAT}")
    (_, header), *rest = rows
    outcome = rest.pop()[1].get("outcome") if rest and rest[-1][1].get("do") == _END else None
    if not isinstance(outcome, dict | None):
        raise TraceError("the outcome in the last line is not an object")
    return Trace(header, tuple(_step(number, row) for number, row in rest), outcome)


def _row(number: int, line: str) -> tuple[int, dict[str, Any]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise TraceError(f"line {number} is not an object")
    return number, row


def _step(number: int, row: dict[str, Any]) -> Step:
    do = row.get("do")
    if do not in _TRANSFERS:
        raise TraceError(f"line {number}: 'do' is {do!r}, not one of {', '.join(_TRANSFERS)}")
    odd = [key for key, kind in _KINDS.items() if key in row and not isinstance(row[key], kind)]
    if odd or not all(isinstance(row.get("error", dict.fromkeys(_OF_ERROR, "")).get(key), str) for key in _OF_ERROR):
        raise TraceError(f"line {number}: '{odd[0] if odd else 'error'}' is not what it should be")
    complete = "error" in row or {"open": "opened", "GET_DEVICE_ID": "text", "SOFT_RESET": "do"}.get(do, "length") in row
    if not complete or (do == "out" and not {"hex", "sha256"} & row.keys()):
        raise TraceError(f"line {number} lacks what belongs to '{do}'")
    if not re.fullmatch("([0-9a-f]{2})*", str(row.get("hex", ""))):
        raise TraceError(f"line {number}: {str(row['hex'])[:20]!r} is not hexadecimal")
    return Step(number, do, row)


class ReplayPipe:
    """A `usb_link.Pipe` that answers from a trace. Only a read in which nothing came waits, for that is what it says: its
    deadline passed. Raises TraceDiffers, which no driver catches."""

    def __init__(self, trace: Trace) -> None:
        self._steps = trace.steps
        self._next = 0
        self._open = False
        self._stop = threading.Event()

    @property
    def is_open(self) -> bool:
        """As in the trace at this place."""
        return self._open

    def open(self) -> bool:
        step = self._take("open", "opens the device")
        self._open = True
        return bool(step.facts["opened"])

    def write(self, data: bytes, deadline: Deadline) -> None:  # noqa: ARG002  as in the protocol
        now = f"sends {_told(content(data, full=False))}"
        step = self._peek()
        if step is not None and step.do == "out" and not _equal(step, data):
            raise self._difference(step, now)
        self._take("out", now)

    def read(self, deadline: Deadline) -> bytes:
        step = self._steps[self._next] if self._next < len(self._steps) else None
        if step is not None and step.empty:
            self._next += 1
            self._stop.wait(deadline.left_s())
            return b""
        return self._take("in", "listens").data

    def port_status(self) -> int:
        return int.from_bytes(self._take("GET_PORT_STATUS", "asks for the port status").data[:1], "big")

    def soft_reset(self) -> None:
        self._take("SOFT_RESET", "resets the port")

    def device_id(self) -> str:
        return str(self._take("GET_DEVICE_ID", "asks for the device id").facts["text"])

    def pause(self, seconds: float) -> None:
        """Time has passed already."""

    def interrupt(self) -> None:
        """No more waiting."""
        self._stop.set()

    def dispose(self) -> None:
        """There is no device."""
        self._open = False

    def end(self) -> None:
        """The driver is done. Raises TraceDiffers when the recorded one went on."""
        step = self._peek()
        if step is not None:
            raise self._difference(step, "has ended")

    def _peek(self) -> Step | None:
        """The next step in which something was said; None after the last."""
        while self._next < len(self._steps) and self._steps[self._next].empty:
            self._next += 1
        return self._steps[self._next] if self._next < len(self._steps) else None

    def _take(self, do: str, now: str) -> Step:
        step = self._peek()
        if step is None or step.do != do:
            raise self._difference(step, now)
        self._next += 1
        self._fail_as(step)
        return step

    def _fail_as(self, step: Step) -> None:
        error = step.facts.get("error")
        if error is not None:
            self._open = bool(step.facts.get("still_open"))
            raise _ERRORS.get(error["class"], DeviceUnknown)(error["condition"], error["detail"])

    def _difference(self, step: Step | None, now: str) -> TraceDiffers:
        if step is None:
            return TraceDiffers(f"the end: today's driver {now}; the recorded one had ended")
        return TraceDiffers(f"line {step.line}: today's driver {now}; the recorded one: {step}")


def _told(facts: Mapping[str, Any]) -> str:
    """Bytes in a message; never dots, for those are hashed."""
    return f"{facts['length']} bytes {facts['hex'][: 2 * SHOWN_BYTES] if 'hex' in facts else 'sha256 ' + facts['sha256']}"


def _equal(step: Step, data: bytes) -> bool:
    if "hex" in step.facts:
        return bool(step.facts["hex"] == data.hex())
    return bool(step.facts["length"] == len(data) and step.facts["sha256"] == hashlib.sha256(data).hexdigest())
