"""What a card printer is made of besides its motors: counters, ribbon, bins, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hwsim.profiles import EvolisProfile, PrinterProfile

_WHOLE = re.compile(r"-?[0-9]{1,9}")  # nothing that people adjust is longer
# Panels on each ribbon of the Evolis guide (printers.md 3.6); a ribbon that is not here has the panels nobody needs yet.
RIBBONS = {
    "ymcko": "ymcko", "ymckos": "ymcko", "ymckok": "ymcko", "ko": "ko", "k": "k", "kb": "k", "kw": "k", "kr": "k",
    "kbl": "k", "kgr": "k", "kgo": "k", "ksi": "k", "ksc": "k", "ka": "k", "h": "o", "ho": "o", "ktc": "k", "ktp": "k",
}  # fmt: skip


def whole_number(text: str) -> int | None:
    """A number as a host or a person may send it, with a sign or without; None for anything else."""
    return int(text) if _WHOLE.fullmatch(text) else None


class Counter:
    """A counter that outlives power: it counts in memory when a motion is over, and a moment later in the memory that lasts."""

    def __init__(self, value: int) -> None:
        self.value = value
        self._kept = self._kept_before = value

    def count(self, step: int) -> None:
        """The motion is over."""
        self.value += step

    def keep(self) -> None:
        """Write it down."""
        if self._kept != self.value:
            self._kept_before, self._kept = self._kept, self.value

    def lose_power(self, lagging: bool) -> None:
        """What was not written down is forgotten; when it lags, so is what was written last."""
        self.value = self._kept = self._kept_before = self._kept_before if lagging else self._kept


@dataclass(slots=True)
class Ribbon:
    """The ribbon that is fitted."""

    type: str
    capacity: int  # sets on a new one; one set prints one side
    remaining: int
    panels: frozenset[str]
    readable: bool = True  # the tag answers
    tag: Counter = field(init=False)  # sets left as the tag says

    def __post_init__(self) -> None:
        self.tag = Counter(self.remaining)

    def cut_to(self, sets: int) -> None:
        """So many sets are left, and the tag knows it."""
        self.remaining, self.tag = sets, Counter(sets)


_GUIDE_CAPACITY = 500  # sets on a ribbon of the guide that the profile does not list; a plausible roll (E)


def known_ribbons(profile: PrinterProfile) -> list[str]:
    """The ribbons that can be fitted: the profile's, and for an Evolis all of the guide."""
    return [*profile.ribbons, *(name for name in RIBBONS if isinstance(profile, EvolisProfile) and name not in profile.ribbons)]


def fitted_ribbon(profile: PrinterProfile, kind: str, cards: int | None = None) -> Ribbon:
    """A new ribbon of this kind, which is a known one, or one with so many sets left."""
    spec = profile.ribbons.get(kind)
    panels, capacity = (RIBBONS[kind], _GUIDE_CAPACITY) if spec is None else (spec.panels, spec.capacity_cards)
    return Ribbon(kind, capacity, capacity if cards is None else cards, frozenset(panels))


@dataclass(frozen=True, slots=True)
class StagedError:
    """An error that a test chose: met once by the next motion of this stage."""

    stage: str
    word: str  # what the printer says
    code: tuple[int, int]  # major and minor, of a Magicard


@dataclass(slots=True)
class Troubles:
    """What is wrong, or will be at the next occasion."""

    cover_open: bool = False
    jammed: bool = False
    jam_at: set[str] = field(default_factory=set)  # stages at which the next card jams
    misfeeds: int = 0  # so many next feeds take no card
    double_feeds: int = 0  # so many next feeds take two cards
    stuck_moves: int = 0  # so many next motions of a card inside do not happen
    unseen_exits: int = 0  # so many next cards leave without breaking the exit beam
    head_error: bool = False
    hopper_door: bool = False  # the output hopper's door is open
    hopper_error: bool = False
    output_full: bool = False  # the output bin says so, whatever lies in it
    reject_full: bool = False  # the reject box says so, whatever lies in it
    errors: list[StagedError] = field(default_factory=list)
    lagging_counters: int = 0  # at so many next power losses the last tick of each counter is lost as well


@dataclass(slots=True)
class Care:
    """What the printer counts for its own upkeep."""

    every_cards: int  # so many cards between two cleanings
    cards: int = 0  # since the last one
    panels: int = 0
    cleanings: int = 0
    forced: bool = False  # it feeds no card until it was cleaned

    @property
    def due(self) -> bool:
        """Whether it asks to be cleaned."""
        return self.cards >= self.every_cards

    def cleaned(self) -> None:
        """A cleaning cycle is over."""
        self.cards = self.panels = 0
        self.cleanings += 1
        self.forced = False


@dataclass(slots=True)
class Capacities:
    """How many cards fit."""

    output: int
    reject: int
