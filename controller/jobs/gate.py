"""May the lane feed a blank now? A pure decision from facts gathered just before; the first row that applies is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.jobs.ribbons import RibbonType, fits, sets_needed
from controller.model import LaneLevels, Panel, PrinterWitness

# What only a refill or time ends: meanwhile a card that lies finished on a lane's own reader is taken away first.
SUPPLIES = frozenset({"hopper_uncounted", "hopper_empty", "ribbon_end", "cool_down"})


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """Everything that bears on feeding a blank."""

    stopping: bool
    held: bool
    panel_up: bool  # buttons and lamps answer
    disk_full: bool
    look_first: str | None  # condition that wants a person's GO (`Clears.GO`) and came since the last one
    rejects_in_row: int
    max_rejects_in_row: int
    printer_trouble: str | None  # condition, when the printer cannot be asked
    reader_trouble: str | None
    witness: PrinterWitness | None
    levels: LaneLevels | None
    hopper_count: int  # by the ledger
    setback: str | None = None  # condition of the last try, while the next one has to wait
    must_clean: bool = False  # the printer refused a command until it is cleaned
    resting: bool = False  # it cools down

    @property
    def card_inside(self) -> bool:
        """Whether the printer reports a card on its path."""
        return self.witness is not None and self.witness.position.inside

    @property
    def ribbon_used_up(self) -> bool:
        """Whether the ribbon cannot print one more card; an unreadable tag is no answer."""
        return self.witness is not None and self.witness.ribbon_remaining is not None and self.witness.ribbon_remaining < 1


def obstacle(facts: LaneFacts) -> str | None:
    """The condition that keeps the lane from feeding, None when it may feed.

    The rows stand in the order in which a person should deal with them; the first that applies is the answer.
    """
    levels = facts.levels
    rows = (
        ("stopping", facts.stopping),
        ("disk_full", facts.disk_full),
        (facts.printer_trouble, facts.printer_trouble is not None),
        (facts.reader_trouble, facts.reader_trouble is not None),
        ("pins_dead", levels is None),
        ("panel_dead", not facts.panel_up),
        ("held_by_operator", facts.held),
        ("cover_open", facts.witness is not None and facts.witness.cover_open is True),
        ("card_inside", facts.card_inside),
        ("cleaning_due", facts.must_clean),
        (facts.look_first, facts.look_first is not None),
        ("rejects_in_row", facts.rejects_in_row >= facts.max_rejects_in_row),
        ("ribbon_end", facts.ribbon_used_up),
        ("bin_full", levels is not None and levels.bin_full),
        ("hopper_empty", levels is not None and levels.hopper_empty),
        ("hopper_uncounted", facts.hopper_count <= 0),
        (facts.setback, facts.setback is not None),
        ("cool_down", facts.resting),
    )
    return next((condition for condition, applies in rows if applies), None)


def shortage(panels: Sequence[Panel], ribbon: RibbonType | None, remaining: int | None) -> str | None:
    """The condition that keeps this job's card from being started on this lane's ribbon, None when it can be finished. Pure.

    `ribbon`: None when nobody says what the lane prints with; `remaining`: sets left by the printer's count, if it tells.
    """
    if ribbon is None:
        return None
    sets = sets_needed(panels, ribbon)
    if sets is None:
        return "ribbon_wrong"
    return None if fits(remaining, sets) else "ribbon_end"
