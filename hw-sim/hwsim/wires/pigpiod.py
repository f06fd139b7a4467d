"""pigpiod over a `PinBank`, as gpiozero's stock PiGPIOFactory and python `pigpio` 1.78 use it.

What is not served answers PI_UNKNOWN_COMMAND; a bad argument answers the code that real pigpiod answers. Left out: PWM, waves,
serial, I2C, SPI, scripts, watchdogs, noise filter, and the sign of life that pigpiod sends on a quiet handle once a minute.
Source: pigpio.c of pigpio 79 (myDoCommand).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from hwsim.wires.pigpiod_codec import (
    BAD_FILTER,
    BAD_GPIO,
    BAD_LEVEL,
    BAD_MODE,
    BAD_PUD,
    BAD_USER_GPIO,
    BR1,
    FG,
    HWVER,
    MODEG,
    MODES,
    NB,
    NC,
    NOIB,
    NP,
    OK,
    PIGPV,
    PUD,
    READ,
    TICK,
    UNKNOWN_COMMAND,
    WRITE,
    Command,
    CommandDecoder,
    ProtocolError,
    pack_answer,
)
from hwsim.wires.pigpiod_notify import Notifications
from hwsim.wires.pin_bank import PINS, PULL_UP, PinBank

__all__ = ["PigpiodServer", "PinBank"]

_log = logging.getLogger(__name__)

_HARDWARE_REVISION = 0xA02082  # a Pi 3B: gpiozero then knows the 40-pin header
_PIGPIO_VERSION = 79
_LAST_MODE = 7
_STEADY_LIMIT_US = 300_000  # PI_MAX_STEADY
_READ_BYTES = 4096


class PigpiodServer:
    """One pigpiod on one TCP port, for any number of clients."""

    def __init__(self, host: str, port: int, bank: PinBank) -> None:
        """Port 0 takes a free one, known after `start`. The server takes over the bank's `on_report` and `on_unsettled`."""
        self._host = host
        self._port = port
        self._bank = bank
        self._notifications = Notifications(bank.reported)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._awake = asyncio.Event()
        self._awake.set()
        self._timer: asyncio.TimerHandle | None = None
        self._answers: dict[int, Callable[[Command], int]] = {
            MODES: self._set_mode,
            MODEG: lambda c: bank.mode(c.p1) if c.p1 < PINS else BAD_GPIO,
            PUD: self._set_pull,
            READ: lambda c: bank.level(c.p1) if c.p1 < PINS else BAD_GPIO,
            WRITE: self._write,
            BR1: lambda _: bank.levels,
            TICK: lambda _: bank.tick,
            HWVER: lambda _: _HARDWARE_REVISION,
            PIGPV: lambda _: _PIGPIO_VERSION,
            FG: self._set_filter,
            NB: lambda c: self._notifications.choose(c.p1, c.p2),
            NP: lambda c: self._notifications.choose(c.p1, 0),
            NC: lambda c: self._notifications.close(c.p1),
        }

    @property
    def port(self) -> int:
        """The TCP port; 0 only while it is still to be chosen."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._bank.on_report = self._report
        self._bank.on_unsettled = self._wait_for_filters
        # In two steps: a server whose start is given up half-way would listen on without anybody to close it.
        self._server = await asyncio.start_server(self._accept, self._host, self._port, start_serving=False)
        await self._server.start_serving()
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Hang up on every client and stop listening. Twice is fine."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self._bank.on_report = self._bank.on_unsettled = None
        if self._timer is not None:
            self._timer.cancel()
        for writer in self._connections.values():
            writer.transport.abort()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def freeze(self) -> None:
        """Stop answering and telling, as a stopped process does: connections stay, and new ones are taken by the kernel."""
        self._awake.clear()

    def thaw(self) -> None:
        """Go on: answer what was asked meanwhile and tell of the levels as they are now. Pulses in between are lost."""
        self._awake.set()
        self._report(self._bank.tick, self._bank.reported)

    def _report(self, tick: int, levels: int) -> None:
        if self._awake.is_set():
            self._notifications.report(tick, levels)

    def _wait_for_filters(self) -> None:
        """Have the bank settle when its first filter is due."""
        if self._timer is not None:
            self._timer.cancel()
        left_us = self._bank.left_us()
        self._timer = None if left_us is None else asyncio.get_running_loop().call_later(left_us / 1e6, self._filters_due)

    def _filters_due(self) -> None:
        self._bank.settle()
        self._wait_for_filters()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="pigpiod client")
        self._connections[task] = writer
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """A client left; a mistake of the world behind the pins must not pass unseen."""
        self._notifications.drop(self._connections.pop(task))
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "pigpiod connection failed", "exception": task.exception(), "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = CommandDecoder()
        try:
            while data := await reader.read(_READ_BYTES):
                decoder.feed(data)
                await self._awake.wait()
                while (command := decoder.next()) is not None:
                    writer.write(pack_answer(command, self._run(command, writer)))
                    self._report(self._bank.tick, self._bank.reported)
                await writer.drain()
        except ProtocolError as refused:
            _log.warning("pigpiod client dropped: %s", refused)
        except ConnectionError as lost:
            _log.debug("pigpiod client lost: %s", lost)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _run(self, command: Command, writer: asyncio.StreamWriter) -> int:
        """The result of a command."""
        if command.code == NOIB:
            return self._notifications.open(writer)
        answer = self._answers.get(command.code)
        return UNKNOWN_COMMAND if answer is None else answer(command)

    def _set_mode(self, command: Command) -> int:
        if command.p1 >= PINS:
            return BAD_GPIO
        if command.p2 > _LAST_MODE:
            return BAD_MODE
        self._bank.set_mode(command.p1, command.p2)
        return OK

    def _set_pull(self, command: Command) -> int:
        if command.p1 >= PINS:
            return BAD_GPIO
        if command.p2 > PULL_UP:
            return BAD_PUD
        self._bank.set_pull(command.p1, command.p2)
        return OK

    def _write(self, command: Command) -> int:
        if command.p1 >= PINS:
            return BAD_GPIO
        if command.p2 > 1:
            return BAD_LEVEL
        self._bank.write(command.p1, command.p2)
        return OK

    def _set_filter(self, command: Command) -> int:
        if command.p1 >= PINS:
            return BAD_USER_GPIO
        if command.p2 > _STEADY_LIMIT_US:
            return BAD_FILTER
        self._bank.set_filter(command.p1, command.p2)
        return OK
