"""The card path of a printer: feeder, hand-feed slot, stations, head, bins, ribbon, cover (printers.md 3.7, 3.10, 3.12).

A motion takes its time from the profile, moves blanks in the world, and breaks the beams the card passes. What stands in
its way is raised as an Obstacle before anything moved, unless the obstacle is that the card got stuck on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from enum import Enum
from typing import Protocol

from hwsim.clock import Clock
from hwsim.devices.parts import Capacities, Care, Counter, Troubles, fitted_ribbon
from hwsim.forms import Form
from hwsim.profiles import PrinterProfile
from hwsim.timing import LaneMeter
from hwsim.world import Place, Spot, Station, World

_PANEL_TIMING = {"k": "k_panel", "o": "o_panel"}
BEAM_S = 0.2  # a card of 86 mm at a usual transport speed; part of its motion
STORE_S = 0.01  # a counter is written into memory that lasts after the motor has stopped (reliability.md 2.1)
STAGES = ("feed", "move", "print", "eject", "reject")  # where a card can jam
# A well-used machine: a station that takes life counters for counts of its own is found out.
LIFE_CARDS, LIFE_PANELS = 1_000, 5_000
CLEAN_EVERY_CARDS = 1_000  # Evolis: answered to Rco;a before any facts (E); a Magicard says 700


class Line(Enum):
    """How an obstacle shows in the port status while the printer waits for a person."""

    MEDIA = 0x38  # paper end
    FAULT = 0x10  # not "no error"


class Obstacle(Exception):
    """Why a motion did not end: the reply word, and the port status of the printer's own error mode."""

    def __init__(self, word: str, line: Line, code: tuple[int, int] | None = None) -> None:
        super().__init__(word)
        self.word = word
        self.line = line
        self.code = code  # major and minor error of a Magicard, where it is known


class Surroundings(Protocol):
    """What a card touches on its way, besides the printer."""

    async def pass_beam(self, beam: str, seconds: float) -> None:
        """A card goes through the beam, which takes so long on the real machine."""

    def chip_arrives(self, blank: str) -> None:
        """The card stands over the contactless antenna."""

    def chip_leaves(self) -> None:
        """Nothing stands there any more."""

    def card_left(self, blank: str) -> None:
        """The card is in a bin."""


