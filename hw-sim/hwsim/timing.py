"""How long a lane's printer waited for the host, card by card. Pure: times are handed in, in seconds.

A wait runs from the moment a reply is ready to the moment the next command is complete, while a card is inside. The parts
of the waits that belong to the chip (detection by pcscd, the APDUs, a chip that never answers) are told apart; the rest is
the station's software overhead. Sending a panel counts as waiting too; its share is told beside it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MAX_CARDS = 20_000  # finished cards remembered per lane: weeks of work in some 10 MB

Span = tuple[float, float]


@dataclass(slots=True)
class CardTimes:
    """One card's trip through a printer."""

    blank: str
    fed_at_s: float
    gap_s: float | None  # from the last card's end to this card's feed command; None when the hopper was empty meanwhile
    left_at_s: float = 0.0
    end: str = ""  # output, reject or person
    motion_s: float = 0.0
    transfer_s: float = 0.0  # receiving commands and panels, from the first byte to the last
    commands: int = 0
    waits: list[Span] = field(default_factory=list)
    detects: list[Span] = field(default_factory=list)  # chip in the field -> first APDU
    sessions: list[Span] = field(default_factory=list)  # first -> last APDU
    silences: list[Span] = field(default_factory=list)  # in the field, never spoken to

    @property
    def host_wait_s(self) -> float:
        """All that the printer waited for the host."""
        return _total(self.waits)

    @property
    def overhead_s(self) -> float:
        """What it waited without the chip being the reason."""
        chip = [*self.detects, *self.sessions, *self.silences]
        return self.host_wait_s - sum(_overlap(wait, part) for wait in self.waits for part in chip)


class LaneMeter:
    """Told of every event of one lane, in order."""

    def __init__(self) -> None:
        self.finished: deque[CardTimes] = deque(maxlen=MAX_CARDS)
        self._card: CardTimes | None = None
        self._waiting_since: float | None = None
        self._command_at: float | None = None
        self._ended_at: float | None = None
        self._ran_dry = True
        self._in_field_since: float | None = None
        self._session: Span | None = None

    def command(self, started: float, complete: float) -> None:
        """A command has been received; its execution begins now."""
        self._command_at = complete
        since, self._waiting_since = self._waiting_since, None
        if self._card is None:
            return
        self._card.commands += 1
        self._card.transfer_s += complete - started
        if since is not None and complete > since:
            self._card.waits.append((since, complete))

    def reply(self, at: float) -> None:
        """The reply is ready for the host."""
        self._waiting_since = at if self._card is not None else None
        if self._card is None and self.finished and self._ended_at is None:
            self._ended_at = at

    def motion(self, seconds: float) -> None:
        """Something moved for so long."""
        if self._card is not None:
            self._card.motion_s += seconds

    def fed(self, blank: str, at: float) -> None:
        """A blank leaves the hopper; what is left there is told next."""
        gap = None
        if not self._ran_dry and self._ended_at is not None and self._command_at is not None:
            gap = max(0.0, self._command_at - self._ended_at)
        self._card = CardTimes(blank, at, gap)
        self._ran_dry, self._ended_at = False, None

    def left(self, at: float, end: str) -> None:
        """The card is out of the printer."""
        if self._card is None:
            return
        self.chip_out(at)
        self._card.left_at_s, self._card.end = at, end
        self.finished.append(self._card)
        self._card = self._waiting_since = None

    def hopper(self, blanks: int) -> None:
        """So many blanks are in the hopper now."""
        self._ran_dry = self._ran_dry or blanks == 0

    def chip_in(self, at: float) -> None:
        """A chip has come into the field."""
        self._in_field_since, self._session = at, None

    def apdu(self, started: float, ended: float) -> None:
        """The host spoke to the chip."""
        if self._session is not None:
            self._session = (self._session[0], ended)
            return
        self._session = (started, ended)
        if self._card is not None and self._in_field_since is not None:
            self._card.detects.append((self._in_field_since, started))

    def chip_out(self, at: float) -> None:
        """The chip has left the field."""
        since, session = self._in_field_since, self._session
        self._in_field_since = self._session = None
        if self._card is None or since is None:
            return
        if session is None:
            self._card.silences.append((since, at))
        else:
            self._card.sessions.append(session)


def _total(spans: list[Span]) -> float:
    return sum(end - start for start, end in spans)


def _overlap(one: Span, other: Span) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
