"""One thread that owns a blocking handle which several other threads use: the blocking counterpart of `worker_thread`.

A token has one session and one thread (chip.md 7), while every lane's reader thread asks it. Callers wait, each for its own
call, so no more calls can wait than there are callers. A call that gets stuck gives the thread up: it ends by itself, should
the call ever return, and the next caller is given a new thread only then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class StuckError(Exception):
    """A call did not return in time, or an earlier one has not returned yet."""


class OwnerThread:
    """Runs functions one after another. Starts with the first call; used from any thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._calls: SimpleQueue[_Call[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stuck: _Call[Any] | None = None

    def call(self, fn: Callable[[], _T], limit_s: float) -> _T:
        """Run ``fn`` on the thread and return or raise what it does. StuckError after ``limit_s`` seconds.

        A call that is still waiting for its turn then never runs.
        """
        call = _Call(fn)
        with self._lock:
            if self._stuck is not None and not self._stuck.done.is_set():
                raise StuckError(f"{self._name}: an earlier call has not come back")
            self._stuck = None
            self._start()
            self._calls.put(call)
        if not call.done.wait(limit_s) and not call.withdraw():
            with self._lock:
                self._stuck = call
            raise StuckError(f"{self._name}: no answer within {limit_s:g} s")
        return call.result()

    def close(self, limit_s: float) -> None:
        """End the thread once the calls before are done; a stuck one is left to itself. Twice is fine; a call starts it anew."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is None:
                return
            self._calls.put(None)
            self._calls = SimpleQueue()
            stuck = self._stuck is not None and not self._stuck.done.is_set()
        if not stuck:  # nobody waits for that one a second time
            thread.join(limit_s)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True)
            self._thread.start()


class _Call(Generic[_T]):
    """One function on its way to the thread, and its outcome."""

    __slots__ = ("_error", "_fn", "_taken", "_value", "done")

    def __init__(self, fn: Callable[[], _T]) -> None:
        self._fn = fn
        self._taken = threading.Lock()  # by the thread that runs it, or by its caller who leaves
        self._value: list[_T] = []
        self._error: BaseException = StuckError("the call's turn never came")
        self.done = threading.Event()

    def run(self) -> None:
        """Run on the thread, unless the caller has left; nothing the function raises may end the thread."""
        if not self.withdraw():
            return
        try:
            self._value.append(self._fn())
        except BaseException as error:  # noqa: BLE001 - not swallowed: it is raised again in the caller
            self._error = error
        self.done.set()

    def withdraw(self) -> bool:
        """Take the call out; False when that was done already."""
        return self._taken.acquire(blocking=False)

    def result(self) -> _T:
        """What the function returned; raises what it raised."""
        if self._value:
            return self._value[0]
        raise self._error


def _serve(calls: SimpleQueue[_Call[Any] | None]) -> None:
    while True:
        call = calls.get()
        if call is None:
            return
        call.run()
        del call  # its outcome belongs to the caller alone
