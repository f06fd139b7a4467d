"""Time for the whole station: the only module that reads a clock.

Durations and order come from the monotonic clock. The wall clock is written beside facts for people to read and
never decides anything: a Raspberry Pi has no battery clock and may wake up in 1970.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


def monotonic_s() -> float:
    """Seconds on a clock that never jumps; comparable only within this boot."""
    return time.monotonic()


def wall_us() -> int:
    """Microseconds since 1970 UTC, for people; may be wrong and may jump."""
    return time.time_ns() // 1_000


def wall_text(us: int) -> str:
    """A stored wall time as ISO 8601 UTC, e.g. ``2026-11-21T03:04:05Z``."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock. Callers hand on a deadline, not a timeout, so that nested waits share one bound."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment ``seconds`` from now."""
        return cls(monotonic_s() + seconds)

    def left_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at_s - monotonic_s())

    def left_ms(self) -> int:
        """Milliseconds left, at least 1: libraries read 0 as "wait for ever"."""
        return max(1, int(self.left_s() * 1000))

    @property
    def passed(self) -> bool:
        """Whether the moment is over."""
        return monotonic_s() >= self.at_s
