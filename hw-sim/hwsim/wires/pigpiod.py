"""pigpiod's socket protocol over a `PinBank`, as gpiozero's stock PiGPIOFactory and python `pigpio` 1.78 use it.

A command is four little-endian words (command, p1, p2, length of an extension), its answer the same with the result last; a
notification is 12 bytes (sequence, flags, tick, levels). What is not served answers PI_UNKNOWN_COMMAND, a bad argument the code
real pigpiod answers. Source: pigpio.c of pigpio 79 (pthSocketThreadHandler, myDoCommand, gpioNotifyBegin).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.wires.pin_bank import INPUT, OUTPUT, PINS, PULL_UP, PinBank

__all__ = ["PigpiodServer", "PinBank"]

MODES, MODEG, PUD, READ, WRITE, BR1, TICK, HWVER = 0, 1, 2, 3, 4, 10, 16, 17
NB, NP, NC, PIGPV, FG, NOIB = 19, 20, 21, 26, 97, 99

BAD_USER_GPIO, BAD_GPIO, BAD_MODE, BAD_LEVEL, BAD_PUD = -2, -3, -4, -5, -6
NO_HANDLE, BAD_HANDLE, UNKNOWN_COMMAND, BAD_FILTER = -24, -25, -88, -125

_COMMAND = struct.Struct("<IIII")
_ANSWER = struct.Struct("<IIIi")
_REPORT = struct.Struct("<HHII")
_TICK_ANSWER_BASE = 1 << 32
_HARDWARE_REVISION = 0xA02082  # a Pi 3B: gpiozero then knows its 40-pin header
_PIGPIO_VERSION = 79
_LAST_MODE = 7
_STEADY_LIMIT_US = 300_000
_NOTIFY_SLOTS = 32  # as pigpiod
_EXTENSION_LIMIT_BYTES = 1 << 16  # CMD_MAX_EXTENSION
_READ_BYTES = 4096
_UNREAD_LIMIT_BYTES = 1 << 20  # 87,000 reports: a client that reads none of them is gone


@dataclass(slots=True)
class _Notification:
    writer: asyncio.StreamWriter
    mask: int = 0
    seen: int = 0
    """The levels last told, masked."""
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """One request of a client."""

    code: int
    p1: int
    p2: int


class CommandDecoder:
    """Cuts a client's bytes into commands, however they were split. Extensions belong to commands not served: dropped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next(self) -> Command | None:
        """The next whole command, or None until more was fed. Raises ValueError for an extension too large, as the end."""
        if len(self._buffer) < _COMMAND.size:
            return None
        code, p1, p2, extension = _COMMAND.unpack_from(self._buffer)
        if extension >= _EXTENSION_LIMIT_BYTES:
            raise ValueError(f"pigpiod command {code} has an extension of {extension} bytes")
        if len(self._buffer) < _COMMAND.size + extension:
            return None
        del self._buffer[: _COMMAND.size + extension]
        return Command(code, p1, p2)
