"""pigpiod's socket protocol as bytes: commands are decoded, answers and notifications packed.

A command is four little-endian words (command, p1, p2, length of an extension), its answer the same with the result last; a
notification is 12 bytes (sequence, flags, tick, levels). Source: pigpio.c of pigpio 79 (pthSocketThreadHandler).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MODES, MODEG, PUD, READ, WRITE, BR1, TICK, HWVER = 0, 1, 2, 3, 4, 10, 16, 17
NB, NP, NC, PIGPV, FG, NOIB = 19, 20, 21, 26, 97, 99

OK = 0
BAD_USER_GPIO, BAD_GPIO, BAD_MODE, BAD_LEVEL, BAD_PUD = -2, -3, -4, -5, -6
NO_HANDLE, BAD_HANDLE, UNKNOWN_COMMAND, BAD_FILTER = -24, -25, -88, -125

_COMMAND = struct.Struct("<IIII")
_REPORT = struct.Struct("<HHII")
_WORD = 0xFFFFFFFF
_EXTENSION_LIMIT_BYTES = 1 << 16  # CMD_MAX_EXTENSION


class ProtocolError(Exception):
    """The client sends what no answer can follow; pigpiod hangs up."""


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
        """The next whole command, or None until more was fed. Raises ProtocolError for an extension pigpiod has no room for."""
        if len(self._buffer) < _COMMAND.size:
            return None
        code, p1, p2, extension_bytes = _COMMAND.unpack_from(self._buffer)
        if extension_bytes >= _EXTENSION_LIMIT_BYTES:
            raise ProtocolError(f"command {code} has an extension of {extension_bytes} bytes")
        end = _COMMAND.size + extension_bytes
        if len(self._buffer) < end:
            return None
        del self._buffer[:end]
        return Command(code, p1, p2)


def pack_answer(command: Command, result: int) -> bytes:
    """The answer; a negative result is an error code, a large one fills all 32 bits."""
    return _COMMAND.pack(command.code, command.p1, command.p2, result & _WORD)


def pack_report(sequence: int, tick: int, levels: int) -> bytes:
    """One notification of a level change."""
    return _REPORT.pack(sequence & 0xFFFF, 0, tick, levels)
