"""The world of one soak process: six lanes, their cards, the blanks in the cupboard, and what is known to differ from the books.

`gap` and `bin_gap` say by how much the ledger is known to stand above the world, in a hopper and in a reject bin: a double feed,
a wrong count at loading. Whatever else differs is a broken promise. A day count must report exactly the gap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from controller.chips.profile import ChipProfile
from controller.hal.profiles.printer import PrinterProfile
from controller.model import LaneStatus, Panel
from tests.fakes.chip import ektp
from tests.fakes.fast_chip import FastCard, FastChipStation
from tests.fakes.fast_lane import FastLane
from tests.fakes.usb_printer import tiny_profile
from tools.soak.contents import Contents

LANES = 6
WHO = "budi"
ACT_S = {"feed": 2.0, "print": 6.0, "print_and_deliver": 7.0, "to_chip_station": 1.0, "deliver": 1.5, "reject": 1.5}
AIR_S = 0.5
FLAWS = (  # of a blank as it comes, and how often
    ("dead", 0.004), ("used", 0.003), ("torn", 0.004), ("refusing", 0.002), ("changing", 0.003), ("stranger", 0.002),
    ("clone", 0.001), ("deadly", 0.001), ("flickering", 0.001),
)  # fmt: skip


class Mischief(Protocol):
    """Decides what goes wrong."""

    def tempt(self, lane: SoakLane, act: str) -> None:
        """An act begins in a lane."""


@dataclass(eq=False)
class SoakLane(FastLane):
    """A lane with the books' side of it."""

    name: str = ""
    mischief: Mischief | None = None
    reader: FastChipStation | None = None
    bin: list[FastCard] = field(default_factory=list)  # what fell or was put into the reject box, settled
    gap: int = 0
    bin_gap: int = 0
    owed: int = 0  # booked to be loaded, not yet in the hopper
    misfeeds: int = 0  # picks that will fail until somebody looks
    busy: bool = False  # somebody attends to it
    status: LaneStatus = field(default_factory=lambda: LaneStatus(""))

    @property
    def plan(self) -> str:
        """What its printer can do."""
        return "held" if self.profile.holds_card else "ejecting"

    @property
    def reader_name(self) -> str:
        """Its PC/SC name."""
        return f"soak reader {self.name}"

    def start(self, act: str, panels: Sequence[Panel] = ()) -> asyncio.Future[None]:
        """As for every lane, after something may have been decided to go wrong."""
        if self.mischief is not None:
            self.mischief.tempt(self, act)
        if act == "feed" and self.misfeeds > 0:
            self.misfeeds -= 1
            self.troubles["feed"] = "misfeed"
        return super().start(act, panels)

    def settle_extra(self, card: FastCard) -> None:
        """A card that the books do not know of lies with the spoiled ones."""
        self.bin.append(card)
        self.bin_gap -= 1


class Broken(Exception):
    """A promise was broken."""


@dataclass(eq=False)
class Town:
    """Everything outside the station."""

    seed: int
    rng: Random = field(init=False)
    chip: ChipProfile = field(default_factory=ektp)
    lanes: dict[str, SoakLane] = field(default_factory=dict)
    contents: Contents = field(init=False)
    faults: Counter[str] = field(default_factory=Counter)
    rulings: Counter[str] = field(default_factory=Counter)
    next_uid: int = 0x04_00_00_00_00_00_01
    listed_up_to: int = 0x04_00_00_00_00_00_00  # of the UIDs of received batches
    batches: int = 0
    used_uids: list[str] = field(default_factory=list)  # a few that were issued
    stored: int = 0  # blanks in the cupboard
    output: int = 0
    lost: list[FastCard] = field(default_factory=list)  # nobody has them
    counts: int = 0  # day counts of one account
    counts_off: int = 0  # those that found the books wrong, as they had to
    spread: Callable[[float, float], float] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)  # noqa: S311 - a seed that gives the same run again is the point
        self.spread = self.rng.uniform
        holds = replace(tiny_profile(), name="holds")
        acts = replace(
            holds.acts, print=None, to_chip_station=None, deliver=None, print_and_deliver=("Ss", "Sr", "@panels", "Se")
        )
        ejecting = replace(holds, name="one-act", plan="ejecting", acts=acts)
        self._panels = len(holds.raster.panels)
        self.contents = Contents(holds, self.chip)
        for number in range(LANES):
            self._build_lane(str(number + 1), ejecting if number in (2, 3) else holds, ejects=number % 2 == 1)

    def _build_lane(self, name: str, profile: PrinterProfile, *, ejects: bool) -> None:
        self.lanes[name] = SoakLane(profile, f"SN-{name}-0", ejects, rng=self.rng, name=name, pace=self._pace)

    def _pace(self, act: str) -> float:
        return ACT_S[act] * self.spread(0.5, 1.5)

    def looks_whole(self, card: FastCard) -> bool:
        """What a person sees of the face: printed once, with every panel."""
        return len(card.faces) == 1 and len(card.faces[0]) == self._panels

    def air_s(self) -> float:
        """How long a trip over the air takes."""
        return AIR_S * self.rng.random() + 0.05

    def blank(self) -> FastCard:
        """The next blank from the box, perhaps with a flaw."""
        card = FastCard(f"{self.next_uid:014X}")
        self.next_uid += 1
        chance = self.rng.random()
        for flaw, share in FLAWS:
            chance -= share
            if chance < 0:
                self._spoil(card, flaw)
                break
        return card

    def _spoil(self, card: FastCard, flaw: str) -> None:
        self.faults[f"blank {flaw}"] += 1
        if flaw == "dead":
            card.dead = True
        elif flaw == "used":
            card.files = {0x6FF1: b"somebody else"}
        elif flaw == "torn":
            card.tears_after_bytes = self.rng.randrange(200)
        elif flaw == "refusing":
            card.refuses_write = True
        elif flaw == "changing":
            card.changes_to = f"08{self.rng.getrandbits(48):012X}"
        elif flaw in ("deadly", "flickering"):
            card.kills_reader = "." if flaw == "deadly" else ".-"
        elif flaw == "stranger":
            card.uid = f"08{self.rng.getrandbits(48):012X}"
        elif self.used_uids:
            card.uid = self.rng.choice(self.used_uids)
