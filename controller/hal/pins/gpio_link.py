"""The GPIO link: one bank of pins behind gpiozero. The only module that imports gpiozero, pigpio or lgpio.

Blocking: every method but `break_off` runs on the owner thread of `pin_source.PinSource`. Facts: ecosystem.md 1 and the source
of gpiozero 2.0.1 and pigpio 1.78:
- pigpio's sockets have no timeout: a frozen server blocks the caller for ever, so `break_off` wakes it by shutting them down.
- pigpio's notify thread spins on a closed connection and dies of an exception in a callback.
- gpiozero's `Button` is `DigitalInputDevice` plus a thread that wakes ten times a second for `when_held`, which we do not use.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pigpio
from gpiozero import DigitalInputDevice, DigitalOutputDevice
from gpiozero.exc import GPIOZeroError
from gpiozero.pins.pigpio import PiGPIOFactory

from controller.errors import DeviceAbsent, DeviceUnknown

LGPIO = "lgpio"  # the address of this machine's own header
WAITING_EDGES_MAX = 1000  # 100 times what a station makes in a second; more means a pin that oscillates

_SCHEME = "pigpiod"
_PROBE_S = 2.0  # a server that takes longer for one question is as good as frozen
_PROBE = struct.pack("4I", 16, 0, 0, 0)  # pigpiod command 16 (TICK): reads a clock, changes nothing; answers 16 bytes
_NOTIFY_JOIN_S = 1.0  # its socket is shut down; it only has to return
_ERRORS = (OSError, struct.error, ValueError, GPIOZeroError, pigpio.error)  # struct.error: the server hung up mid-answer


class PinBoard:
    """One connection to one bank: inputs are active low with pull-up, outputs active high.

    Every method raises DeviceAbsent (`open`) or DeviceUnknown (the others) with condition `pins_dead`.
    """

    def __init__(self, address: str, inputs: Mapping[int, float | None], report: Callable[[int, bool], bool]) -> None:
        """`inputs`: BCM number to debounce in seconds, None for none. `report(pin, active)` is called on a foreign thread for
        every edge, must return at once, must not raise, and answers False when it cannot take more.
        """
        self._address = address
        self._bounces = dict(inputs)
        self._report = report
        self._factory: Any = None
        self._errors: tuple[type[BaseException], ...] = _ERRORS
        self._inputs: dict[int, Any] = {}
        self._outputs: dict[int, Any] = {}
        self._flooded = False
        self._broken_off = False

    def open(self, outputs: Mapping[int, bool]) -> dict[int, bool]:
        """Connect, claim every pin, switch the outputs, and read every input: True means active."""
        try:
            self._connect()
            for pin, bounce_s in self._bounces.items():
                self._claim_input(pin, bounce_s)
            for pin, level in outputs.items():
                self._outputs[pin] = DigitalOutputDevice(pin, initial_value=level, pin_factory=self._factory)
            return self._levels()
        except self._errors as error:
            self.break_off()  # before the half-built devices are collected: their __del__ would talk to a dead server
            raise DeviceAbsent("pins_dead", self._words(error)) from error

    def write(self, outputs: Mapping[int, bool]) -> None:
        """Switch the outputs."""
        try:
            for pin, level in outputs.items():
                self._outputs[pin].value = level
        except self._errors as error:
            raise DeviceUnknown("pins_dead", self._words(error)) from error

    def read(self) -> dict[int, bool]:
        """Read every input over the wire: the heartbeat."""
        if self._flooded:
            raise DeviceUnknown("pins_dead", f"{self._address}: more than {WAITING_EDGES_MAX} edges wait; a pin oscillates")
        if (notify := self._notify_thread()) is not None and not notify.is_alive():
            raise DeviceUnknown("pins_dead", f"{self._address}: the notify thread has died")
        try:
            return self._levels()
        except self._errors as error:
            raise DeviceUnknown("pins_dead", self._words(error)) from error

    def break_off(self) -> None:
        """Cut the connection so that no thread waits on it or spins on it. Any thread, never blocks, repeatable."""
        self._broken_off = True
        if (notify := self._notify_thread()) is not None:
            notify.go = False
            _deafen(notify.sl.s)
        connection = self._connection()
        handle = None if connection is None else connection.sl.s
        if handle is not None:
            connection.sl.s = None  # gpiozero's sign for "not connected": closing devices now sends nothing
            _deafen(handle)
            handle.close()

    def close(self) -> None:
        """Give every pin back, devices first. Never fails, also after `break_off`."""
        notify, connection = self._notify_thread(), self._connection()
        if not self._gave_back():
            self.break_off()
            self._gave_back()
        if notify is not None and connection is not None:
            _deafen(notify.sl.s)
            notify.join(_NOTIFY_JOIN_S)
            notify.sl.s.close()
            atexit.unregister(connection.stop)  # or every rebuild would leave a connection behind
        self._factory = None

    def _connect(self) -> None:
        if self._address == LGPIO:
            self._factory, self._errors = _lgpio_factory()
        else:
            self._factory = _pigpio_factory(self._address)
        if self._broken_off:  # the deadline passed while the server was slow to take us
            self.break_off()
            raise ConnectionAbortedError("came too late")

    def _claim_input(self, pin: int, bounce_s: float | None) -> None:
        device = DigitalInputDevice(pin, pull_up=True, bounce_time=bounce_s, pin_factory=self._factory)
        self._inputs[pin] = device

        def activated() -> None:
            self._edge(pin, True)

        def deactivated() -> None:
            self._edge(pin, False)

        device.when_activated = activated
        device.when_deactivated = deactivated

    def _edge(self, pin: int, active: bool) -> None:
        if not self._report(pin, active):
            self._flooded = True

    def _levels(self) -> dict[int, bool]:
        return {pin: bool(device.value) for pin, device in self._inputs.items()}

    def _gave_back(self) -> bool:
        # AttributeError: gpiozero asks a connection that `break_off` took away meanwhile
        with contextlib.suppress(*self._errors, AttributeError):
            for device in [*self._inputs.values(), *self._outputs.values()]:
                device.close()
            if self._factory is not None:
                self._factory.close()
            return True
        return False

    def _connection(self) -> Any:
        return getattr(self._factory, "_connection", None)  # lgpio has none: its calls are local and return

    def _notify_thread(self) -> Any:
        return getattr(self._connection(), "_notify", None)

    def _words(self, error: BaseException) -> str:
        return f"{self._address}: {type(error).__name__}: {error}"


def _host_port(address: str) -> tuple[str, int] | None:
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        return None
    if url.scheme != _SCHEME or not url.hostname or not port or url.path or url.query or url.username:
        return None
    return url.hostname, port


def _pigpio_factory(address: str) -> Any:
    host_port = _host_port(address)
    if host_port is None:
        raise ValueError("not a pin address")
    # gpiozero connects without a timeout and prints a page of advice when it fails: ask first.
    with socket.create_connection(host_port, _PROBE_S) as probe:
        probe.sendall(_PROBE)
        answer = probe.recv(len(_PROBE))
        if len(answer) != len(_PROBE) or not answer.startswith(_PROBE[:4]):  # an answer repeats its command
            raise ConnectionAbortedError("this is no pigpiod")
    return PiGPIOFactory(*host_port)


def _lgpio_factory() -> tuple[Any, tuple[type[BaseException], ...]]:
    # Not imported above: the package is an extra, and importing it makes a FIFO in LG_WD.
    try:
        lgpio = importlib.import_module("lgpio")
        pins = importlib.import_module("gpiozero.pins.lgpio")
    except ImportError as error:
        advice = "the package lgpio is missing; install print-station[lgpio], or python3-lgpio on Raspberry Pi OS"
        raise DeviceAbsent("pins_dead", advice) from error
    errors: tuple[type[BaseException], ...] = (*_ERRORS, lgpio.error)
    try:
        return pins.LGPIOFactory(), errors
    except errors as error:
        raise DeviceAbsent("pins_dead", f"{LGPIO}: {type(error).__name__}: {error}") from error


def _deafen(handle: socket.socket) -> None:
    """Let whoever receives on the socket return. SHUT_RD: a full shutdown would turn late data into an error there."""
    with contextlib.suppress(OSError):  # already gone
        handle.shutdown(socket.SHUT_RD)
