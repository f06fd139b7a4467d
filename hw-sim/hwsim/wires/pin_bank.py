"""28 GPIO pins between a station and the simulated world, with pigpiod's levels, pulls and glitch filter.

Pure: time is asked from a given clock and never waited for. `left_us` says when `settle` has something to report.
Source: pigpio.c of pigpio 79 (alertGlitchFilter, gpioWrite, gpioSetMode).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

PINS = 28
INPUT, OUTPUT = 0, 1
PULL_OFF, PULL_DOWN, PULL_UP = 0, 1, 2

_TICKS = 1 << 32
_LAST_PULLED_UP = 8  # BCM283x: GPIO 0 to 8 start pulled up, the others down


def monotonic_us() -> int:
    """Microseconds on a clock that never jumps."""
    return time.monotonic_ns() // 1000


@dataclass(slots=True)
class _Pin:
    pull: int
    raw: int
    """The level on the pin now."""
    reported: int
    """The level clients were told of, behind the glitch filter."""
    mode: int = INPUT
    latch: int = 0
    """What the pin puts out while it is an output."""
    driven: int | None = None
    """What the world puts on it; None while nothing does."""
    filter_us: int = 0
    changed_us: int = 0


class PinBank:
    """The pins. The world drives and reads them; `PigpiodServer` does for clients what the lower half offers."""

    def __init__(self, now_us: Callable[[], int] = monotonic_us) -> None:
        """`now_us` must never go back."""
        self.on_write: Callable[[int, int], None] | None = None
        """Called with pin and level when a client wrote an output, and when it let go of one whose level so changed."""
        self.on_report: Callable[[int, int], None] | None = None
        """Called with tick and all reported levels as one word, for each change that passed the filters."""
        self.on_unsettled: Callable[[], None] | None = None
        """Called when `left_us` changed: somebody must call `settle` once it has passed."""
        self._now_us = now_us
        self._pins = [_Pin(PULL_UP, 1, 1) if pin <= _LAST_PULLED_UP else _Pin(PULL_DOWN, 0, 0) for pin in range(PINS)]

    def level(self, pin: int) -> int:
        """The level on the pin now, whoever makes it."""
        return self._pins[pin].raw

    def drive(self, pin: int, level: int) -> None:
        """The world puts a level on an input. On an output it takes effect when the client lets go."""
        self._pins[pin].driven = 1 if level else 0
        self._update(pin)

    def release(self, pin: int) -> None:
        """The world lets go: the pin follows its pull, and keeps its level without one."""
        self._pins[pin].driven = None
        self._update(pin)

    # What clients do.

    @property
    def tick(self) -> int:
        """Microseconds as clients see them: 32 bits, back to 0 after 71.6 minutes."""
        return self._now_us() % _TICKS

    @property
    def levels(self) -> int:
        """The levels of all pins as one word, filters aside."""
        return sum(pin.raw << number for number, pin in enumerate(self._pins))

    @property
    def reported(self) -> int:
        """The levels behind the filters as one word."""
        return sum(pin.reported << number for number, pin in enumerate(self._pins))

    def mode(self, pin: int) -> int:
        """0 input, 1 output, 2 to 7 the alternate functions."""
        return self._pins[pin].mode

    def set_mode(self, pin: int, mode: int) -> None:
        """Change the function; an output that becomes an input is let go of."""
        state = self._pins[pin]
        before, was_output = state.raw, state.mode == OUTPUT
        state.mode = mode
        self._update(pin)
        if was_output and state.raw != before and self.on_write is not None:
            self.on_write(pin, state.raw)

    def set_pull(self, pin: int, pull: int) -> None:
        """0 off, 1 down, 2 up."""
        self._pins[pin].pull = pull
        self._update(pin)

    def write(self, pin: int, level: int) -> None:
        """Put a level on the pin; it becomes an output."""
        state = self._pins[pin]
        state.mode, state.latch = OUTPUT, level
        self._update(pin)
        if self.on_write is not None:
            self.on_write(pin, level)

    def set_filter(self, pin: int, steady_us: int) -> None:
        """Report a change only once it lasted this long; 0 reports each. What the pin shows now counts as settled."""
        self._pins[pin].filter_us = steady_us
        self._report(pin)

    def left_us(self) -> int | None:
        """How long until `settle` has something to report, 0 when it has now; None when all is reported."""
        due = min((pin.changed_us + pin.filter_us for pin in self._pins if pin.raw != pin.reported), default=None)
        return None if due is None else max(0, due - self._now_us())

    def settle(self) -> None:
        """Report every change that has lasted long enough by now."""
        now = self._now_us()
        for number, pin in enumerate(self._pins):
            if pin.raw != pin.reported and now - pin.changed_us >= pin.filter_us:
                self._report(number)

    def _update(self, pin: int) -> None:
        state = self._pins[pin]
        level = _resting_level(state)
        if level == state.raw:
            return
        state.raw, state.changed_us = level, self._now_us()
        if state.filter_us == 0:
            self._report(pin)
        elif state.raw != state.reported and self.on_unsettled is not None:
            self.on_unsettled()

    def _report(self, pin: int) -> None:
        state = self._pins[pin]
        if state.raw == state.reported:
            return
        state.reported = state.raw
        if self.on_report is not None:
            self.on_report(self.tick, self.reported)


def _resting_level(pin: _Pin) -> int:
    """Who wins: the output, the world, the pull; a floating pin keeps its level."""
    if pin.mode == OUTPUT:
        return pin.latch
    if pin.driven is not None:
        return pin.driven
    return {PULL_OFF: pin.raw, PULL_DOWN: 0, PULL_UP: 1}[pin.pull]
