"""Stopwatches of a reader's thread, and what one phase of the conversation with a chip costs by them.

A pair of start and stop costs 0.3 us, so every command is measured, always. The thread that runs the phase writes, any may read:
of a phase that hangs what it took so far is told.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.clock import monotonic_s
from controller.hal.ports import ChipCost


class Stopwatch:
    """`with watch:` adds up how long that takes. Not nested."""

    __slots__ = ("_clock", "_since_s", "_sum_s")

    def __init__(self, clock: Callable[[], float] = monotonic_s) -> None:
        self._clock = clock
        self._sum_s = 0.0
        self._since_s: float | None = None  # while it runs

    def __enter__(self) -> None:
        self._since_s = self._clock()

    def __exit__(self, *_raised: object) -> None:
        since_s, self._since_s = self._since_s, None
        if since_s is not None:
            self._sum_s += self._clock() - since_s

    @property
    def running(self) -> bool:
        """Whether it runs at this moment."""
        return self._since_s is not None

    @property
    def total_s(self) -> float:
        """All seconds so far, those under way included."""
        since_s = self._since_s
        return self._sum_s if since_s is None else self._sum_s + self._clock() - since_s


class CostMeter:
    """Measures one phase."""

    __slots__ = ("_commands", "_keys", "_keys_before_s", "_received_bytes", "_sent_bytes", "chip", "whole")

    def __init__(self, keys: Stopwatch | None = None) -> None:
        """`keys` runs while the reader's key holder is waited for; None: there is none."""
        self.whole = Stopwatch()
        self.chip = Stopwatch()  # runs while the reader is waited for
        self._keys = Stopwatch() if keys is None else keys
        self._keys_before_s = self._keys.total_s
        self._commands = self._sent_bytes = self._received_bytes = 0

    def sent(self, size: int) -> None:
        """A command of so many bytes goes out."""
        self._commands += 1
        self._sent_bytes += size

    def received(self, size: int) -> None:
        """Its answer has so many bytes; 0: there is none."""
        self._received_bytes += size

    @property
    def waits_for_keys(self) -> bool:
        """Whether it is the key holder that is waited for at this moment."""
        return self._keys.running

    def cost(self) -> ChipCost:
        """All of it so far."""
        keys_s = self._keys.total_s - self._keys_before_s
        return ChipCost(self._commands, self._sent_bytes, self._received_bytes, self.chip.total_s, keys_s, self.whole.total_s)
