"""The sensors of one lane: three beams that count cards and three level sensors, over a pin source.

A beam goes active when a card enters it and counts then, so one passage counts once. Beams have no debounce (Schmitt inputs,
ecosystem.md 1); the level sensors are switches and have 50 ms. While the source is not trusted nothing is known; what passed
meanwhile is lost, and `gaps` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.clock import Deadline
from controller.hal.pins.pin_source import PinEdge, PinSource
from controller.model import Beam, LaneLevels

_SWITCH_BOUNCE_S = 0.05


@dataclass(frozen=True, slots=True)
class LanePins:
    """Where a lane's sensors are wired, BCM numbers 0-27."""

    feed_beam: int
    exit_beam: int
    reject_beam: int
    hopper_low: int
    hopper_empty: int
    bin_full: int


class GpioLaneSensors:
    """`ports.LaneSensors` over a pin source of its own."""

    def __init__(self, source: PinSource, pins: LanePins) -> None:
        """Takes the source for itself; the caller runs `source.run()`."""
        self._pins = pins
        self._beams = {pins.feed_beam: Beam.FEED, pins.exit_beam: Beam.EXIT, pins.reject_beam: Beam.REJECT}
        self._seen: dict[int, bool] = {}  # empty while the source is not trusted
        self._passes = dict.fromkeys(Beam, 0)
        self._passed = {beam: asyncio.Event() for beam in Beam}
        self._gaps = 0
        self._handlers: list[Callable[[], None]] = []
        switches = (pins.hopper_low, pins.hopper_empty, pins.bin_full)
        source.attach(self, dict.fromkeys(self._beams) | dict.fromkeys(switches, _SWITCH_BOUNCE_S))

    @property
    def levels(self) -> LaneLevels | None:
        """The levels now; None while the pin source is not trusted."""
        if not self._seen:
            return None
        pins, seen = self._pins, self._seen
        return LaneLevels(
            feed_beam=seen[pins.feed_beam],
            exit_beam=seen[pins.exit_beam],
            reject_beam=seen[pins.reject_beam],
            hopper_low=seen[pins.hopper_low],
            hopper_empty=seen[pins.hopper_empty],
            bin_full=seen[pins.bin_full],
        )

    @property
    def gaps(self) -> int:
        """How often the source was lost: if it grew, "no card passed" proves nothing."""
        return self._gaps

    def passes(self, beam: Beam) -> int:
        """How many cards this beam has seen since the station started."""
        return self._passes[beam]

    async def wait_pass(self, beam: Beam, after: int, deadline: Deadline) -> bool:
        """Wait until the beam has seen more than `after` cards; False when the deadline comes first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline.left_s()):
                while self._passes[beam] <= after:
                    await self._passed[beam].wait()
        return self._passes[beam] > after

    def on_change(self, handler: Callable[[], None]) -> None:
        """Call `handler` on the event loop whenever `levels` or a count changed."""
        self._handlers.append(handler)

    def pins_read(self, levels: Mapping[int, bool]) -> None:
        """Every level anew; for the pin source."""
        self._seen = dict(levels)
        self._tell()

    def pin_changed(self, edge: PinEdge) -> None:
        """One sensor changed; for the pin source."""
        self._seen[edge.pin] = edge.active
        beam = self._beams.get(edge.pin)
        if edge.active and beam is not None:
            self._passes[beam] += 1
            self._passed[beam].set()  # wakes everyone who waits now, even though it is cleared at once
            self._passed[beam].clear()
        self._tell()

    def pins_lost(self) -> None:
        """Nothing is known any more; for the pin source."""
        self._seen = {}
        self._gaps += 1
        self._tell()

    def _tell(self) -> None:
        for handler in self._handlers:
            handler()
