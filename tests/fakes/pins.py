"""Lane sensors and front panel in memory, for tests of the layers above. Held to tests/contract/test_pins.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from controller.clock import Deadline
from controller.model import Beam, Button, Lamps, LaneLevels

CLEAR = LaneLevels(
    feed_beam=False, exit_beam=False, reject_beam=False, hopper_low=False, hopper_empty=False, bin_full=False
)  # fmt: skip
DARK = Lamps(green=False, amber=False, red=False)


class FakeLaneSensors:
    """`ports.LaneSensors`, moved by the test: `sense`, `card_passes`, `lose`, `restore`."""

    def __init__(self) -> None:
        self.gaps = 0
        self._levels = CLEAR
        self._trusted = True
        self._passes = dict.fromkeys(Beam, 0)
        self._passed = asyncio.Event()
        self._handlers: list[Callable[[], None]] = []

    @property
    def levels(self) -> LaneLevels | None:
        return self._levels if self._trusted else None

    def passes(self, beam: Beam) -> int:
        return self._passes[beam]

    async def wait_pass(self, beam: Beam, after: int, deadline: Deadline) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline.left_s()):
                while self._passes[beam] <= after:
                    await self._passed.wait()
        return self._passes[beam] > after

    def on_change(self, handler: Callable[[], None]) -> None:
        self._handlers.append(handler)

    def sense(self, **levels: bool) -> None:
        """Set levels by name, e.g. ``hopper_empty=True``; a beam that goes active counts one card."""
        before, self._levels = self._levels, replace(self._levels, **levels)
        for beam in Beam:
            name = f"{beam.value}_beam"
            if self._trusted and getattr(self._levels, name) and not getattr(before, name):
                self._passes[beam] += 1
                self._passed.set()
                self._passed.clear()
        if self._trusted and self._levels != before:
            self._tell()

    def card_passes(self, beam: Beam) -> None:
        """One card goes through a beam."""
        self.sense(**{f"{beam.value}_beam": True})
        self.sense(**{f"{beam.value}_beam": False})

    def lose(self) -> None:
        """The pin source dies: levels unknown, nothing is counted."""
        self._trusted = False
        self.gaps += 1
        self._tell()

    def restore(self) -> None:
        """The pin source is back and its levels are read again."""
        self._trusted = True
        self._tell()

    def _tell(self) -> None:
        for handler in self._handlers:
            handler()


class FakeFrontPanel:
    """`ports.FrontPanel`, moved by the test: `press`, `lose`, `restore`; `shown` is what the lamps show, dark while lost."""

    def __init__(self) -> None:
        self.trusted = True
        self._lamps = DARK
        self._press_handlers: list[Callable[[Button], None]] = []
        self._change_handlers: list[Callable[[], None]] = []

    @property
    def shown(self) -> Lamps:
        return self._lamps if self.trusted else DARK

    def on_press(self, handler: Callable[[Button], None]) -> None:
        self._press_handlers.append(handler)

    def on_change(self, handler: Callable[[], None]) -> None:
        self._change_handlers.append(handler)

    def set_lamps(self, lamps: Lamps) -> None:
        self._lamps = lamps

    def press(self, button: Button) -> None:
        """Staff press and let go."""
        if self.trusted:
            for handler in self._press_handlers:
                handler(button)

    def lose(self) -> None:
        """The pin source dies."""
        self._set_trusted(False)

    def restore(self) -> None:
        """The pin source is back."""
        self._set_trusted(True)

    def _set_trusted(self, trusted: bool) -> None:
        self.trusted = trusted
        for handler in self._change_handlers:
            handler()
