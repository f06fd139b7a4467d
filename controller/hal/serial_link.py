"""The serial link: one port behind pyserial, opened and written on its own thread. The only module that imports `serial`.

Traps of pyserial 3.5 (read in its source): a port that takes no bytes makes `write` spin until its timeout, so we wait for room
first; `socket://` leaves its socket open when the peer has gone, so we close it ourselves; a lost device shows itself only on
use, so `check` reads what is there, which also drops what the device says.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import select
import socket
import termios
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import serial

from controller.errors import DeviceAbsent, DeviceError, DeviceUnknown
from controller.hal.worker_thread import WorkerThread

T = TypeVar("T")

WRITE_S = 2.0  # 80 characters at 1200 baud take 0.7 s
OPEN_S = 8.0  # pyserial gives a socket 5 s to connect
CLOSE_S = 2.0
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)  # the first pause also bounds the pace when a port opens and fails at once

_DRAIN_BYTES = 256
_ERRORS = (OSError, ValueError, termios.error)  # SerialException is an OSError; ValueError: an address it cannot read

_log = logging.getLogger(__name__)


class SerialLink:
    """A port that is written to. One task uses it: `connect`, then `write` and `check` until one fails, then `connect` again."""

    def __init__(self, port: str, baud: int, condition: str) -> None:
        """`port`: a device path, socket://HOST:PORT or rfc2217://HOST:PORT. `condition`: what its absence is called."""
        self._port = port
        self._baud = baud
        self._condition = condition
        self._thread: WorkerThread | None = None
        self._handle: serial.Serial | None = None  # touched on the thread only
        self._failures = 0  # since something was written
        self._last_words = ""

    async def connect(self) -> None:
        """Open the port, trying again with pauses until it works."""
        while True:
            if self._failures:
                await asyncio.sleep(BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1])
            self._thread = WorkerThread(f"serial {self._port}")
            with contextlib.suppress(DeviceError):
                return await self._ask(self._open, OPEN_S, DeviceAbsent)

    async def write(self, data: bytes) -> None:
        """Send all of `data`; DeviceUnknown when the port did not take it, and then the link is closed."""
        await self._ask(partial(self._write, data), WRITE_S * 2, DeviceUnknown)
        self._failures = 0

    async def check(self) -> None:
        """See whether the port is still there; DeviceUnknown when it is not, and then the link is closed."""
        await self._ask(self._drain, WRITE_S, DeviceUnknown)

    async def close(self) -> None:
        """Give the port back. Closing twice is fine, and so is closing what is gone; a stuck thread is left behind."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await thread.close(self._close, CLOSE_S)

    async def _ask(self, work: Callable[[], T], limit_s: float, kind: type[DeviceError]) -> T:
        assert self._thread is not None, "connect first"
        try:
            async with asyncio.timeout(limit_s):
                return await self._thread.call(work)
        except _ERRORS as error:  # TimeoutError is one of them
            self._failures += 1
            await self.close()
            raise self._fault(error, kind) from error

    def _fault(self, error: BaseException, kind: type[DeviceError]) -> DeviceError:
        words = f"{self._port}: {str(error) or type(error).__name__}"
        if words != self._last_words:  # once, not with every attempt
            _log.warning("%s: %s", self._condition, words)
        self._last_words = words
        return kind(self._condition, words)

    def _open(self) -> None:
        self._handle = serial.serial_for_url(self._port, baudrate=self._baud, timeout=0, write_timeout=WRITE_S)

    def _write(self, data: bytes) -> None:
        assert self._handle is not None
        with contextlib.suppress(AttributeError, io.UnsupportedOperation):  # rfc2217 has no descriptor, and queues instead
            if not select.select([], [self._handle.fileno()], [], WRITE_S)[1]:
                raise TimeoutError(f"took nothing for {WRITE_S} s")
        self._handle.write(data)

    def _drain(self) -> None:
        assert self._handle is not None
        self._handle.read(_DRAIN_BYTES)

    def _close(self) -> None:
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        inner = getattr(handle, "_socket", None)
        with contextlib.suppress(*_ERRORS):
            handle.close()
        if isinstance(inner, socket.socket):
            inner.close()