class Mechanics:
    """The moving parts. One motion at a time; the caller sees to that."""

    def __init__(
        self,
        lane: str,
        world: World,
        clock: Clock,
        profile: PrinterProfile,
        capacities: Capacities,
        surroundings: Surroundings,
        meter: LaneMeter,
    ) -> None:
        self._lane, self._world, self._clock, self._profile = lane, world, clock, profile
        self._capacities, self._around, self._meter = capacities, surroundings, meter
        self.ribbon = fitted_ribbon(profile, profile.ribbon_type)
        self.troubles = Troubles()
        self.care = Care(CLEAN_EVERY_CARDS)
        self._fed, self._printed = Counter(LIFE_CARDS), Counter(LIFE_PANELS)
        self._set_begun = False  # the ribbon moved on and its tag does not know it yet
        self._changed = asyncio.Event()

    # What is so now

    @property
    def cards(self) -> list[str]:
        """The cards inside; the first is the one the printer knows of. One that waits in the slot is not inside yet."""
        return [blank for blank in self._world.at(Spot.INSIDE, self._lane) if not self._in_slot(blank)]

    @property
    def slot_card(self) -> str | None:
        """The card that a person put into the hand-feed slot."""
        return next((blank for blank in self._world.at(Spot.INSIDE, self._lane) if self._in_slot(blank)), None)

    @property
    def station(self) -> Station | None:
        """Where the card inside stands; None when there is none."""
        cards = self.cards
        return self._world.where(cards[0]).station if cards else None

    @property
    def cards_fed(self) -> int:
        """The life counter of cards, as the printer tells it."""
        return self._fed.value

    @property
    def panels_printed(self) -> int:
        """The life counter of panels, as the printer tells it."""
        return self._printed.value

    @property
    def hopper_blanks(self) -> int:
        """Blanks in the feeder."""
        return self._world.count(Spot.HOPPER, self._lane)

    @property
    def reject_full(self) -> bool:
        """Whether the reject box takes no more."""
        return self.troubles.reject_full or self._world.count(Spot.REJECT, self._lane) >= self._capacities.reject

    # What a person or a fault does

    def touched(self) -> None:
        """Somebody did something to the machine: a printer that waits for a person tries again."""
        self._changed.set()

    def lose_power(self) -> None:
        """The counters are as they were written down last."""
        lagging = self.troubles.lagging_counters > 0
        self.troubles.lagging_counters -= lagging
        for counter in (self._fed, self._printed, self.ribbon.tag):
            counter.lose_power(lagging)
        self._set_begun = False

    async def changed(self) -> None:
        """Wait until somebody did something to the machine."""
        self._changed.clear()
        await self._changed.wait()

    # Motions

    async def bring(self, station: Station) -> None:
        """Bring the card inside to a station; without one, feed one to it."""
        if not self.cards:
            await self.feed(station)
            await self.count_card()
        elif self.station is not station:
            self._look("move")
            if self.troubles.stuck_moves:
                self.troubles.stuck_moves -= 1
                raise Obstacle("ERROR TIME OUT", Line.FAULT)
            self._lift()
            await self._motion(self._profile.timing_s["station_move"])
            self._stand(station)

    async def feed(self, station: Station) -> None:
        """Take a blank out of the hopper to a station, without counting it."""
        await self._feed()
        await self._motion(self._profile.timing_s["feed"] / 2 - BEAM_S)
        self._stand(station)

    async def draw_in(self) -> None:
        """Take the card in the hand-feed slot under the head, without counting it."""
        self._look("feed")
        card = self.slot_card
        if card is None:
            raise Obstacle("FEEDER EMPTY", Line.MEDIA)
        if self.troubles.misfeeds:
            self.troubles.misfeeds -= 1
            await self._motion(self._profile.timing_s["feed"] / 2)
            raise Obstacle("FEEDER EMPTY", Line.MEDIA)
        self._meter.fed(card, self._clock.now_s())
        self._world.move(card, Place(Spot.INSIDE, self._lane, Station.PRINT))
        await self._motion(self._profile.timing_s["feed"])

    async def count_card(self) -> None:
        """A card has gone through, or in: count it."""
        self.care.cards += 1
        await self._count(self._fed, 1)

    async def clean(self) -> None:
        """A cleaning card goes through; a person holds it, so the world does not know it."""
        self._look("move")
        await self._motion(self._profile.timing_s["clean"])
        self.care.cleaned()

    async def eject(self) -> None:
        """Move what is inside to the output bin."""
        if self.troubles.hopper_door:
            raise Obstacle("HOPPER DOOR", Line.FAULT)
        if self.troubles.hopper_error:
            raise Obstacle("ERROR HOPPER", Line.FAULT)
        if self.troubles.output_full or self._world.count(Spot.OUTPUT, self._lane) >= self._capacities.output:
            raise Obstacle("HOPPER FULL", Line.MEDIA)
        await self._let_out("eject", Spot.OUTPUT, "exit_beam")

    async def reject(self) -> None:
        """Move what is inside to the reject box."""
        if self.reject_full:
            raise Obstacle("HOPPER FULL", Line.MEDIA)
        await self._let_out("reject", Spot.REJECT, "reject_beam")

    async def flip(self) -> None:
        """Turn the card over."""
        self._look("move")
        await self._motion(self._profile.timing_s["flip"])

    def take_ribbon_set(self, ribbon: str, panel: str) -> None:
        """A side begins: a colour ribbon moves on by one whole set, even when a panel stays blank."""
        if self.ribbon.type != ribbon or panel not in self.ribbon.panels:
            raise Obstacle("ERR RIBBON TYPE", Line.MEDIA)
        if self.ribbon.remaining == 0:
            raise Obstacle("ERROR RIBBON", Line.MEDIA)
        self.ribbon.remaining -= 1
        self._set_begun = True

    async def print_panel(self, side: str, panel: str, levels: int, dots: bytes, form: Form) -> None:
        """Put one panel on the card inside."""
        self._look("print")
        if self.troubles.head_error:
            raise Obstacle("ERROR HEAD", Line.FAULT)
        if not self.cards:
            raise Obstacle("ERROR TIME OUT", Line.FAULT)
        card = self.cards[0]
        self._world.start_print(card, side, panel, levels, dots, form)
        await self._motion(self._profile.timing_s[_PANEL_TIMING.get(panel, "colour_panel")])
        if self.troubles.cover_open or card not in self.cards:
            raise Obstacle("COVER OPEN", Line.FAULT)
        self._world.end_print(card)
        if self._set_begun:
            self._set_begun = False
            await self._count(self.ribbon.tag, -1)
        self.care.panels += 1
        await self._count(self._printed, 1)

    async def _feed(self) -> None:
        self._look("feed")
        if self.care.forced:
            raise Obstacle("NEED CLEANING", Line.FAULT)
        if not self.hopper_blanks:
            raise Obstacle("FEEDER EMPTY", Line.MEDIA)
        await self._motion(self._profile.timing_s["feed"] / 2)
        if self.troubles.misfeeds:
            self.troubles.misfeeds -= 1
            raise Obstacle("ERROR TIME OUT", Line.FAULT)
        taken = self._world.at(Spot.HOPPER, self._lane)[: 2 if self.troubles.double_feeds else 1]
        if not taken:
            raise Obstacle("FEEDER EMPTY", Line.MEDIA)  # somebody took the blanks out meanwhile
        self.troubles.double_feeds = max(0, self.troubles.double_feeds - 1)
        self._meter.fed(taken[0], self._clock.now_s())
        for blank in taken:
            self._world.move(blank, Place(Spot.INSIDE, self._lane, Station.PRINT))
        await self._timed(self._around.pass_beam("feed_beam", BEAM_S))

    async def _let_out(self, stage: str, spot: Spot, beam: str) -> None:
        if not self.cards:
            return  # the motors turn and nothing comes out
        self._look(stage)
        if self.troubles.stuck_moves:
            self.troubles.stuck_moves -= 1
            raise Obstacle("ERROR TIME OUT", Line.FAULT)
        self._lift()
        await self._motion(self._profile.timing_s["eject"] - BEAM_S)
        unseen = beam == "exit_beam" and self.troubles.unseen_exits > 0
        if unseen:
            self.troubles.unseen_exits -= 1
        try:
            if not unseen:
                await self._timed(self._around.pass_beam(beam, BEAM_S))
        finally:
            self._fall_out(spot)  # the rollers have let go of it: it falls, with power or without

    def _fall_out(self, spot: Spot) -> None:
        leaving = self.cards
        for blank in leaving:
            self._world.move(blank, Place(spot, self._lane))
        self._meter.left(self._clock.now_s(), spot)
        for blank in leaving:
            self._around.card_left(blank)

    async def _count(self, counter: Counter, step: int) -> None:
        """A motion is over: count it, and write that down."""
        counter.count(step)
        await self._motion(STORE_S)
        counter.keep()

    def _look(self, stage: str) -> None:
        """Raise the obstacle that a motion of this stage meets now."""
        if self.troubles.cover_open:
            raise Obstacle("COVER OPEN", Line.FAULT)
        for error in [error for error in self.troubles.errors if error.stage == stage][:1]:
            self.troubles.errors.remove(error)
            raise Obstacle(error.word, Line.FAULT, error.code)
        if stage in self.troubles.jam_at:
            self.troubles.jam_at.discard(stage)
            self.troubles.jammed = True
        if self.troubles.jammed:
            raise Obstacle("CARD JAM", Line.FAULT)

    def _in_slot(self, blank: str) -> bool:
        return self._world.where(blank).station is Station.SLOT

    def _stand(self, station: Station) -> None:
        for blank in self.cards:
            self._world.move(blank, Place(Spot.INSIDE, self._lane, station))
        if station is Station.CONTACTLESS and self.cards:
            self._around.chip_arrives(self.cards[0])

    def _lift(self) -> None:
        """The card leaves its station; between stations it lies under the head."""
        if self.station is Station.CONTACTLESS:
            self._around.chip_leaves()
        for blank in self.cards:
            self._world.move(blank, Place(Spot.INSIDE, self._lane, Station.PRINT))

    async def _motion(self, seconds: float) -> None:
        await self._timed(self._clock.motion(max(0.0, seconds)))

    async def _timed(self, motion: Awaitable[None]) -> None:
        started = self._clock.now_s()
        try:
            await motion
        finally:
            self._meter.motion(self._clock.now_s() - started)
