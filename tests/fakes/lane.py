"""A whole lane in memory: hopper, printer, chip reader and beams that move the same cards. For tests of `controller.jobs`.

An act is commands, a command is a motion in steps. `at` is called around every command and every step with its name;
what it raises ends the act there, as a crash or a broken wire would. The printer goes on with the command it was given
(`finish_motion`), unless its power is lost (`cut_power`): then it stays half done, and counters forget what they had not kept.
Held to tests/contract/test_card_printer.py.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from controller.cards.raster import check_shapes
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.hal.profiles.printer import PrinterProfile
from controller.jobs.stages import LaneDevices, Trip
from controller.model import Beam, CardPosition, Panel, PrinterCare, PrinterIdentity, PrinterWitness
from tests.fakes.chip import FakeCard, contents, ektp
from tests.fakes.chip_station import FakeChipStation
from tests.fakes.pins import FakeLaneSensors

PANELS = [Panel(name, 128, name.encode() * 4, f"hash-{name}") for name in "ymcko"]
TEST_PANEL = Panel("k", 2, b"test card", "hash-test")  # what the printer's own test card has on it
FILES = contents(ektp(), 40)

Command = Callable[[], Iterator[str]]  # does its motion step by step, and names the state that it has reached


@dataclass(eq=False)
class Card:
    """One physical card."""

    chip: FakeCard
    face: list[Panel] = field(default_factory=list)  # every panel that was ever put on it, in order

    @property
    def prints(self) -> int:
        """How often it was printed, whole or in part."""
        return max(Counter(panel.name for panel in self.face).values(), default=0)

    @property
    def face_complete(self) -> bool:
        """Every panel of `PANELS` once, in order."""
        return [(panel.name, panel.data) for panel in self.face] == [(panel.name, panel.data) for panel in PANELS]


@dataclass(eq=False)
class FakeLane:
    """The lane's truth: `hopper`, `inside`, `output`, `rejected`. Every printer act runs `before[act]` first and `after[act]`
    last, where a test puts its trouble (raise, move, swap). `ejects`: what happens to a card inside when the power comes back."""

    profile: PrinterProfile | None = None  # None: takes any panels and has every act
    serial: str = "SN1"
    ejects: bool = False
    forgetful: bool = False  # at a loss of power each counter loses its last tick as well
    opened: bool = True
    hopper: deque[Card] = field(default_factory=deque)
    inside: Card | None = None
    output: list[Card] = field(default_factory=list)
    rejected: list[Card] = field(default_factory=list)
    position: CardPosition = CardPosition.NONE
    cards_fed: int = 100
    panels_printed: int = 500
    ribbon: int | None = 50
    present: bool = True
    cover_open: bool | None = None  # None: this printer does not tell
    upkeep: PrinterCare = field(default_factory=PrinterCare)
    clean_every: int | None = None  # what the count until cleaning goes back to; None: this printer does not count
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    after: dict[str, Callable[[], None]] = field(default_factory=dict)
    at: Callable[[str], None] = lambda _point: None
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._closed = False
        self._kept = {"cards_fed": self.cards_fed, "panels_printed": self.panels_printed}
        self._kept_before = dict(self._kept)
        self._moving: Iterator[str] = iter(())  # the command under way
        self._made = 0
        self.new_daemon()

    def new_daemon(self) -> None:
        """The station's side begins anew: closed links, sensors that count from zero. The world stays as it is."""
        self.sensors = FakeLaneSensors()
        self.chip = FakeChipStation(ektp())
        self.devices = LaneDevices(self, self.chip, self.sensors)
        self._closed = False
        self._stand(self.position)

    def load(self, count: int) -> list[Card]:
        """Put fresh blanks into the hopper."""
        cards = [Card(FakeCard(ektp(), uid=f"04{self._made + n:012X}")) for n in range(1, count + 1)]
        self._made += count
        for card in cards:
            card.chip.wire = lambda point: self.at(point)
        self.hopper.extend(cards)
        return cards

    def trip(self) -> Trip:
        """A passage's shared state over this lane."""
        return Trip(self.devices, PANELS, FILES)

    # What happens to it

    def finish_motion(self) -> None:
        """The printer ends the command that it was given last, whoever listens."""
        moving, self._moving = self._moving, iter(())
        for _state in moving:
            pass

    def unplug(self) -> None:
        """The USB cable is pulled; the printer ends its motion."""
        self.finish_motion()
        self.present = self.opened = False

    def cut_power(self) -> None:
        """The motion stops where it is; the counters are what was written down, or the time before."""
        self._moving = iter(())
        self.present = self.opened = False
        self._kept = dict(self._kept_before if self.forgetful else self._kept)
        self._kept_before = dict(self._kept)
        self.cards_fed, self.panels_printed = self._kept["cards_fed"], self._kept["panels_printed"]

    def plug(self) -> None:
        """The cable is back."""
        self.present = True

    def power_on(self) -> None:
        """The power is back: the printer ejects a card inside, or holds it where it is."""
        if self.ejects and self.inside is not None:
            self._leave(self.output, Beam.EXIT)
        self.present = True

    # ports.CardPrinter

    async def open(self) -> PrinterIdentity:
        if self._closed:
            raise DeviceAbsent("printer_lost", "the link was closed")
        self.at("open")
        if not self.present:
            raise DeviceAbsent("printer_absent", "unplugged")
        self.opened = True
        return PrinterIdentity("Fake" if self.profile is None else self.profile.model, "1", self.serial)

    async def witness(self) -> PrinterWitness:
        self._reach()
        self.at("witness")
        self.before.get("witness", lambda: None)()
        return PrinterWitness(self.position, self.cards_fed, self.panels_printed, self.ribbon, cover_open=self.cover_open)

    async def examine(self) -> PrinterWitness:
        return await self.witness()

    async def feed(self, deadline: Deadline) -> None:
        self._do("feed", deadline, [lambda: self._bring(CardPosition.CONTACTLESS)])

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        self._check(panels, "print", holds=True)
        self._do("print", deadline, self._printing(panels))

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        self._check(panels, "print_and_deliver", holds=False)
        self._do("print_and_deliver", deadline, [*self._printing(panels), lambda: self._let_out(self.output, Beam.EXIT)])

    async def to_chip_station(self, deadline: Deadline) -> None:
        self._do("to_chip_station", deadline, [lambda: self._bring(CardPosition.CONTACTLESS)])

    async def deliver(self, deadline: Deadline) -> None:
        self._do("deliver", deadline, [lambda: self._let_out(self.output, Beam.EXIT)])

    async def reject(self, deadline: Deadline) -> None:
        self._do("reject", deadline, [lambda: self._let_out(self.rejected, Beam.REJECT)])

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        raise DeviceRefused("option_missing", "no act 'print_by_hand'")

    async def care(self) -> PrinterCare:
        self._reach()
        self.at("care")
        self.before.get("care", lambda: None)()
        return self.upkeep

    async def clean(self, deadline: Deadline) -> None:
        self._do("clean", deadline, [self._cleaning])

    async def print_test_card(self, deadline: Deadline) -> None:
        bring = partial(self._bring, CardPosition.PRINT)
        put_on = partial(self._put_on, TEST_PANEL)
        self._do("print_test_card", deadline, [bring, put_on, lambda: self._let_out(self.output, Beam.EXIT)])

    async def close(self) -> None:
        self._closed, self.opened = True, False
        self.acts.append("close")

    # Physics

    def _reach(self) -> None:
        if not self.opened or not self.present:
            self.opened = False
            raise DeviceAbsent("printer_lost", "the printer has to be opened first")

    def _do(self, act: str, deadline: Deadline, commands: Sequence[Command]) -> None:
        self._reach()
        if deadline.passed:
            raise DeviceAbsent("printer_late", "the deadline was over before anything was sent")
        self.at(act)
        self.acts.append(act)
        try:
            self.before.get(act, lambda: None)()
            for number, command in enumerate(commands, start=1):
                self._moving = command()
                for state in self._moving:
                    self.at(f"{act} {number} {state}")
                self.at(f"{act} {number} replied")
            self.after.get(act, lambda: None)()
        except (DeviceUnknown, DeviceAbsent):
            self.opened = False  # out of step until it is opened anew
            raise

    def _check(self, panels: Sequence[Panel], act: str, *, holds: bool) -> None:
        if self.profile is None:
            return
        check_shapes(panels, self.profile.raster_for(self.profile.ribbon))
        if self.profile.holds_card is not holds:
            raise DeviceRefused("option_missing", f"no act '{act}'")

    def _bring(self, station: CardPosition) -> Iterator[str]:
        """The card inside to the station, or a blank from the hopper."""
        if self.inside is None:
            yield "picking"  # it does not leave the hopper before the rollers have it
            if not self.hopper:
                raise DeviceRefused("hopper_empty", "Sic: FEEDER EMPTY")
            self.inside = self.hopper.popleft()
            self._stand(CardPosition.PRINT)
            yield "picked"
            self.sensors.card_passes(Beam.FEED)
            self._stand(station)
            yield "standing"
            self.cards_fed += 1
            yield "counted"
            self._keep("cards_fed")
        elif self.position is not station:
            self._stand(CardPosition.PRINT)
            yield "moving"
            self._stand(station)

    def _cleaning(self) -> Iterator[str]:
        yield "cleaning"
        if self.clean_every is not None:
            self.upkeep = replace(self.upkeep, cards_until_cleaning=self.clean_every)

    def _printing(self, panels: Sequence[Panel]) -> list[Command]:
        return [partial(self._put_on, panel) for panel in panels]

    def _put_on(self, panel: Panel) -> Iterator[str]:
        if self.inside is None:
            raise DeviceRefused("card_stuck", "ERROR TIME OUT")
        self._stand(CardPosition.PRINT)
        self.inside.face.append(panel)
        yield "printed"
        if self.ribbon is not None and panel.name == "y":
            self.ribbon -= 1
        self.panels_printed += 1
        yield "counted"
        self._keep("panels_printed")

    def _let_out(self, into: list[Card], beam: Beam) -> Iterator[str]:
        if self.inside is None:
            return  # the motors turn and nothing comes out
        self._stand(CardPosition.PRINT)
        yield "lifted"
        self._leave(into, beam)
        yield "left"

    def _keep(self, counter: str) -> None:
        self._kept_before[counter], self._kept[counter] = self._kept[counter], getattr(self, counter)

    def _stand(self, position: CardPosition) -> None:
        self.position = position
        at_reader = position is CardPosition.CONTACTLESS and self.inside is not None
        self.chip.card = self.inside.chip if at_reader and self.inside is not None else None

    def _leave(self, into: list[Card], beam: Beam) -> None:
        assert self.inside is not None
        into.append(self.inside)
        self.inside = None
        self._stand(CardPosition.NONE)
        self.sensors.card_passes(beam)
