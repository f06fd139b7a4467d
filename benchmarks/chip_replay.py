"""What was said to a chip and to its SAM, in its order, said again with pyscard's binding and nothing around it: the limit.

Both must give the same answers as before, so both must be as fresh as then (`benchmarks.chip_card`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum

from controller.hal.chip.pcsc_sam import SamSlot
from controller.hal.chip.scard_binding import ANY_PROTOCOL, HEADERS, scard
from controller.hal.chip.stopwatch import Stopwatch
from tools.rig import RigError

_MS = 1000


class Wire(Enum):
    """Between whom."""

    CHIP = "chip"
    SAM = "SAM"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its answer; without either: the card was reset."""

    wire: Wire
    sent: bytes = b""
    back: bytes = b""


RESET = Exchange(Wire.CHIP)


@dataclass(slots=True)
class Replayed:
    """How long each of them took."""

    connect_ms: float = 0.0  # to the chip; a station holds its SAM all the time
    apdu_ms: dict[Wire, list[float]] = field(default_factory=lambda: {wire: [] for wire in Wire})

    def total_ms(self, wire: Wire) -> float:
        """All that was said on one wire, and connecting to the chip."""
        return sum(self.apdu_ms[wire], self.connect_ms if wire is Wire.CHIP else 0.0)


class HeardSlot:
    """A SAM card's slot under a stopwatch, what crosses it noted. See `SamSlot`."""

    def __init__(self, slot: SamSlot, watch: Stopwatch) -> None:
        self._slot, self._watch = slot, watch
        self.heard: list[Exchange] = []
        self.drop, self.close = slot.drop, slot.close

    def connect(self) -> bool:
        """See `SamSlot`."""
        return self._slot.connect()

    def send(self, command: bytes) -> bytes:
        """See `SamSlot`."""
        with self._watch:
            answer = self._slot.send(command)
        self.heard.append(Exchange(Wire.SAM, command, answer))
        return answer


def replay(exchanges: Sequence[Exchange], readers: Mapping[Wire, str]) -> Replayed:
    """RigError when an answer is not what it was. `readers`: PC/SC names; nobody else may hold what is in them."""
    took, answers = Replayed(), []
    with ExitStack() as undo:
        context = _good(scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM))[0]
        undo.callback(scard.SCardReleaseContext, context)
        cards = {}
        for wire in {one.wire for one in exchanges}:
            before_s = time.monotonic()
            cards[wire] = _good(scard.SCardConnect(context, readers[wire], scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL))
            took.connect_ms = _since_ms(before_s) if wire is Wire.CHIP else took.connect_ms
            undo.callback(scard.SCardDisconnect, cards[wire][0], scard.SCARD_LEAVE_CARD)
        for one in exchanges:
            before_s = time.monotonic()
            answers.append(_say(one, *cards[one.wire]))
            took.apdu_ms[one.wire].append(_since_ms(before_s))
    if answers != [one.back for one in exchanges]:
        raise RigError("what was said again was answered otherwise than before: it is not the same chip or SAM")
    return took


def _say(exchange: Exchange, handle: int, protocol: int) -> bytes:
    if exchange is RESET:
        _good(scard.SCardReconnect(handle, scard.SCARD_SHARE_EXCLUSIVE, ANY_PROTOCOL, scard.SCARD_RESET_CARD))
        return b""
    hresult, answer = scard.SCardTransmit(handle, HEADERS[protocol], list(exchange.sent))
    _good((hresult,))
    return bytes(answer)


def _since_ms(before_s: float) -> float:
    return (time.monotonic() - before_s) * _MS


def _good(returned: tuple[int, ...]) -> tuple[int, ...]:
    if returned[0] != scard.SCARD_S_SUCCESS:
        raise RigError(f"PC/SC: {scard.SCardGetErrorMessage(returned[0])}")
    return returned[1:]
