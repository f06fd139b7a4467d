"""Who is told of which pins: pigpiod's notification handles, with its order of filtering and comparing.

pigpiod looks at the monitored pins of all handles together. A pin that becomes monitored while high counts as a change, so a
client that asked for the levels before it switched a pull-up still learns of it. Source: pigpio.c of pigpio 79 (pthAlertThread,
alertEmit, gpioNotifyBegin).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hwsim.wires.pigpiod_codec import BAD_HANDLE, NO_HANDLE, OK, pack_report

_SLOTS = 32  # PI_NOTIFY_SLOTS
_UNREAD_LIMIT_BYTES = 1 << 16  # 5,461 reports beyond what the kernel holds: a client that reads none of them is gone


@dataclass(slots=True)
class _Handle:
    writer: asyncio.StreamWriter
    pins: int = 0
    sequence: int = 0


class Notifications:
    """All open handles of one server."""

    def __init__(self, levels: int) -> None:
        self._handles: dict[int, _Handle] = {}
        self._last = levels
        self._last_monitored = 0

    def open(self, writer: asyncio.StreamWriter) -> int:
        """A new handle that writes to this connection, or an error code."""
        free = next((number for number in range(_SLOTS) if number not in self._handles), None)
        if free is None:
            return NO_HANDLE
        self.drop(writer)  # a connection has one handle
        self._handles[free] = _Handle(writer)
        return free

    def choose(self, number: int, pins: int) -> int:
        """Tell this handle of these pins from now on. An error code for a handle that is not open."""
        handle = self._handles.get(number)
        if handle is None:
            return BAD_HANDLE
        handle.pins = pins
        self._last_monitored &= self._monitored
        return OK

    def close(self, number: int) -> int:
        """Tell this handle nothing more. An error code for one that is not open."""
        return BAD_HANDLE if self._handles.pop(number, None) is None else OK

    def drop(self, writer: asyncio.StreamWriter) -> None:
        """Close the handle of a connection that ended."""
        for number in [number for number, handle in self._handles.items() if handle.writer is writer]:
            del self._handles[number]

    def report(self, tick: int, levels: int) -> None:
        """These are the levels now: tell every handle whose pins changed."""
        if levels & self._monitored == self._last_monitored:
            return
        for handle in self._handles.values():
            if (levels ^ self._last) & handle.pins:
                _send(handle, tick, levels)
        self._last, self._last_monitored = levels, levels & self._monitored

    @property
    def _monitored(self) -> int:
        union = 0
        for handle in self._handles.values():
            union |= handle.pins
        return union


def _send(handle: _Handle, tick: int, levels: int) -> None:
    transport = handle.writer.transport
    if transport.get_write_buffer_size() > _UNREAD_LIMIT_BYTES:
        transport.abort()
    if transport.is_closing():
        return
    handle.writer.write(pack_report(handle.sequence, tick, levels))
    handle.sequence += 1
