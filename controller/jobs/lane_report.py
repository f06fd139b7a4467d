"""What a lane says of itself, and how long it may say nothing before it is taken for stuck."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from controller.clock import monotonic_s
from controller.model import LaneStatus

SILENCE_S = 25.0  # a lane that reports nothing for this long outside a stage is stuck; a dead printer takes up to 20 s to ask
PREPARE_S = 300.0  # drawing a face may wait behind a dozen submits whose pictures each run into the child's time-out


def of_printer(condition: str) -> bool:
    """Whether what failed with this condition is the printer."""
    return condition.startswith("printer_")


def of_reader(condition: str) -> bool:
    """The same of the chip reader, or the service in front of it."""
    return condition.startswith(("reader_", "pcsc_"))


def of_keys(condition: str) -> bool:
    """The same of the key holder."""
    return condition.startswith("sam_")


class LaneReport:
    """One lane's status, told on when it changes."""

    def __init__(self, name: str, on_change: Callable[[LaneStatus], None], clock: Callable[[], float] = monotonic_s) -> None:
        """`clock`: seconds that never jump."""
        self.status = LaneStatus(name)
        self._on_change = on_change
        self._clock = clock
        self._heard_until_s = clock() + SILENCE_S

    @property
    def alive(self) -> bool:
        """Whether the lane reported in time: within SILENCE_S, or within the time of what it is doing."""
        return self._clock() < self._heard_until_s

    def tell(self, *, heard: bool = True, **changes: object) -> None:
        """Change these fields of the status. Not `heard`: the lane keeps the time that it was given to be silent."""
        if heard:
            self.expect(0.0)
        status = replace(self.status, **changes)  # type: ignore[arg-type]  # field names are checked by LaneStatus itself
        if status != self.status:
            self.status = status
            self._on_change(status)

    def expect(self, seconds: float) -> None:
        """What begins now may take so long, and the lane says nothing meanwhile."""
        self._heard_until_s = self._clock() + seconds + SILENCE_S

    def close(self) -> None:
        """Nothing more is expected of this lane, however long the others take."""
        self._heard_until_s = math.inf
