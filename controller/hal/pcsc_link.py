"""The link to one PC/SC reader (chip.md 6.3 to 6.5).

    PcscLink (event loop) --one call per script--> _Session (on the reader's own thread) --> pcscd --> reader --> card

What the facts force:
- Raw `scard`: the object layer of pyscard loses its monitor for good when pcscd restarts.
- Exclusive connection: another client that connects and leaves would reset our card.
- A broken connection is never used again. pcscd lets an old handle reach a card that was swapped in quickly, so after any
  failure only `take` opens a new one, and it always runs a script of its own (which reads the UID) on what it connected.
- A transmit to a hung card never returns and cannot be stopped. Its thread is given up at the deadline; until that thread
  comes back the reader counts as lost, so at most one such thread exists for each reader.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from controller.chips.script import Script, drive
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.scard_binding import ANY_PROTOCOL, HEADERS, scard
from controller.hal.worker_thread import WorkerThread

T = TypeVar("T")
Trace = Callable[[bytes, bytes], None]

CHECK_S = 2.0  # pcscd answers in under a millisecond; one that needs longer is frozen
LATE_S = 0.5  # the thread ends its call this long after the deadline, unless it is stuck
SLICE_S = 0.25  # longest wait inside pcscd, so that a cancelled wait for a card ends soon
PAST_POLL_S = 0.05  # how often we look whether a thread that was given up has come back

_SERVICE_GONE = {scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED, scard.SCARD_E_INVALID_HANDLE,
                 scard.SCARD_W_SECURITY_VIOLATION}  # fmt: skip  # the last: polkit does not let this user in
_READER_GONE = {scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE, scard.SCARD_E_NO_READERS_AVAILABLE}
_CARD_GONE = {scard.SCARD_W_REMOVED_CARD, scard.SCARD_W_RESET_CARD, scard.SCARD_W_UNPOWERED_CARD, scard.SCARD_W_UNSUPPORTED_CARD,
              scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_E_NO_SMARTCARD, scard.SCARD_E_NOT_TRANSACTED,
              scard.SCARD_E_PROTO_MISMATCH, scard.SCARD_E_NOT_READY}  # fmt: skip


class _CardLostError(Exception):
    """No use can be made of the card: it is silent, gone, was reset, or another program holds it."""

    def __init__(self, idle: DeviceError) -> None:
        super().__init__(idle.detail)
        self.idle = idle  # what it means while nothing is being written; during a write it is DeviceUnknown


class PcscLink:
    """One reader, known by the exact name pcscd gives it. One task uses it at a time; a second one gets RuntimeError."""

    def __init__(self, reader_name: str, trace: Trace | None = None) -> None:
        """Opens nothing; the first call does, and every later call survives a restart of pcscd in between.

        `trace` is told of every command and its answer, on the reader's thread: for technicians only.
        """
        self._reader_name = reader_name
        self._trace = trace
        self._past: _Session | None = None  # its thread was given up
        self._session, self._thread = self._fresh()

    async def check(self) -> None:
        """DeviceAbsent when pcscd or the reader is not there or does not answer. Touches no card."""
        deadline = Deadline.after(CHECK_S)
        await self._past_over(deadline)
        try:
            await self._call(self._session.check, deadline)
        except TimeoutError as error:
            raise DeviceAbsent("pcsc_absent", f"pcscd does not answer within {CHECK_S} s") from error

    async def take(self, script: Callable[[], Script[T]], deadline: Deadline) -> T:
        """Wait for a card, connect to it alone, run a script that may be repeated (it tells which card this is), keep the card.

        A card that vanishes meanwhile is waited for again. DeviceAbsent without pcscd or reader, or while another program
        holds the card; DeviceRefused("chip_silent") when no card answers before the deadline.
        """
        await self._past_over(deadline)
        return await self._bounded(partial(self._session.take, script), deadline)

    async def run(self, script: Script[T], deadline: Deadline) -> T:
        """Run a script on the card that is held. DeviceUnknown when none is held, or when it or the reader was lost meanwhile."""
        if not self._session.holds_card:
            raise DeviceUnknown("reader_lost", "no card is held")
        return await self._bounded(partial(self._session.run, script), deadline)

    async def reset(self, deadline: Deadline) -> None:
        """Switch the card that is held off and on: it forgets what was selected and every session. Errors as for `run`.

        Another card may answer afterwards: the next script must ask for the UID first. When the card has left, pcscd overlooks
        the next one if that comes within its polling interval (as in `_Session.drop`); no printer is that quick.
        """
        if not self._session.holds_card:
            raise DeviceUnknown("reader_lost", "no card is held")
        await self._bounded(self._session.reset, deadline)

    async def aside(self, work: Callable[[], T], deadline: Deadline) -> T:
        """Do something that is not for the card on the reader's thread, which scripts run on: what belongs to a key holder.

        TimeoutError when it does not come back; the thread is given up then.
        """
        return await self._call(lambda _order: work(), deadline)

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

    async def _bounded(self, work: Callable[[_Order], T], deadline: Deadline) -> T:
        try:
            return await self._call(work, deadline)
        except TimeoutError as error:
            raise DeviceUnknown("chip_silent", "the card did not answer before the deadline; its reader is given up") from error

    async def _call(self, work: Callable[[_Order], T], deadline: Deadline) -> T:
        """Run `work` on the reader's thread. TimeoutError when the thread is stuck; it is then given up."""
        order = _Order(deadline)
        try:
            async with asyncio.timeout(deadline.left_s() + LATE_S):
                return await self._thread.call(work, order)
        except TimeoutError:
            await self._thread.close(last=self._session.shut, wait_s=0)
            self._past = self._session
            self._session, self._thread = self._fresh()
            raise
        finally:
            order.stop.set()

    async def _past_over(self, deadline: Deadline) -> None:
        """Wait for a thread that was given up: while it is stuck, a new one would only get stuck beside it."""
        while self._past is not None and not self._past.over.is_set():
            if deadline.passed:
                raise DeviceAbsent("reader_lost", "an earlier command to the card has not come back; "
                                                  "take the card out of the reader, or restart pcscd")  # fmt: skip
            await asyncio.sleep(min(PAST_POLL_S, deadline.left_s()))
        self._past = None

    def _fresh(self) -> tuple[_Session, WorkerThread]:
        return _Session(self._reader_name, self._trace), WorkerThread(f"pcsc {self._reader_name}")


