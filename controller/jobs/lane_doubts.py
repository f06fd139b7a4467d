"""What holds a lane's feeding after trouble: a fault to look at, rejects in a row, and tries that came to nothing.

A fault that nothing shows to be gone, and too many rejects, hold until GO. What came to nothing before a card was made is tried
again without anybody's word, ever more rarely.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.clock import monotonic_s
from controller.conditions import CONDITIONS, Clears
from controller.jobs.runner import Result
from controller.model import Verdict

# The cause may be gone soon, or stay all night: neither wear nor a full journal.
BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)


class LaneDoubts:
    """One lane's, kept until the station stops."""

    def __init__(self, max_rejects_in_row: int, clock: Callable[[], float] = monotonic_s) -> None:
        """`clock`: seconds that never jump."""
        self.look_first: str | None = None  # condition that nothing shows to be gone: a person has to look and press GO
        self.rejects_in_row = 0
        self._max_rejects_in_row = max_rejects_in_row
        self._clock = clock
        self._tries = 0  # in a row that came to nothing before a card was made
        self._last_setback = ""  # condition of the last one
        self._next_try_s = clock()
        self._said: dict[str, str] = {}  # condition -> what a device said when the lane's last work ended with it

    @property
    def setback(self) -> str | None:
        """Condition of the last try that came to nothing, while the next one has to wait."""
        return None if self._clock() >= self._next_try_s else self._last_setback

    def words(self, condition: str) -> str:
        """What a device said when it brought this about; empty when the condition is none of these doubts."""
        return self._said.get(condition, "") if condition in (self._last_setback, self.look_first) else ""

    def met(self, condition: str) -> None:
        """Something failed with this condition; empty: nothing did.

        Feed nothing more until GO when only a person can tell whether it is over; a question waits for its own answer.
        """
        if condition and CONDITIONS[condition].clears is Clears.GO and not condition.startswith("ask_"):
            self.look_first = condition

    def passage_over(self, result: Result) -> None:
        """A passage ended, never began, or was left for recovery to find out."""
        if result.made:
            self.rejects_in_row = self._tries = 0
        elif result.verdict is Verdict.SPOILED:
            self.rejects_in_row += 1
        elif result.verdict is Verdict.STILL_BLANK:
            self.put_off(result.condition, result.detail)
        self.met(result.condition)
        self._said = {result.condition: result.detail}

    def put_off(self, condition: str, said: str) -> None:
        """Nothing came of the last try and no blank was spent: wait longer each time before the next."""
        self._last_setback, self._said = condition, {condition: said}
        self._next_try_s = self._clock() + self._back_off_s()

    def refused(self, condition: str) -> float:
        """An act was refused with the card inside. Returns how many seconds to wait before it is asked again."""
        self.met(condition)  # once this card is out
        return self._back_off_s()

    def gone_through(self) -> None:
        """What had been refused no longer is."""
        self._tries = 0

    def forgive(self, shown: str | None) -> None:
        """GO was pressed while the lane showed this condition: try again at once what was put off.

        What wants a look was looked at only if the lane showed it.
        """
        if self.rejects_in_row < self._max_rejects_in_row or shown == "rejects_in_row":
            self.rejects_in_row = 0
        if shown == self.look_first:
            self.look_first = None
        self._tries = 0
        self._next_try_s = self._clock()

    def _back_off_s(self) -> float:
        wait_s = BACK_OFF_S[min(self._tries, len(BACK_OFF_S) - 1)]
        self._tries += 1
        return wait_s
