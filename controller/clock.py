"""Time for the whole station: the only module that reads a clock.

Durations and order come from the monotonic clock. The wall clock is written beside facts for people to read and
never decides anything: a Raspberry Pi has no battery clock and may wake up in 1970.

Whether the wall clock is synchronised is asked of the kernel with adjtimex(2), which any process may do as long as it sets
nothing. As systemd does for `timedatectl` (src/basic/time-util.c, ntp_synced), the estimate `maxerror` decides and not the
flag STA_UNSYNC, which some time services set only to keep the kernel from writing the battery clock. The kernel lets the
estimate grow while nobody corrects the clock, up to 16 s: a clock that lost its source is unsynchronised about 9 hours later.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

SYNC_KEPT_S = 10.0  # how long an answer about synchronisation is believed: it changes over minutes
_MAX_ERROR_US = 16_000_000  # NTP_PHASE_LIMIT of the kernel: the estimate of a clock nobody corrects


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)), and room for the rest: 208 bytes on 64-bit machines."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: set nothing
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A moment with what is known of the clocks that told it."""

    wall_us: int  # microseconds since 1970 UTC, as good as `synchronised` says
    synchronised: bool | None  # whether a time service keeps the wall clock right; None: the system does not tell
    boot_id: str | None  # names the boot in which monotonic_us counts
    monotonic_us: int


def monotonic_s() -> float:
    """Seconds on a clock that never jumps; comparable only within this boot."""
    return time.monotonic()


def wall_us() -> int:
    """Microseconds since 1970 UTC, for people; may be wrong and may jump."""
    return time.time_ns() // 1_000


def time_stamp() -> TimeStamp:
    """Now, by all clocks."""
    return TimeStamp(wall_us(), _sync.now(), boot_id(), time.monotonic_ns() // 1_000)


@cache
def boot_id() -> str | None:
    """The kernel's random name for this boot (random(4)); None where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def ask_synchronised() -> bool | None:
    """Whether the kernel takes the wall clock for synchronised; None where it does not tell (a sandbox may forbid the call)."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    answer = _Timex()
    if adjtimex is None or adjtimex(ctypes.byref(answer)) == -1:
        return None
    return bool(answer.maxerror < _MAX_ERROR_US)


class _Sync:
    """The last answer about synchronisation, asked again when it is old. Two threads may ask at once: both get a true answer."""

    def __init__(self) -> None:
        self._answer: bool | None = None
        self._until_s = 0.0

    def now(self) -> bool | None:
        """Whether the wall clock is synchronised, as of the last few seconds."""
        if monotonic_s() >= self._until_s:
            self._answer, self._until_s = ask_synchronised(), monotonic_s() + SYNC_KEPT_S
        return self._answer


_sync = _Sync()


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
