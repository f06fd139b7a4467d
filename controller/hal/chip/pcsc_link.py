"""The link to one PC/SC reader (chip.md 6.3 to 6.5).

    PcscLink (event loop) --one call per script--> Session (on the reader's own thread) --> pcscd --> reader --> card

What the facts force:
- Raw `scard`: the object layer of pyscard loses its monitor for good when pcscd restarts.
- Exclusive connection: another client that connects and leaves would reset our card.
- A broken connection is never used again. pcscd lets an old handle reach a card that was swapped in quickly, so after any
  failure only `take` opens a new one, and it always runs a script of its own (which reads the UID) on what it connected.
- A transmit to a hung card never returns and cannot be stopped. Its thread is given up at the deadline; until that thread
  comes back the reader counts as stuck, so at most one such thread exists for each reader. A key holder that never answers
  holds the same thread up; its stopwatch tells which of them it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from controller.chips.script import Script
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.chip.pcsc_session import Order, Session, Trace
from controller.hal.chip.stopwatch import CostMeter
from controller.hal.worker_thread import WorkerThread

T = TypeVar("T")

CHECK_S = 2.0  # pcscd answers in under a millisecond; one that needs longer is frozen
LATE_S = 0.5  # the thread ends its call this long after the deadline, unless it is stuck
PAST_POLL_S = 0.05  # how often we look whether a thread that was given up has come back
_PCSCD_STUCK = ("pcsc_absent", "pcscd has not answered an earlier question; restart it")
_CARD_STUCK = ("reader_stuck", "an earlier command to the card has not come back; take the card off the reader, or restart pcscd")
_KEYS_STUCK = ("sam_absent", "the key holder has not answered an earlier command; take the SAM out and put it in again, "
                             "or restart pcscd")  # fmt: skip


class PcscLink:
    """One reader, known by the exact name pcscd gives it. One task uses it at a time; a second one gets RuntimeError."""

    def __init__(self, reader_name: str, trace: Trace | None = None) -> None:
        """Opens nothing; the first call does, and every later call survives a restart of pcscd in between.

        `trace` is told of every command and its answer, on the reader's thread: for technicians only.
        """
        self._reader_name = reader_name
        self._trace = trace
        self._past: Session | None = None  # its thread was given up
        self._stuck = _CARD_STUCK  # what it was given up for: condition and words
        self._session, self._thread = self._fresh()

    async def check(self) -> None:
        """DeviceAbsent when pcscd or the reader is not there or does not answer. Touches no card."""
        deadline = Deadline.after(CHECK_S)
        await self._past_over(deadline)
        try:
            await self._call(self._session.check, deadline, stuck=_PCSCD_STUCK)
        except TimeoutError as error:
            raise DeviceAbsent("pcsc_absent", f"pcscd does not answer within {CHECK_S} s") from error

    async def take(self, script: Callable[[], Script[T]], deadline: Deadline, meter: CostMeter | None = None) -> T:
        """Wait for a card, connect to it alone, run a script that may be repeated (it tells which card this is), keep the card.

        A card that vanishes meanwhile is waited for again; `meter` measures all but the waits. DeviceAbsent without pcscd or
        reader, or while another program holds the card; DeviceRefused("chip_silent") when no card answers before the deadline.
        """
        await self._past_over(deadline)
        return await self._bounded(partial(self._session.take, script), deadline, meter)

    async def run(self, script: Script[T], deadline: Deadline, meter: CostMeter | None = None) -> T:
        """Run a script on the card that is held. DeviceUnknown when none is held, or when it or the reader was lost meanwhile."""
        if not self._session.holds_card:
            raise DeviceUnknown("reader_lost", "no card is held")
        return await self._bounded(partial(self._session.run, script), deadline, meter)

    async def reset(self, deadline: Deadline, meter: CostMeter | None = None) -> None:
        """Switch the card that is held off and on: it forgets what was selected and every session. Errors as for `run`.

        Another card may answer afterwards: the next script must ask for the UID first. When the card has left, pcscd overlooks
        the next one if that comes within its polling interval (as in `Session.drop`); no printer is that quick.
        """
        if not self._session.holds_card:
            raise DeviceUnknown("reader_lost", "no card is held")
        await self._bounded(self._session.reset, deadline, meter)

    async def aside(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Do something that is not for the card on the reader's thread, which scripts run on: what belongs to a key holder.

        TimeoutError when it does not come back; the thread is given up then.
        """
        return await self._call(lambda _order: work(), deadline, stuck=_KEYS_STUCK)

    async def release(self) -> None:
        """Let go of the card, so that it may be moved or used by others. Never fails, nothing to do without a card."""
        if not self._thread.usable:
            return  # closed: nothing is held
        try:
            await self._call(self._session.drop, Deadline.after(CHECK_S))
        except TimeoutError:
            return  # the thread was given up and drops the card when it comes back

    async def close(self) -> None:
        """Let go of card, context and thread. Closing twice is fine."""
        await self._thread.close(last=self._session.shut, wait_s=CHECK_S)

    async def _bounded(self, work: Callable[[Order], T], deadline: Deadline, meter: CostMeter | None) -> T:
        try:
            return await self._call(work, deadline, meter)
        except TimeoutError as error:
            if self._stuck is _KEYS_STUCK:
                raise DeviceUnknown("sam_absent", "the key holder did not answer before the deadline; it is given up") from error
            raise DeviceUnknown("chip_silent", "the card did not answer before the deadline; its reader is given up") from error

    async def _call(self, work: Callable[[Order], T], deadline: Deadline, meter: CostMeter | None = None,
                    stuck: tuple[str, str] = _CARD_STUCK) -> T:  # fmt: skip
        """Run `work` on the reader's thread. TimeoutError when the thread is stuck; it is then given up.

        `_stuck` says for what: for the key holder when the meter says that this is waited for, else for `stuck`.
        """
        order = Order(deadline, CostMeter() if meter is None else meter)
        try:
            async with asyncio.timeout(deadline.left_s() + LATE_S):
                return await self._thread.call(work, order)
        except TimeoutError:
            await self._thread.close(last=self._session.shut, wait_s=0)
            self._past, self._stuck = self._session, _KEYS_STUCK if order.meter.waits_for_keys else stuck
            self._session, self._thread = self._fresh()
            raise
        finally:
            order.stop.set()

    async def _past_over(self, deadline: Deadline) -> None:
        """Wait for a thread that was given up: while it is stuck, a new one would only get stuck beside it."""
        while self._past is not None and not self._past.over.is_set():
            if deadline.passed:
                raise DeviceAbsent(*self._stuck)
            await asyncio.sleep(min(PAST_POLL_S, deadline.left_s()))
        self._past = None

    def _fresh(self) -> tuple[Session, WorkerThread]:
        return Session(self._reader_name, self._trace), WorkerThread(f"pcsc {self._reader_name}")
