"""One dedicated thread that owns one blocking handle (USB, PC/SC, pins), called from the event loop.

Why not a thread pool: a handle must be touched by one thread only, a stuck call must not keep the process alive, and a
second caller is a bug that has to be loud. At most one function runs and at most one waits behind it, so nothing can pile up.

- A caller that is cancelled leaves its function running to the end (a blocking call cannot be stopped from outside); its
  outcome is dropped and the next call simply waits behind it. A function that has not begun when its caller leaves never runs.
- `abandon` gives up a thread that is stuck for good; the thread ends by itself should its call ever return.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

CLOSE_WAIT_S = 5.0  # the longest slice a link may block after it was told to stop, with room for a slow machine

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Task(Generic[_T]):
    """One function on its way to the thread, and the way back for its outcome."""

    __slots__ = ("_loop", "_work", "done")

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[[], _T]) -> None:
        self._loop = loop
        self._work = work
        self.done: asyncio.Future[tuple[_T | None, BaseException | None]] = loop.create_future()

    def run(self) -> None:
        """Run on the thread; nothing the function raises may end the thread."""
        try:
            self.settle(self._work(), None)
        except BaseException as error:  # noqa: BLE001 - not swallowed: it is raised again in the caller
            self.settle(None, error)

    def settle(self, value: _T | None, error: BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(self._set, value, error)

    def _set(self, value: _T | None, error: BaseException | None) -> None:
        if not self.done.done():
            self.done.set_result((value, error))


class WorkerThread:
    """The owner thread of one blocking handle. Used from one event loop; starts with the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._wake = threading.Condition()
        self._next: _Task[Any] | None = None  # posted, not begun
        self._last: _Task[Any] | None = None  # runs when nothing else is left, then the thread ends
        self._ended = False  # takes no more calls
        self._awaited: _Task[Any] | None = None  # a caller is waiting for it; touched on the loop only
        self._thread: threading.Thread | None = None

    @property
    def usable(self) -> bool:
        """Whether calls are still taken."""
        return not self._ended

    async def call(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``fn`` on the thread and return or raise what it does.

        RuntimeError when another caller is waiting, or when the thread was closed or abandoned.
        """
        if self._awaited is not None:
            raise RuntimeError(f"{self._name}: second call while another is waiting")
        task: _Task[_T] = _Task(asyncio.get_running_loop(), partial(fn, *args, **kwargs))
        self._post(task)
        self._awaited = task
        try:
            value, error = await task.done
        finally:
            self._awaited = None
            self._withdraw(task)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # no error means the function returned a _T

    def abandon(self) -> None:
        """Give the thread up while it is stuck: a waiting caller gets RuntimeError, no new call is taken. Never blocks."""
        with self._wake:
            self._ended = True
            self._next = None
            self._wake.notify()
        if self._awaited is not None:
            self._awaited.settle(None, RuntimeError(f"{self._name}: abandoned"))

    async def close(self, last: Callable[[], object] | None = None, wait_s: float = CLOSE_WAIT_S) -> None:
        """Let the running call end, run ``last`` on the thread, end the thread. After ``wait_s`` it is abandoned instead.

        Closing twice is fine; only the first ``last`` runs. Of a thread given up here it runs late, should the stuck call
        ever return. What ``last`` raises is raised here.
        """
        if self._ended:
            return
        if self._thread is None and last is None:
            self._ended = True
            return
        task: _Task[object] = _Task(asyncio.get_running_loop(), last if last is not None else _nothing)
        with self._wake:
            self._ended = True
            self._last = task
            self._start()
            self._wake.notify()
        done, _ = await asyncio.wait([task.done], timeout=wait_s)
        if not done:
            self.abandon()
            return
        assert self._thread is not None
        self._thread.join(1.0)  # its last statement was run: this is microseconds
        error = task.done.result()[1]
        if error is not None:
            raise error

    def _post(self, task: _Task[Any]) -> None:
        with self._wake:
            if self._ended:
                raise RuntimeError(f"{self._name}: closed")
            self._next = task
            self._start()
            self._wake.notify()

    def _withdraw(self, task: _Task[Any]) -> None:
        with self._wake:
            if self._next is task:
                self._next = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        while True:
            task, final = self._take()
            if task is not None:
                task.run()
            if final:
                return

    def _take(self) -> tuple[_Task[Any] | None, bool]:
        """Wait for work; the flag says that the thread ends after it."""
        with self._wake:
            while self._next is None:
                if self._ended:
                    return self._last, True
                self._wake.wait()
            task, self._next = self._next, None
            return task, False


def _nothing() -> None:
    return None
