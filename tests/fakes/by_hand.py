"""A lane whose printer is fed by hand, in memory: stack, reader, hand, slot and tray; and the person who obeys the display.

The printer is the one of `FakeLane` without hopper and beams. It never tells where a card is. A job that was sent waits in it for
a card; when none comes, it waits for somebody to cancel it (`open` does, as the driver must). Facts: printers.md 4.3, 4.7.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from controller.clock import Deadline
from controller.errors import DeviceRefused
from controller.hal.pins.no_sensors import NoSensors
from controller.jobs.stages import LaneDevices
from controller.model import CardPosition, Panel, PrinterIdentity, PrinterWitness
from tests.fakes.chip import ektp
from tests.fakes.chip_station import FakeChipStation
from tests.fakes.lane import Card, FakeLane
from tests.fakes.pins import FakeLaneSensors


@dataclass(eq=False)
class HandLane(FakeLane):
    """`hopper` is the stack beside the printer, `output` where finished cards go; `obey` is the person."""

    reader: Card | None = None  # lies on the chip reader
    hand: Card | None = None
    slot: Card | None = None
    tray: list[Card] = field(default_factory=list)  # ejected, not yet taken
    pending: bool = False  # the printer holds a job that waits for a card
    obeys: bool = True  # the person does what the display says
    feeds: bool = True  # the person puts the card into the slot when it is time
    feeds_alone: bool = True  # and does so although nobody listens to the printer any more
    unfed: int = 0  # so many times the person does not come to the slot in time
    mistaken: bool = False  # the person takes the next blank for the printed card, once
    swapped: bool = False  # the person puts the next blank into the slot instead of the written card, once

    def new_daemon(self) -> None:
        """As of every lane."""
        self.chip = FakeChipStation(ektp())
        self.sensors = FakeLaneSensors()  # of nothing
        self.devices = LaneDevices(self, self.chip, NoSensors())
        self._closed = False
        self._stranger: Card | None = None
        self._aside: Card | None = None
        self._lay(self.reader)

    # The person

    def obey(self, condition: str | None) -> None:
        """Do what the display asks for."""
        does = {"lay_blank": self._lay_blank, "feed_by_hand": self._lift, "lay_printed": self._bring_printed,
                "lay_other": self._bring_back, "lay_again": self._bring_back, "take_card_away": self._take_away,
                "to_reject_box": self._throw_away}.get(condition or "")  # fmt: skip
        if does is not None and self.obeys:
            does()

    def loose(self) -> list[Card]:
        """Every card that is neither in the stack nor put away, the likeliest first."""
        cards = (self.reader, self.hand, *reversed(self.tray), self.slot, self.inside)
        return [card for card in cards if card is not None]

    def bring(self, card: Card) -> None:
        """Lay this one on the reader, wherever it was."""
        if card is self.reader:
            return
        self.hand = None if card is self.hand else self.hand
        self.slot = None if card is self.slot else self.slot
        self.inside = None if card is self.inside else self.inside
        self.tray = [other for other in self.tray if other is not card]
        self.hand = self.reader if self.reader is not None else self.hand
        self._lay(card)

    def put_away(self, card: Card, pile: list[Card]) -> None:
        """Put a loose card on a pile."""
        self.bring(card)
        self._lay(None)
        pile.append(card)

    def _lay(self, card: Card | None) -> None:
        self.reader = card
        self.chip.card = None if card is None else card.chip

    def _lay_blank(self) -> None:
        if self.reader is None and self.hand is not None:
            self.hand, card = None, self.hand
            self._lay(card)
        elif self.reader is None and self.hopper:
            self._lay(self.hopper.popleft())

    def _lift(self) -> None:
        if self.reader is not None:
            self.hand = self.reader
            self._lay(None)

    def _bring_printed(self) -> None:
        if not self.mistaken:
            self._bring_back()
            return
        self.mistaken, self._stranger = False, self.hopper.popleft()
        self._lay(self._stranger)

    def _bring_back(self) -> None:
        if self.reader is not None and self.reader is self._stranger:
            self.hopper.append(self._stranger)
            self._lay(None)
        if self.reader is not None and self.reader.face and self.hand is not None:  # this one is not wanted: perhaps the other
            self._aside, self.hand, card = self.reader, None, self.hand
            self._lay(card)
        elif self.reader is None and self.tray:
            self.bring(self.tray[-1])
        elif self.reader is None and self.loose():
            self.bring(self.loose()[0])

    def _take_away(self) -> None:
        if self.reader is not None:
            self.put_away(self.reader, self.output)

    def _throw_away(self) -> None:
        card = self.reader or self.hand
        if card is not None:
            self.put_away(card, self.rejected)

    # ports.CardPrinter

    async def open(self) -> PrinterIdentity:
        identity = await super().open()
        self.pending = False  # cancelled: nobody waits for it any more
        return identity

    async def witness(self) -> PrinterWitness:
        seen = await super().witness()
        return PrinterWitness(CardPosition.UNTOLD, seen.cards_fed, seen.panels_printed, seen.ribbon_remaining)

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        self._do("print_by_hand", deadline, [lambda: self._by_hand(panels)])
        if self.pending:
            self.pending = False
            raise DeviceRefused("card_not_fed", "11:01")

    def finish_motion(self) -> None:
        """As of every lane."""
        feeds, self.feeds = self.feeds, self.feeds_alone
        super().finish_motion()
        self.feeds = feeds

    def cut_power(self) -> None:
        """As of every lane; what was sent is forgotten."""
        super().cut_power()
        self.pending = False

    def power_on(self) -> None:
        """As of every lane."""
        if self.ejects and self.inside is not None:
            self.tray.append(self.inside)
            self.inside = None
        self.present = True

    # Physics

    def _by_hand(self, panels: Sequence[Panel]) -> Iterator[str]:
        self.pending = True
        yield "sent"
        if self.swapped:
            self.swapped, self.slot = False, self.hopper.popleft()
        comes, self.unfed = self.feeds and self.unfed == 0, max(0, self.unfed - 1)
        if comes and self.slot is None and self.hand is not None:
            self.slot, self.hand = self.hand, None
        yield "waited"
        if self.slot is None:
            return
        self.inside, self.slot, self.pending = self.slot, None, False
        yield "drawn in"
        for panel in panels:
            yield from self._put_on(panel)
        self.cards_fed += 1
        yield "counted"
        self._keep("cards_fed")
        assert self.inside is not None
        card, self.inside = self.inside, None
        self.tray.append(card)
        yield "ejected"

    def _stand(self, position: CardPosition) -> None:
        """Nothing inside is ever at the reader."""
        self.position = position
