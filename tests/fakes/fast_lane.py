"""A whole lane in memory, quick enough for 100,000 cards: hopper, printer, reader and beams move the same cards.

Cards carry hashes of panels and whole chip files instead of dots and memory cells. A motion goes on although nobody waits for
it any more: killing the station or pulling the cable stops no motor. With `pace` it takes time; without, it is done at once.
The ports are in fast_printer.py and fast_chip.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal.profiles.printer import PrinterProfile
from controller.model import Beam, CardPosition, Panel, PrinterWitness
from tests.fakes.fast_chip import FastCard
from tests.fakes.pins import FakeLaneSensors

EXITS = ("deliver", "print_and_deliver")


@dataclass(eq=False, slots=True)
class Motion:
    """One act of the printer's mechanics under way."""

    act: str
    panels: Sequence[Panel]
    reply: asyncio.Future[None]  # of the session that asked; may be gone
    timer: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class FastLane:
    """The lane's truth. Whoever plays the world looks at everything here and may arm `troubles`: act -> what goes wrong once.

    Troubles: `jam`, `misfeed`, `double`, `late` (done, and the reply is lost), `power` and `unplug` (in the middle of the act).
    """

    profile: PrinterProfile
    serial: str
    ejects: bool = False  # a card inside, when power comes back
    rng: Random = field(default_factory=Random)
    pace: Callable[[str], float] = lambda _act: 0.0  # seconds that an act takes
    on_print: Callable[[Sequence[Panel]], None] = lambda _panels: None
    on_trouble: Callable[[str], None] = lambda _name: None
    sensors: FakeLaneSensors | None = None  # those of the station that runs now
    hopper: deque[FastCard] = field(default_factory=deque)
    inside: FastCard | None = None
    second: FastCard | None = None  # stuck to the one inside
    tray: list[FastCard] = field(default_factory=list)  # left through the exit, not yet called good
    rejected: list[FastCard] = field(default_factory=list)
    current: FastCard | None = None  # the card that was fed last, wherever it is now
    position: CardPosition = CardPosition.NONE
    cards_fed: int = 1000
    panels_printed: int = 5000
    ribbon: int = 187
    powered: bool = True
    plugged: bool = True
    jammed: bool = False
    link: int = 0  # a new one each time the conversation was cut off
    motion: Motion | None = None
    troubles: dict[str, str] = field(default_factory=dict)

    # What a session sees and does

    @property
    def reachable(self) -> bool:
        """Whether somebody answers on the cable."""
        return self.powered and self.plugged

    def witness(self) -> PrinterWitness:
        """What the printer says of itself."""
        return PrinterWitness(self.position, self.cards_fed, self.panels_printed, self.ribbon)

    def start(self, act: str, panels: Sequence[Panel] = ()) -> asyncio.Future[None]:
        """Begin an act; the reply comes when it is over."""
        loop = asyncio.get_running_loop()
        motion = Motion(act, panels, loop.create_future())
        trouble = self.troubles.pop(act, "")
        wait_s = self.pace(act)
        refusal = self._refusal(act, trouble)
        if refusal is not None:
            self._answer(motion, refusal)
        elif wait_s <= 0:
            self._finish(motion)
        else:
            self.motion = motion
            motion.timer = loop.call_later(wait_s, self._finish, motion, trouble)
            if trouble in ("power", "unplug"):
                loop.call_later(wait_s * self.rng.random(), self.power_off if trouble == "power" else self.unplug)
        return motion.reply

    def card_at_reader(self) -> FastCard | None:
        """The card in the field of the reader."""
        still = self.motion is None and self.position is CardPosition.CONTACTLESS
        return self.inside if still else None

    # What happens to it

    def load(self, cards: Sequence[FastCard]) -> None:
        """Put blanks into the hopper."""
        self.hopper.extend(cards)
        self.show_levels()

    def show_levels(self) -> None:
        """Tell the sensors what they see."""
        empty = not self.hopper
        levels = None if self.sensors is None else self.sensors.levels
        if self.sensors is not None and (levels is None or levels.hopper_empty != empty):
            self.sensors.sense(hopper_empty=empty)

    def unplug(self) -> None:
        """Pull the USB cable; motors go on."""
        if self.plugged:
            self.plugged = False
            self._cut_off("the cable was pulled")
            self.on_trouble("unplug")

    def plug(self) -> None:
        """Put the cable back."""
        self.plugged = True

    def power_off(self) -> None:
        """The printer loses its power, in whatever it is doing."""
        if not self.powered:
            return
        self.powered = False
        self._cut_off("the power was lost")
        motion, self.motion = self.motion, None
        if motion is not None:
            if motion.timer is not None:
                motion.timer.cancel()
            self._cut_short(motion)
        self.on_trouble("power")

    def power_on(self) -> None:
        """Power is back: a card inside is held or ejected."""
        if not self.powered:
            self.powered, self.jammed = True, False
            if self.ejects and self.inside is not None:
                self._leave(self.tray, Beam.EXIT)

    def clear(self, *, take_out: bool) -> list[FastCard]:
        """A person opens the printer, clears a jam and perhaps takes out what is inside."""
        self.jammed = False
        taken = [card for card in (self.inside, self.second) if card is not None] if take_out else []
        if take_out:
            self.inside, self.second, self.position = None, None, CardPosition.NONE
        return taken

    def replace(self, serial: str) -> None:
        """A person puts another printer there. Whatever was inside was taken out before."""
        self.serial, self.link = serial, self.link + 1
        self.cards_fed, self.panels_printed = self.rng.randrange(90_000), self.rng.randrange(400_000)

    # Mechanics

    def _refusal(self, act: str, trouble: str) -> DeviceRefused | None:
        if self.jammed:
            return DeviceRefused("card_jam", f"{act}: CARD JAM")
        if trouble == "jam":
            self._jam(act)
            return DeviceRefused("card_jam", f"{act}: CARD JAM")
        if act == "feed" and self.inside is None:
            if trouble == "misfeed" and self.hopper:
                self.on_trouble(trouble)
                word = self.rng.choice(("hopper_empty", "card_stuck"))
                return DeviceRefused(word, "Sic: FEEDER EMPTY")
            return None if self.hopper else DeviceRefused("hopper_empty", "Sic: FEEDER EMPTY")
        if act in ("print", "print_and_deliver"):
            if self.inside is None:
                return DeviceRefused("hopper_empty", "Ss: FEEDER EMPTY")
            if self.ribbon < 1:
                return DeviceRefused("ribbon_end", "Se: RIBBON END")
        return None

    def _finish(self, motion: Motion, trouble: str = "") -> None:
        self.motion = None
        {"feed": self._feed, "print": self._print, "print_and_deliver": self._print, "to_chip_station": self._feed}.get(
            motion.act, lambda _motion, _trouble: None
        )(motion, trouble)
        if motion.act in EXITS and self.inside is not None:
            self._leave(self.tray, Beam.EXIT)
        elif motion.act == "reject" and self.inside is not None:
            self._leave(self.rejected, Beam.REJECT)
        if trouble == "late":
            self.on_trouble(trouble)
            self.link += 1
            self._answer(motion, DeviceUnknown("printer_late", f"no reply to {motion.act}"))
        else:
            self._answer(motion, None)

    def _feed(self, motion: Motion, trouble: str) -> None:
        """As the printer's Sic: it brings a card that is inside to the reader, and feeds one when none is, whatever was meant."""
        if self.inside is None and self.hopper:
            self._pick(double=trouble == "double" and len(self.hopper) > 1, again=motion.act != "feed")
            self.cards_fed += 1
        self.position = CardPosition.NONE if self.inside is None else CardPosition.CONTACTLESS

    def _pick(self, *, double: bool = False, again: bool = False) -> None:
        self.inside = self.hopper.popleft()
        if again:
            self.on_trouble("fed again")
        else:
            self.current = self.inside
        self._pass(Beam.FEED)
        if double:
            self.second = self.hopper.popleft()
            self._pass(Beam.FEED)
            self.on_trouble("double")
        self.show_levels()

    def _print(self, motion: Motion, _trouble: str) -> None:
        if self.inside is None:
            return
        self._lay_down(motion.panels, len(motion.panels))
        self.panels_printed += len(motion.panels)
        self.position = CardPosition.PRINT
        self.on_print(motion.panels)

    def _lay_down(self, panels: Sequence[Panel], count: int) -> None:
        if self.inside is not None and count:
            self.inside.faces.append(tuple(panel.sha256 for panel in panels[:count]))
            if self.profile.holds_card:  # one that prints and ejects in one act lets nobody look at the chip again
                self.inside.turn()
            self.ribbon -= 1

    def _jam(self, act: str) -> None:
        """The card stays where the jam caught it."""
        self.jammed = True
        if act == "feed" and self.inside is None and self.hopper:
            self._pick()
            self.cards_fed += self.rng.randrange(2)
            self.position = CardPosition.CONTACT
        self.on_trouble("jam")

    def _cut_short(self, motion: Motion) -> None:
        """Where power left the card, and which of its counts the printer still wrote down."""
        rng = self.rng
        if motion.act == "feed" and self.inside is None and self.hopper and rng.random() < 0.6:
            self._pick()
            self.cards_fed += rng.randrange(2)
            self.position = rng.choice((CardPosition.CONTACTLESS, CardPosition.CONTACT, CardPosition.PRINT))
        elif motion.act in ("print", "print_and_deliver") and self.inside is not None:
            count = rng.randrange(len(motion.panels) + 1)
            self._lay_down(motion.panels, count)
            self.panels_printed += rng.choice((count, count, 0, max(0, count - 1)))
            self.position = CardPosition.PRINT
            if motion.act in EXITS and count == len(motion.panels) and rng.random() < 0.5:
                self._leave(self.tray, Beam.EXIT)
        elif motion.act in ("deliver", "reject") and self.inside is not None and rng.random() < 0.5:
            out = motion.act == "deliver"
            self._leave(self.tray if out else self.rejected, Beam.EXIT if out else Beam.REJECT)
        elif motion.act == "to_chip_station" and self.inside is not None:
            self.position = rng.choice((CardPosition.CONTACTLESS, CardPosition.PRINT))

    def _leave(self, into: list[FastCard], beam: Beam) -> None:
        into.extend(card for card in (self.inside, self.second) if card is not None)
        self._pass(beam)
        if self.second is not None and self.rng.random() < 0.5:  # else one shadow for both
            self._pass(beam)
        self.inside = self.second = None
        self.position = CardPosition.NONE

    def _pass(self, beam: Beam) -> None:
        if self.sensors is not None:
            self.sensors.card_passes(beam)

    def _cut_off(self, why: str) -> None:
        """The conversation is over; what moves is another matter."""
        self.link += 1
        if self.motion is not None:
            self._answer(self.motion, DeviceUnknown("printer_lost", why))

    @staticmethod
    def _answer(motion: Motion, error: DeviceRefused | DeviceUnknown | None) -> None:
        if motion.reply.done():  # cut off, or whoever asked is gone
            return
        if error is None:
            motion.reply.set_result(None)
        else:
            motion.reply.set_exception(error)
