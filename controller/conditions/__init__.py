"""Every condition a lane or the station can be in, with what staff should do: one sentence and one action each.

One table for display, lamps, panel, API and metrics; printed into docs/conditions.md. A code that is not here is a bug, never
shown raw. What a printer says in words that no profile knows is one condition, UNDESCRIBED: its raw words are the detail.
"""

from __future__ import annotations

from controller.conditions.lane import LANE, NOTICES
from controller.conditions.passage import PASSAGE
from controller.conditions.printer import PRINTER, UNDESCRIBED
from controller.conditions.row import CardInside, Clears, Condition, Severity, Table
from controller.conditions.station import STATION

__all__ = ["CONDITIONS", "NOTICES", "SECTIONS", "UNDESCRIBED", "CardInside", "Clears", "Condition", "Severity", "Table"]

# PRINTER: what a printer says of itself; some word, status bit, port status or error pair stands for each of its rows.
# The others are the daemon's own.
SECTIONS: dict[str, Table] = {"printer": PRINTER, "lane": LANE, "passage": PASSAGE, "station": STATION}
CONDITIONS: Table = {code: row for section in SECTIONS.values() for code, row in section.items()}