class _Order:
    """How long a call may go on; read by the thread between commands."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.stop = threading.Event()  # the caller has left

    def go_on(self) -> None:
        """Raise when no further command may be sent."""
        if self.stop.is_set() or self.deadline.passed:
            raise _CardLostError(
                DeviceRefused("chip_silent", "stopped between two commands: the deadline passed or the caller left")
            )


class _Session:
    """PC/SC context and card of one reader. Every method runs on the reader's thread, except where it says otherwise."""

    def __init__(self, reader_name: str, trace: Trace | None) -> None:
        self._reader_name = reader_name
        self._trace = trace
        self._context: int | None = None
        self._card: tuple[int, int] | None = None  # handle, protocol header for it
        self.over = threading.Event()  # set for good by `shut`

    @property
    def holds_card(self) -> bool:
        """Whether a card is connected. Any thread may ask."""
        return self._card is not None

    def check(self, _order: _Order) -> None:
        """DeviceAbsent unless the reader is listed under its exact name."""
        names = self._list_readers()
        if self._reader_name not in names:
            listed = ", ".join(f"'{name}'" for name in names) or "none"
            raise DeviceAbsent("reader_absent", f"'{self._reader_name}' is not among the readers; there are: {listed}")

    def take(self, script: Callable[[], Script[T]], order: _Order) -> T:
        """See PcscLink.take."""
        self.drop(order)
        self.check(order)
        lost = _CardLostError(DeviceRefused("chip_silent", "no card in the field"))
        state = scard.SCARD_STATE_UNAWARE
        while not order.stop.is_set() and not order.deadline.passed:
            state = self._wait_change(state, order.deadline)
            if state & scard.SCARD_STATE_PRESENT:
                try:
                    return self._connect_and_run(script(), order)
                except _CardLostError as error:
                    lost = error
        raise lost.idle from lost

    def run(self, script: Script[T], order: _Order) -> T:
        """See PcscLink.run. After an error only a chip that still talks is kept."""
        if self._card is None:
            raise DeviceUnknown("reader_lost", "no card is held")
        with ExitStack() as undo:
            undo.callback(self.drop, order)
            try:
                result = drive(script, partial(self._transmit, order))
            except _CardLostError as error:
                raise DeviceUnknown("chip_silent", str(error)) from error
            except DeviceRefused:
                undo.pop_all()
                raise
            undo.pop_all()
            return result

    def reset(self, order: _Order) -> None:
        """See PcscLink.reset."""
        order.go_on()
        assert self._card is not None  # callers connect first
        handle, _ = self._card
        hresult, protocol = scard.SCardReconnect(handle, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL, scard.SCARD_RESET_CARD)
        if hresult != scard.SCARD_S_SUCCESS:
            self.drop()
            failure = _failure(hresult, "reset the card")
            raise DeviceUnknown("chip_silent" if isinstance(failure, _CardLostError) else "reader_lost", str(failure))
        self._card = (handle, HEADERS[protocol])

    def drop(self, _order: _Order | None = None) -> None:
        """Let go of the card as it is.

        Never by switching it off or resetting it: when the card has left, pcscd takes the failure of that for its removal and
        then overlooks the next card, if that one comes within its polling interval (seen with pcscd 1.9.9).
        """
        card, self._card = self._card, None
        if card is not None:
            scard.SCardDisconnect(card[0], scard.SCARD_LEAVE_CARD)

    def shut(self) -> None:
        """Let go of everything; the session is over."""
        self.drop()
        self._forget_context()
        self.over.set()

    def _connect_and_run(self, script: Script[T], order: _Order) -> T:
        with ExitStack() as undo:
            undo.callback(self.drop)
            self._connect()
            result = drive(script, partial(self._transmit, order))
            undo.pop_all()
            return result

    def _connect(self) -> None:
        hresult, handle, protocol = scard.SCardConnect(
            self._context, self._reader_name, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL
        )
        if hresult != scard.SCARD_S_SUCCESS:
            raise _failure(hresult, "connect to the card")
        self._card = (handle, HEADERS[protocol])

    def _transmit(self, order: _Order, command: bytes) -> bytes:
        order.go_on()
        assert self._card is not None  # callers connect first; pyscard breaks on a handle of 0
        handle, header = self._card
        hresult, answer = scard.SCardTransmit(handle, header, list(command))
        if hresult != scard.SCARD_S_SUCCESS:
            failure = _failure(hresult, "send a command to the card")
            raise failure if isinstance(failure, _CardLostError) else DeviceUnknown("reader_lost", failure.detail)
        if self._trace is not None:
            self._trace(command, bytes(answer))
        if not answer:  # pcscd reports success for a card that died during the command
            raise _CardLostError(DeviceRefused("chip_silent", "the card gave no answer"))
        return bytes(answer)

    def _wait_change(self, state: int, deadline: Deadline) -> int:
        """The reader's state once it differs from `state`, or unchanged after a slice."""
        wait_ms = min(int(SLICE_S * 1000), deadline.left_ms())
        hresult, states = scard.SCardGetStatusChange(self._context, wait_ms, [(self._reader_name, state)])
        if hresult == scard.SCARD_E_TIMEOUT:
            return state
        if hresult != scard.SCARD_S_SUCCESS:
            self._forget_context()
            raise _no_service(hresult, "wait for a card")
        seen: int = states[0][1] & ~scard.SCARD_STATE_CHANGED
        return seen

    def _list_readers(self) -> list[str]:
        """Every reader's name. A context that died with an earlier pcscd is replaced once."""
        stale = self._context is not None
        if self._context is None:
            self._establish()
        hresult, names = scard.SCardListReaders(self._context, [])
        if hresult == scard.SCARD_S_SUCCESS:
            return list(names)
        if hresult == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        self._forget_context()
        if stale:
            return self._list_readers()
        raise _no_service(hresult, "list the readers")

    def _establish(self) -> None:
        hresult, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        if hresult != scard.SCARD_S_SUCCESS:
            raise _no_service(hresult, "reach pcscd")
        self._context = context

    def _forget_context(self) -> None:
        """Release the context; a card held through it is gone with it."""
        context, self._context, self._card = self._context, None, None
        if context is not None:
            scard.SCardReleaseContext(context)


def _no_service(hresult: int, doing: str) -> DeviceError:
    """As `_failure`, for what involves no card."""
    failure = _failure(hresult, doing)
    return failure.idle if isinstance(failure, _CardLostError) else failure


def _failure(hresult: int, doing: str) -> DeviceError | _CardLostError:
    """What a PC/SC error word means while nothing is being written."""
    detail = f"{doing}: {scard.SCardGetErrorMessage(hresult)} (0x{hresult & 0xFFFFFFFF:08X})"
    if hresult in _CARD_GONE:
        return _CardLostError(DeviceRefused("chip_silent", detail))
    if hresult == scard.SCARD_E_SHARING_VIOLATION:
        return _CardLostError(DeviceAbsent("reader_busy", detail))
    if hresult in _SERVICE_GONE:
        return DeviceAbsent("pcsc_absent", detail)
    if hresult in _READER_GONE:
        return DeviceAbsent("reader_absent", detail)
    return DeviceUnknown("reader_lost", detail)
