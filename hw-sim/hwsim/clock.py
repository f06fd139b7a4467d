"""Time in the simulator: device motion may run faster than real, everything else is wall clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from hwsim.errors import SimError


@dataclass(frozen=True, slots=True)
class Clock:
    """Motion durations are divided by `speed`; None means no waiting at all, only a turn of the loop."""

    speed: float | None = 1.0

    @classmethod
    def parse(cls, text: str) -> Clock:
        """`max` or a number above 0, as given to --speed."""
        if text == "max":
            return cls(None)
        try:
            speed = float(text)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            raise SimError(f"--speed must be a number above 0 or 'max', not {text!r}")
        return cls(speed)

    async def motion(self, seconds: float) -> None:
        """Wait for a motion that takes `seconds` on the real machine."""
        await asyncio.sleep(0 if self.speed is None else seconds / self.speed)

    def patience_s(self, seconds: float) -> float:
        """How long a machine waits for a person, who does not get faster without bound: at max as long as the real one."""
        return seconds if self.speed is None else seconds / self.speed

    def now_s(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()
