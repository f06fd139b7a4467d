"""What a lane's pins and the front panel's pins mean: sensors and buttons are contacts to ground (level 0 = it is so),
lamps are outputs of the station (level 1 = lit)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.clock import Clock
from hwsim.errors import SimError
from hwsim.wires.pigpiod import PinBank

MAX_LAMP_CHANGES = 1_000  # the history is for tests and demos; a blinking lamp must not fill the memory
LAMPS, BUTTONS = ("green", "amber", "red"), ("go", "hold")
_SO, _NOT_SO = 0, 1


class LaneSensors:
    """Beams, hopper contacts and bin contact of one lane."""

    def __init__(self, bank: PinBank, pins: dict[str, int], clock: Clock) -> None:
        self._bank, self._pins, self._clock = bank, pins, clock
        for pin in pins.values():
            bank.drive(pin, _NOT_SO)

    def show(self, sensor: str, so: bool) -> None:
        """Set a contact; one that is not wired is nothing."""
        if sensor not in self._pins:
            return
        level = _SO if so else _NOT_SO
        if self._bank.level(self._pins[sensor]) != level:
            self._bank.drive(self._pins[sensor], level)

    async def pass_beam(self, beam: str, seconds: float) -> None:
        """A card goes through: two edges, with a turn of the loop between them at any speed."""
        if beam not in self._pins:
            await self._clock.motion(seconds)
            return
        self._bank.drive(self._pins[beam], _SO)
        try:
            await self._clock.motion(seconds)
        finally:
            self._bank.drive(self._pins[beam], _NOT_SO)


@dataclass(frozen=True, slots=True)
class LampChange:
    """One change of a lamp."""

    at_s: float
    lamp: str
    lit: bool


class FrontPanel:
    """GO and HOLD, and the three lamps."""

    def __init__(self, bank: PinBank, pins: dict[str, int], now_s: Callable[[], float]) -> None:
        self._bank, self._pins, self._now_s = bank, pins, now_s
        self._names = {pins[lamp]: lamp for lamp in LAMPS}
        self.lamps = dict.fromkeys(LAMPS, False)
        self.history: deque[LampChange] = deque(maxlen=MAX_LAMP_CHANGES)
        for button in BUTTONS:
            bank.drive(pins[button], _NOT_SO)
        bank.on_write = self._written

    async def press(self, button: str, seconds: float) -> None:
        """Hold a button down for so long, wall clock."""
        if button not in BUTTONS:
            raise SimError(f"there is no button {button!r}; there are: {', '.join(BUTTONS)}")
        self._bank.drive(self._pins[button], _SO)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._bank.drive(self._pins[button], _NOT_SO)

    def _written(self, pin: int, level: int) -> None:
        lamp = self._names.get(pin)
        if lamp is not None and self.lamps[lamp] != bool(level):
            self.lamps[lamp] = bool(level)
            self.history.append(LampChange(self._now_s(), lamp, bool(level)))
