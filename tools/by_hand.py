"""A lane with a print-only printer and a reader beside it, and the hands of the person who works there.

For the scenario tests: `EDITS` make the examples' lane such a lane, for daemon and hw-sim; `Hands` does what the display asks.
"""

from __future__ import annotations

from typing import Any

from tools.rig import Rig

Json = dict[str, Any]

PROFILE = "magicard-enduro"
CARD_LIMIT_S = 45.0  # for one step on a busy machine
EDITS = {
    'profile = "evolis-primacy"': f'profile = "{PROFILE}"',
    'gpio = "pigpiod://127.0.0.1:8888"\n[lanes.pins]\nfeed_beam = 5\nexit_beam = 6\nreject_beam = 13\nhopper_low = 19\n'
    "hopper_empty = 26\nbin_full = 12\n": "",
    "pins = { feed_beam = 5, exit_beam = 6, reject_beam = 13, hopper_low = 19, hopper_empty = 26, bin_full = 12 }\n": "",
}


class Hands:
    """One person at one lane."""

    def __init__(self, rig: Rig, lane: str = "1") -> None:
        self._rig = rig
        self._lane = lane

    def until_asked(self, condition: str) -> None:
        """Wait until the lane shows this."""
        self._rig.until(
            lambda: self._rig.lane(self._lane)["condition"] == condition, f"the lane to ask '{condition}'", CARD_LIMIT_S
        )

    def lay_blank(self) -> str:
        """Lay the next blank of the stack on the reader when it is asked for; returns it."""
        self.until_asked("lay_blank")
        return self._rig.put("next", "reader", lane=self._lane)

    def feed(self, blank: str, *, other: str = "") -> None:
        """Take the written card from the reader when that is asked for, and put it into the slot; or another one in its stead."""
        self.until_asked("feed_by_hand")
        self._rig.put(blank, "person")
        self._rig.put(other or blank, "slot", lane=self._lane)

    def bring_back(self, blank: str) -> None:
        """Lay a card on the reader when the printed one is asked for."""
        self.until_asked("lay_printed")
        self._rig.put(blank, "reader", lane=self._lane)

    def put_away(self, blank: str) -> None:
        """Put the finished card with the others, or the spoiled one into the box, as the display says."""
        where = {"take_card_away": "output", "to_reject_box": "reject"}
        self._rig.until(lambda: self._rig.lane(self._lane)["condition"] in where, "the card to be finished", CARD_LIMIT_S)
        self._rig.put(blank, where[self._rig.lane(self._lane)["condition"]], lane=self._lane)

    def make_one(self) -> str:
        """Everything for one card; returns it."""
        blank = self.lay_blank()
        self.feed(blank)
        self.bring_back(blank)
        self.put_away(blank)
        return blank
