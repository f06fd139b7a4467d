"""The sensors of a lane that has none: a person feeds its printer, and there is no hopper, no beam and no bin to watch.

Nothing is ever seen and nothing is ever blind: whoever decides by beams finds that none saw a card, and never waits for one.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.clock import Deadline
from controller.model import Beam, LaneLevels

_NOTHING = LaneLevels(
    feed_beam=False, exit_beam=False, reject_beam=False, hopper_low=False, hopper_empty=False, bin_full=False
)  # fmt: skip


class NoSensors:
    """`ports.LaneSensors` without a wire."""

    @property
    def levels(self) -> LaneLevels | None:
        """Nothing is so."""
        return _NOTHING

    @property
    def gaps(self) -> int:
        """Never blind."""
        return 0

    def passes(self, beam: Beam) -> int:  # noqa: ARG002 - the port asks for it
        """None."""
        return 0

    async def wait_pass(self, beam: Beam, after: int, deadline: Deadline) -> bool:  # noqa: ARG002 - the port asks for them
        """No card will pass, so there is nothing to wait for."""
        return False

    def on_change(self, handler: Callable[[], None]) -> None:
        """Nothing ever changes."""
