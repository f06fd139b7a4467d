"""May the lane feed a blank now? A pure decision from facts gathered just before; the first row that applies is the answer."""

from __future__ import annotations

from dataclasses import dataclass

from controller.model import CardPosition, LaneLevels, PrinterWitness


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """Everything that bears on feeding a blank."""

    stopping: bool
    held: bool
    panel_up: bool  # buttons and lamps answer
    disk_full: bool
    count_doubted: bool  # printer and beam disagreed about a feed since the last GO
    rejects_in_row: int
    max_rejects_in_row: int
    printer_trouble: str | None  # condition, when the printer cannot be asked
    reader_trouble: str | None
    witness: PrinterWitness | None
    levels: LaneLevels | None
    hopper_count: int  # by the ledger
    setback: str | None = None  # condition of the last try, while the next one has to wait

    @property
    def card_inside(self) -> bool:
        """Whether the printer reports a card on its path."""
        return self.witness is not None and self.witness.position is not CardPosition.NONE

    @property
    def ribbon_used_up(self) -> bool:
        """Whether the ribbon cannot print one more card; an unreadable tag is no answer."""
        return self.witness is not None and self.witness.ribbon_remaining == 0


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
        ("feed_unproven", facts.count_doubted),
        ("rejects_in_row", facts.rejects_in_row >= facts.max_rejects_in_row),
        ("ribbon_end", facts.ribbon_used_up),
        ("bin_full", levels is not None and levels.bin_full),
        ("hopper_empty", levels is not None and levels.hopper_empty),
        ("hopper_uncounted", facts.hopper_count <= 0),
        (facts.setback, facts.setback is not None),
    )
    return next((condition for condition, applies in rows if applies), None)
