"""Time that jumps: an event loop whose clock stands still while there is work and then leaps to the next timer.

For programs of their own only, as libfaketime is: `VirtualClock.install` replaces the clocks of the `time` module for the whole
process, so that code that reads them needs no seam. Nothing waits really and nothing runs on another thread: a call for an
executor, and with `TurnConnection` each call of aiosqlite, takes its turn in the loop, later than it was asked for and in order.
So no time passes while such a call is outstanding, and the same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import selectors
import sqlite3
import time
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")

START_S = 1_000.0  # of the monotonic clock
WALL_OFFSET_S = 1_795_300_000.0  # so that the wall clock begins in November 2026


class StuckError(Exception):
    """Nothing is ready, no timer is set and no call is outstanding: nothing can ever happen again."""


class VirtualClock:
    """The one time of a process."""

    def __init__(self) -> None:
        self.now_s = START_S

    def install(self) -> None:
        """Put this clock in the place of the real ones, for good."""
        time.monotonic = lambda: self.now_s
        time.monotonic_ns = lambda: round(self.now_s * 1e9)
        time.time = lambda: self.now_s + WALL_OFFSET_S
        time.time_ns = lambda: round((self.now_s + WALL_OFFSET_S) * 1e9)


class _Leaper(selectors.SelectSelector):
    """Never waits and looks at no file: where the loop would wait, the clock leaps."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError("nothing is left that could happen")
        if timeout > 0:
            self._clock.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `run_until_complete` as ever. Sockets, pipes and threads do not work on it."""

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual = clock
        super().__init__(_Leaper(clock))

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now_s

    def run_in_executor(  # type: ignore[override]  # the base class says what the other loops need
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run it at its turn in this thread."""
        return take_turn(self, partial(func, *args))


def take_turn(loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> asyncio.Future[T]:
    """Do `work` at the loop's next turn, behind everything that is ready now."""
    future: asyncio.Future[T] = loop.create_future()
    loop.call_soon(settle, future, work)
    return future


def settle(future: asyncio.Future[T], work: Callable[[], T]) -> None:
    """Do `work` now, whether or not somebody still waits for it, as a thread would."""
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - as aiosqlite and executors do: the caller gets whatever it was
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


Turn = Callable[[Callable[[], None]], None]


class TurnConnection:
    """`aiosqlite.Connection` without its thread: real sqlite3, one call per turn of the loop, in order.

    `on_turn`, when set, is given each call to run, and may leave it undone: then its caller waits for ever, as for a dead
    process.
    """

    on_turn: Turn | None = None

    def __init__(self, database: str | Path, **settings: Any) -> None:
        self._database, self._settings = database, settings
        self._db: sqlite3.Connection | None = None

    @classmethod
    def install(cls) -> None:
        """Put it in the place of aiosqlite's, for good."""
        setattr(aiosqlite, "connect", cls)  # noqa: B010 - an assignment would be refused: it is another type

    def __await__(self) -> Generator[Any, None, TurnConnection]:
        return self._connect().__await__()

    @property
    def _conn(self) -> sqlite3.Connection:
        if self._db is None:
            raise ValueError("no active connection")
        return self._db

    async def close(self) -> None:
        """Close behind what was asked before; twice is fine."""
        await asyncio.sleep(0)
        self.drop()

    def drop(self) -> None:
        """Let go of the file without a turn, as when the process dies."""
        if self._db is not None:
            self._db.close()
            self._db = None

    async def _connect(self) -> TurnConnection:
        self._db = await self._execute(partial(sqlite3.connect, self._database, **self._settings))
        return self

    async def _execute(self, work: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        loop.call_soon(self._turn, partial(settle, future, partial(work, *args)))
        return await future

    def _turn(self, call: Callable[[], None]) -> None:
        if self.on_turn is None:
            call()
        else:
            self.on_turn(call)
