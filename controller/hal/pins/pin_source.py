"""A pin source: one user's bank of pins, watched over and rebuilt until it works.

Contract: `run` builds the board on its own thread, asks it once a second and notices within 3 s that it died or froze. Then
`trusted` turns False, the board is cut off, a stuck thread is abandoned, and a new thread and board are built, with pauses,
until one works; its levels come as a fresh snapshot. Nothing here ever blocks the event loop.

    starting ──built──> trusted ──no answer, wrong answer, lost edge──> pins_dead ──pause──> starting
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, Protocol, TypeVar

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceAbsent, DeviceError, DeviceUnknown
from controller.hal.pins.gpio_link import WAITING_EDGES_MAX, PinBoard
from controller.hal.worker_thread import WorkerThread

T = TypeVar("T")

BEAT_S = 1.0
ANSWER_S = 1.5  # with BEAT_S below the promised 3 s, and long enough for a busy machine
OPEN_S = 5.0  # the probe's 2 s and some 100 questions over a slow network
CLOSE_S = 2.0
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # a server that restarts is back at once, a missing one costs nothing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PinEdge:
    """One change of an input, after its debounce."""

    pin: int  # BCM number
    active: bool
    at_s: float  # monotonic, when the library reported it


class PinListener(Protocol):
    """Who uses a pin source. Every method is called on the event loop and must return at once."""

    def pins_read(self, levels: Mapping[int, bool]) -> None:
        """The source is trusted from now on and these are the levels; what happened before is unknown."""

    def pin_changed(self, edge: PinEdge) -> None:
        """An input of a trusted source changed."""

    def pins_lost(self) -> None:
        """The source is trusted no more; edges may be missed from now on."""


class PinSource:
    """The pins of one lane or of the front panel. Two sources at one address share nothing."""

    def __init__(self, address: str) -> None:
        """`address`: "lgpio" or "pigpiod://HOST:PORT"."""
        self._address = address
        self._listener: PinListener | None = None
        self._inputs: dict[int, float | None] = {}
        self._wanted: dict[int, bool] = {}  # every output as it should be
        self._unsent: set[int] = set()  # outputs the board does not know the newest level of
        self._wake = asyncio.Event()
        self._levels: dict[int, bool] = {}
        self._doubted: set[int] = set()  # inputs whose last reading contradicted their edges
        self._early: deque[PinEdge] = deque(maxlen=WAITING_EDGES_MAX)  # came between claiming a pin and trusting the board
        self._fault: DeviceError | None = DeviceAbsent("pins_dead", f"{address}: not started")

    @property
    def trusted(self) -> bool:
        """Whether the pins answer."""
        return self._fault is None

    @property
    def fault(self) -> DeviceError | None:
        """Why the source is not trusted (condition `pins_dead`), for the technician; None while it is."""
        return self._fault

    def attach(self, listener: PinListener, inputs: Mapping[int, float | None], outputs: Iterable[int] = ()) -> None:
        """Name the user and its pins (BCM), before `run`; once. `inputs`: at least one, pin to debounce in seconds or None.

        Inputs are active low with a pull-up, outputs active high and off at first.
        """
        if self._listener is not None:
            raise RuntimeError("a pin source has one user")
        self._listener = listener
        self._inputs = dict(inputs)
        self._wanted = dict.fromkeys(outputs, False)

    def write(self, levels: Mapping[int, bool]) -> None:
        """Switch outputs, now and again after every rebuild. Returns at once; only the newest levels are kept."""
        self._unsent |= {pin for pin, level in levels.items() if self._wanted[pin] != level}
        self._wanted.update(levels)
        if self._unsent:
            self._wake.set()

    async def run(self) -> NoReturn:
        """Keep the source alive until cancelled; then give the pins back and stop the thread."""
        attempt = 0
        try:
            while True:
                attempt = 0 if await self._session() else attempt + 1
                await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
        finally:
            self._lose(DeviceAbsent("pins_dead", f"{self._address}: stopped"))

    async def _session(self) -> bool:
        """Build one board and serve it until it fails; whether it ever worked."""
        self._early.clear()
        worked = False
        handover = _Handover(asyncio.get_running_loop(), self._take)
        board = PinBoard(self._address, self._inputs, handover.report)
        thread = WorkerThread(f"pins {self._address}")
        try:
            self._unsent.clear()
            levels = await self._ask(thread, partial(board.open, dict(self._wanted)), OPEN_S)
            worked = True
            self._trust(levels)
            await self._serve(thread, board)
        except DeviceError as error:
            self._lose(error)
        finally:
            handover.stop()
            await self._end(thread, board)
        return worked

    async def _serve(self, thread: WorkerThread, board: PinBoard) -> NoReturn:
        beat = Deadline.after(BEAT_S)
        while True:
            await self._pause(beat)
            if self._unsent:
                newest = {pin: self._wanted[pin] for pin in self._unsent}
                self._unsent.clear()
                await self._ask(thread, partial(board.write, newest), ANSWER_S)
            if beat.passed:
                self._compare(await self._ask(thread, board.read, ANSWER_S))
                beat = Deadline.after(BEAT_S)

    async def _pause(self, until: Deadline) -> None:
        with contextlib.suppress(TimeoutError):  # the beat is due
            async with asyncio.timeout(until.left_s()):
                await self._wake.wait()
        self._wake.clear()

    async def _ask(self, thread: WorkerThread, work: Callable[[], T], limit_s: float) -> T:
        try:
            async with asyncio.timeout(limit_s):
                return await thread.call(work)
        except TimeoutError as error:
            raise DeviceUnknown("pins_dead", f"{self._address}: no answer within {limit_s} s") from error

    async def _end(self, thread: WorkerThread, board: PinBoard) -> None:
        if not self.trusted:  # nothing to be polite to
            board.break_off()
        await thread.close(board.close, CLOSE_S)
        board.break_off()  # wakes a thread that got stuck while closing; after a clean close there is nothing to cut

    def _trust(self, levels: Mapping[int, bool]) -> None:
        _log.info("pin source %s works", self._address)
        self._levels, self._doubted, self._fault = dict(levels), set(), None
        if self._listener is not None:
            self._listener.pins_read(levels)
        while self._early:
            self._take(self._early.popleft())

    def _lose(self, error: DeviceError) -> None:
        before, self._fault = self._fault, error
        if before is None or before.detail != error.detail:  # once, not every 5 s
            _log.warning("pin source lost: %s", error)
        if before is None and self._listener is not None:
            self._listener.pins_lost()

    def _take(self, edge: PinEdge) -> None:
        if not self.trusted:
            self._early.append(edge)
            return
        self._doubted.discard(edge.pin)
        if self._levels[edge.pin] == edge.active:  # the snapshot was newer
            return
        self._levels[edge.pin] = edge.active
        if self._listener is not None:
            self._listener.pin_changed(edge)

    def _compare(self, levels: Mapping[int, bool]) -> None:
        """An input that reads otherwise than its edges say, twice in a row with no edge between, has lost an edge.

        Once may be an edge on its way to us. lgpio and pigpiod drop edges in silence when their buffers run full.
        """
        doubted = {pin for pin, active in levels.items() if active != self._levels[pin]}
        lost, self._doubted = sorted(doubted & self._doubted), doubted
        if lost:
            raise DeviceUnknown("pins_dead", f"{self._address}: pins {lost} changed and no edge was reported")


class _Handover:
    """Brings edges from the library's notify thread to the loop, with a cap on how many may wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[PinEdge], None]) -> None:
        self._loop = loop
        self._take = take
        self._stopped = False
        self._sent = 0  # written by the notify thread only
        self._taken = 0  # written by the loop only

    def report(self, pin: int, active: bool) -> bool:
        """Called on the notify thread, which an exception would kill: nothing may escape."""
        if self._sent - self._taken >= WAITING_EDGES_MAX:
            return False
        self._sent += 1
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(self._arrive, PinEdge(pin, active, monotonic_s()))
        return True

    def stop(self) -> None:
        """Drop what still comes: its board was given up."""
        self._stopped = True

    def _arrive(self, edge: PinEdge) -> None:
        self._taken += 1
        if not self._stopped:
            self._take(edge)
