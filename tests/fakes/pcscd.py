"""pcscd with its readers in this process: the calls of pyscard's binding that our links use, and what they say in each trouble.

It stands in the place of the C functions (`installed`), so links, drivers and scripts above run as they are. What the words mean
was measured (chip.md 6.4). Nothing waits: where pcscd would, the station's own clock leaps, so that a deadline is over at once.

A command that never comes back (`Hung`) ends as the link ends it, with TimeoutError; its reader is `stuck` from then on, which
the thread that was given up meets when it lets go of everything, and so does whoever connects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Protocol

from controller import clock
from controller.hal.chip.scard_binding import scard

OK = scard.SCARD_S_SUCCESS
FREED_S = 20.0  # longest wait of a thread that was given up: only a broken test waits so long

Answer = tuple[int, bytes]


class PcscError(Exception):
    """The call ends with this error word."""

    def __init__(self, word: int) -> None:
        super().__init__(f"{word:08X}")
        self.word = word


class Hung(Exception):
    """The command never comes back."""


class Card(Protocol):
    """What lies in a reader and answers."""

    def connected(self) -> None:
        """A program has connected to it."""

    def reset(self) -> None:
        """Its field or supply was switched off and on."""

    def transmit(self, raw: bytes) -> bytes:
        """The answer; empty when the card died during the command. May raise PcscError and Hung."""


@dataclass(eq=False, slots=True)
class Reader:
    """One slot."""

    card: Card | None = None
    plugged: bool = True
    stuck: bool = False  # a command has not come back
    wear: int = 0  # raised by whatever makes open handles worthless


@dataclass(slots=True)
class _Handle:
    name: str
    wear: int
    context: int


@dataclass(eq=False)
class Pcscd:
    """The daemon. `readers` by name; `running` is False when it was killed."""

    readers: dict[str, Reader] = field(default_factory=dict)
    running: bool = True
    leapt_s: float = 0.0  # how far the station's clock is ahead
    _contexts: set[int] = field(default_factory=set)
    _handles: dict[int, _Handle] = field(default_factory=dict)
    _last: int = 0
    _given_up: dict[int, tuple[Reader, threading.Event]] = field(default_factory=dict)  # threads whose command does not come back

    def put(self, name: str, card: Card | None) -> None:
        """Another card in a reader, or none; a connection to the one before is of no use any more."""
        reader = self.readers[name]
        if card is not reader.card:
            reader.card = card
            reader.wear += 1
            self.answer(name)

    def answer(self, name: str) -> None:
        """What a reader did not answer comes back."""
        reader = self.readers[name]
        reader.stuck = False
        for thread, (where, come_back) in list(self._given_up.items()):
            if where is reader:
                come_back.set()
                del self._given_up[thread]

    def kill(self) -> None:
        """Every connection is gone; cards lose their power."""
        self.running = False
        self._contexts.clear()
        self._handles.clear()
        for reader in self.readers.values():
            if reader.card is not None:
                reader.card.reset()

    def free_threads(self) -> None:
        """Threads that were given up end, since their process is dead."""
        for _where, come_back in self._given_up.values():
            come_back.set()
        self._given_up.clear()

    # What pyscard's binding has

    def establish(self, _scope: int) -> tuple[int, int]:
        if not self.running:
            return scard.SCARD_E_NO_SERVICE, 0
        self._contexts.add(self._next())
        return OK, self._last

    def release(self, context: int) -> int:
        _where, come_back = self._given_up.get(threading.get_ident(), (None, None))
        if come_back is not None:
            come_back.wait(FREED_S)
        self._contexts.discard(context)
        return int(OK)

    def list_readers(self, context: int, _groups: list[str]) -> tuple[int, list[str]]:
        if not self._knows(context):
            return scard.SCARD_E_NO_SERVICE, []
        names = [name for name, reader in self.readers.items() if reader.plugged]
        return (OK, names) if names else (scard.SCARD_E_NO_READERS_AVAILABLE, [])

    def status_change(
        self, context: int, wait_ms: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        ((name, known),) = states
        if not self._knows(context):
            return scard.SCARD_E_NO_SERVICE, []
        reader = self.readers.get(name)
        if reader is None or not reader.plugged:
            return scard.SCARD_E_UNKNOWN_READER, []
        now = scard.SCARD_STATE_EMPTY if reader.card is None else scard.SCARD_STATE_PRESENT
        if now == known:
            self.leapt_s += wait_ms / 1000
            return scard.SCARD_E_TIMEOUT, []
        return OK, [(name, now | scard.SCARD_STATE_CHANGED, [])]

    def connect(self, context: int, name: str, _mode: int, _protocols: int) -> tuple[int, int, int]:
        if not self._knows(context):
            return scard.SCARD_E_NO_SERVICE, 0, 0
        reader = self.readers.get(name)
        if reader is None or not reader.plugged:
            return scard.SCARD_E_UNKNOWN_READER, 0, 0
        if reader.stuck:
            raise self._never(reader)
        if reader.card is None:
            return scard.SCARD_E_NO_SMARTCARD, 0, 0
        if any(handle.name == name and handle.wear == reader.wear for handle in self._handles.values()):
            return scard.SCARD_E_SHARING_VIOLATION, 0, 0
        reader.card.connected()
        self._handles[self._next()] = _Handle(name, reader.wear, context)
        return OK, self._last, scard.SCARD_PROTOCOL_T1

    def reconnect(self, handle: int, _mode: int, _protocols: int, _disposition: int) -> tuple[int, int]:
        """As measured: it succeeds on a card that was swapped in."""
        try:
            held, reader = self._held(handle)
        except PcscError as error:
            return error.word, 0
        if reader.card is None:
            return scard.SCARD_E_NO_SMARTCARD, 0
        held.wear = reader.wear
        reader.card.reset()
        return OK, scard.SCARD_PROTOCOL_T1

    def disconnect(self, handle: int, _disposition: int) -> int:
        return int(scard.SCARD_E_INVALID_HANDLE if self._handles.pop(handle, None) is None else OK)

    def transmit(self, handle: int, _header: int, command: list[int]) -> tuple[int, list[int]]:
        try:
            held, reader = self._held(handle)
            if reader.card is None or held.wear != reader.wear:
                return scard.SCARD_W_REMOVED_CARD, []
            if reader.stuck:
                raise Hung
            return OK, list(reader.card.transmit(bytes(command)))
        except PcscError as error:
            return error.word, []
        except Hung:
            raise self._never(self.readers[self._handles[handle].name]) from None

    def _never(self, reader: Reader) -> TimeoutError:
        """What the link makes of a call that does not come back; its thread is stuck."""
        reader.stuck = True
        self._given_up[threading.get_ident()] = (reader, threading.Event())
        return TimeoutError()

    def _held(self, handle: int) -> tuple[_Handle, Reader]:
        held = self._handles.get(handle)
        if held is None:
            raise PcscError(scard.SCARD_E_INVALID_HANDLE if self.running else scard.SCARD_E_NO_SERVICE)
        reader = self.readers[held.name]
        if not reader.plugged:
            raise PcscError(scard.SCARD_E_READER_UNAVAILABLE)
        return held, reader

    def _knows(self, context: int) -> bool:
        return self.running and context in self._contexts

    def _next(self) -> int:
        self._last += 1
        return self._last


_CALLS = {
    "SCardEstablishContext": Pcscd.establish,
    "SCardReleaseContext": Pcscd.release,
    "SCardListReaders": Pcscd.list_readers,
    "SCardGetStatusChange": Pcscd.status_change,
    "SCardConnect": Pcscd.connect,
    "SCardReconnect": Pcscd.reconnect,
    "SCardDisconnect": Pcscd.disconnect,
    "SCardTransmit": Pcscd.transmit,
}


@contextmanager
def installed(pcscd: Pcscd) -> Iterator[Pcscd]:
    """This daemon instead of the machine's, and a station's clock that leaps where this daemon would wait."""
    real, real_time = {name: getattr(scard, name) for name in _CALLS}, vars(clock)["time"]
    for name, call in _CALLS.items():
        setattr(scard, name, call.__get__(pcscd))
    leaping = SimpleNamespace(
        monotonic=lambda: time.monotonic() + pcscd.leapt_s,
        monotonic_ns=lambda: time.monotonic_ns() + round(pcscd.leapt_s * 1e9),
        time_ns=time.time_ns,
    )
    setattr(clock, "time", leaping)  # noqa: B010 - an assignment would be refused: it is no module
    try:
        yield pcscd
    finally:
        setattr(clock, "time", real_time)  # noqa: B010 - as above
        for name, function in real.items():
            setattr(scard, name, function)
