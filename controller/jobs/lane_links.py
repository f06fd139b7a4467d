"""What a lane's worker is given besides its devices: what the configuration says, and whom it asks and tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.jobs.pace import Rule
from controller.jobs.passage import PLANS
from controller.jobs.runner import Result
from controller.jobs.verdict import Ruling
from controller.model import LaneStatus


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """What the configuration says about a lane's work."""

    plan: str  # a key of PLANS, from the printer's profile
    ejects_at_power_on: bool  # a card inside, from the printer's profile
    reader: str  # PC/SC name of the chip reader
    max_remakes: int
    max_rejects_in_row: int
    unknown_uid: str = "refuse"  # or "warn"
    ribbon: str = ""  # what the lane should print with, by its name in the profile
    cool_down: Rule = field(default_factory=Rule)
    needs_keys: bool = False  # a key holder, for the chips

    @property
    def by_hand(self) -> bool:
        """Whether a person feeds the printer, with the lane's reader beside it."""
        return PLANS[self.plan][0].by_hand


@dataclass(frozen=True, slots=True)
class LaneLinks:
    """Whom a lane asks about the rest of the station, and whom it tells what it does."""

    is_held: Callable[[], bool]  # HOLD was pressed
    panel_up: Callable[[], bool]  # buttons and lamps answer
    status: Callable[[LaneStatus], None]
    stage_took: Callable[[str, float], None]
    passage_over: Callable[[Result], None]
    ruled: Callable[[Ruling], None]  # an interrupted passage got a verdict
