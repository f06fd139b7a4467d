"""One reader's PC/SC context and card, as its thread uses them: everything here blocks (see `pcsc_link`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from controller.chips.script import Script, drive
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.scard_binding import ANY_PROTOCOL, HEADERS, scard
from controller.hal.chip.stopwatch import CostMeter

T = TypeVar("T")
Trace = Callable[[bytes, bytes], None]

SLICE_S = 0.25  # longest wait inside pcscd, so that a cancelled wait for a card ends soon

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


class Order:
    """How long a call may go on, read by the thread between commands, and what measures it."""

    def __init__(self, deadline: Deadline, meter: CostMeter) -> None:
        self.deadline, self.meter = deadline, meter
        self.stop = threading.Event()  # the caller has left

    def go_on(self) -> None:
        """Raise when no further command may be sent."""
        if self.stop.is_set() or self.deadline.passed:
            raise _CardLostError(
                DeviceRefused("chip_silent", "stopped between two commands: the deadline passed or the caller left")
            )


class Session:
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

    def check(self, _order: Order) -> None:
        """DeviceAbsent unless the reader is listed under its exact name."""
        names = self._list_readers()
        if self._reader_name not in names:
            listed = ", ".join(f"'{name}'" for name in names) or "none"
            raise DeviceAbsent("reader_absent", f"'{self._reader_name}' is not among the readers; there are: {listed}")

    def take(self, script: Callable[[], Script[T]], order: Order) -> T:
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

    def run(self, script: Script[T], order: Order) -> T:
        """See PcscLink.run. After an error only a chip that still talks is kept."""
        if self._card is None:
            raise DeviceUnknown("reader_lost", "no card is held")
        with ExitStack() as undo:
            undo.callback(self.drop, order)
            try:
                with order.meter.whole:
                    result = drive(script, partial(self._transmit, order))
            except _CardLostError as error:
                raise DeviceUnknown("chip_silent", str(error)) from error
            except DeviceRefused:
                undo.pop_all()
                raise
            undo.pop_all()
            return result

    def reset(self, order: Order) -> None:
        """See PcscLink.reset."""
        assert self._card is not None  # callers connect first
        handle, _ = self._card
        try:
            order.go_on()
            with order.meter.whole, order.meter.chip:
                hresult, protocol = scard.SCardReconnect(
                    handle, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL, scard.SCARD_RESET_CARD
                )
            if hresult != scard.SCARD_S_SUCCESS:
                raise _failure(hresult, "reset the card")
        except _CardLostError as error:
            self.drop()
            raise DeviceUnknown("chip_silent", str(error)) from error
        except DeviceError as error:
            self.drop()
            raise DeviceUnknown("reader_lost", error.detail) from error
        self._card = (handle, HEADERS[protocol])

    def drop(self, _order: Order | None = None) -> None:
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

    def _connect_and_run(self, script: Script[T], order: Order) -> T:
        with ExitStack() as undo:
            undo.callback(self.drop)
            with order.meter.whole:
                with order.meter.chip:
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

    def _transmit(self, order: Order, command: bytes) -> bytes:
        order.go_on()
        assert self._card is not None  # callers connect first; pyscard breaks on a handle of 0
        handle, header = self._card
        numbers = list(command)
        order.meter.sent(len(numbers))
        with order.meter.chip:
            hresult, answer = scard.SCardTransmit(handle, header, numbers)
        order.meter.received(len(answer))
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
            raise no_service(hresult, "wait for a card")
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
        raise no_service(hresult, "list the readers")

    def _establish(self) -> None:
        hresult, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        if hresult != scard.SCARD_S_SUCCESS:
            raise no_service(hresult, "reach pcscd")
        self._context = context

    def _forget_context(self) -> None:
        """Release the context; a card held through it is gone with it."""
        context, self._context, self._card = self._context, None, None
        if context is not None:
            scard.SCardReleaseContext(context)


def no_service(hresult: int, doing: str) -> DeviceError:
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
