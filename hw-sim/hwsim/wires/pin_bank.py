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
        self._pins = [_Pin(PULL_UP if pin <= _LAST_PULLED_UP else PULL_DOWN) for pin in range(PINS)]
        self._levels = self._reported = (1 << _LAST_PULLED_UP + 1) - 1

    def level(self, pin: int) -> int:
        """The level on the pin now, whoever makes it."""
        return _bit(self._levels, pin)

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
        return self._levels

    @property
    def reported(self) -> int:
        """The levels behind the filters as one word."""
        return self._reported

    def mode(self, pin: int) -> int:
        """0 input, 1 output, 2 to 7 the alternate functions."""
        return self._pins[pin].mode

    def set_mode(self, pin: int, mode: int) -> None:
        """Change the function. An output that is let go of falls low without a pull: what it switched has a pull-down."""
        state = self._pins[pin]
        before, let_go = self.level(pin), state.mode == OUTPUT and mode != OUTPUT
        state.mode = mode
        self._update(pin, 0 if let_go else before)
        if let_go and self.level(pin) != before and self.on_write is not None:
            self.on_write(pin, self.level(pin))

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
        due = min((pin.changed_us + pin.filter_us for _, pin in self._unsettled()), default=None)
        return None if due is None else max(0, due - self._now_us())

    def settle(self) -> None:
        """Report every change that has lasted long enough by now."""
        now = self._now_us()
        for number, pin in self._unsettled():
            if now - pin.changed_us >= pin.filter_us:
                self._report(number)

    def _unsettled(self) -> list[tuple[int, _Pin]]:
        waiting = self._levels ^ self._reported
        return [(number, pin) for number, pin in enumerate(self._pins) if _bit(waiting, number)]

    def _update(self, pin: int, floating: int | None = None) -> None:
        state = self._pins[pin]
        level = _resting_level(state, self.level(pin) if floating is None else floating)
        if level == self.level(pin):
            return
        self._levels ^= 1 << pin
        state.changed_us = self._now_us()
        if state.filter_us == 0:
            self._report(pin)
        elif self.on_unsettled is not None:
            self.on_unsettled()

    def _report(self, pin: int) -> None:
        if _bit(self._levels ^ self._reported, pin):
            self._reported ^= 1 << pin
            if self.on_report is not None:
                self.on_report(self.tick, self._reported)


def _bit(word: int, pin: int) -> int:
    return word >> pin & 1


def _resting_level(pin: _Pin, floating: int) -> int:
    """Who wins: the output, the world, the pull, and last the level a pin floats at."""
    if pin.mode == OUTPUT:
        return pin.latch
    if pin.driven is not None:
        return pin.driven
    return {PULL_OFF: floating, PULL_DOWN: 0, PULL_UP: 1}[pin.pull]
