"""One thread that owns one blocking handle (pins, a serial port): the loop asks, the thread does, in order.

Contract: everything that touches the handle runs on this thread. A call that misses its deadline raises TimeoutError and
leaves the thread stuck; its owner then ends it, and a thread that cannot end is abandoned. It is a daemon thread (not one of
`concurrent.futures`, whose threads are joined at exit), so a stuck one never keeps the process from stopping.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_JOIN_S = 0.2  # the thread has said goodbye and only has to return


class OwnerThread:
    """Runs the blocking calls of one handle. `closing` is run by the thread as its last act, whatever happened before."""

    def __init__(self, name: str, closing: Callable[[], None]) -> None:
        """Start the thread; must be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._closing = closing
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._busy = False
        self._works: SimpleQueue[Callable[[], None] | None] = SimpleQueue()  # at most one call and the end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, work: Callable[[], T], limit_s: float) -> T:
        """What `work` returns or raises; TimeoutError after `limit_s` seconds, and then only `end` makes sense."""
        if self._busy:
            raise RuntimeError(f"two tasks use the handle of thread {self._thread.name!r}")
        self._busy = True
        answer: asyncio.Future[T] = self._loop.create_future()
        self._works.put(functools.partial(self._answer, work, answer))
        # wait() and not timeout(): an answer that came while the loop itself was late still counts.
        try:
            await asyncio.wait({answer}, timeout=limit_s)
            if not answer.done():
                raise TimeoutError(f"no answer within {limit_s} s")
        finally:
            answer.cancel()  # no effect on an answer that is there; a late one is dropped in silence
        self._busy = False
        return answer.result()

    async def end(self, limit_s: float) -> bool:
        """Let the thread finish its call, close the handle and stop; False when it is still stuck after `limit_s`. Repeatable."""
        self._works.put(None)
        await asyncio.wait({self._ended}, timeout=limit_s)
        if self._ended.done():
            self._thread.join(_JOIN_S)
        return self._ended.done()

    def _run(self) -> None:
        try:
            while (work := self._works.get()) is not None:
                work()
        finally:
            self._closing()
            self._tell(self._ended, None, None)

    def _answer(self, work: Callable[[], T], answer: asyncio.Future[T]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - not swallowed: handed to the caller, who awaits it
            self._tell(answer, None, error)
        else:
            self._tell(answer, result, None)

    def _tell(self, future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # its waiter was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
