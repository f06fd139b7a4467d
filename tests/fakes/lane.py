"""A whole lane in memory: hopper, printer, chip reader and beams that move the same cards. For tests of `controller.jobs`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.clock import Deadline
from controller.errors import DeviceAbsent
from controller.jobs.stages import LaneDevices, Trip
from controller.model import Beam, CardPosition, Panel, PrinterIdentity, PrinterWitness
from tests.fakes.chip import FakeCard, FakeChipStation, contents, ektp
from tests.fakes.pins import FakeLaneSensors

PANELS = [Panel(name, 128, name.encode() * 4, f"hash-{name}") for name in "ymcko"]
FILES = contents(ektp(), 40)


@dataclass(eq=False)
class Card:
    """One physical card."""

    chip: FakeCard
    prints: int = 0


@dataclass(eq=False)
class FakeLane:
    """The lane's truth: `hopper`, `inside`, `output`, `rejected`. Every printer act runs `before[act]` first and `after[act]`
    last, where a test puts its trouble (raise, move, swap)."""

    hopper: deque[Card] = field(default_factory=deque)
    inside: Card | None = None
    output: list[Card] = field(default_factory=list)
    rejected: list[Card] = field(default_factory=list)
    position: CardPosition = CardPosition.NONE
    cards_fed: int = 100
    panels_printed: int = 500
    ribbon: int | None = 50
    present: bool = True
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    after: dict[str, Callable[[], None]] = field(default_factory=dict)
    acts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sensors = FakeLaneSensors()
        self.chip = FakeChipStation(ektp())
        self.devices = LaneDevices(self, self.chip, self.sensors)

    def load(self, count: int) -> list[Card]:
        """Put fresh blanks into the hopper."""
        cards = [Card(FakeCard(ektp(), uid=f"04{len(self.hopper) + n:012X}")) for n in range(1, count + 1)]
        self.hopper.extend(cards)
        return cards

    def trip(self) -> Trip:
        """A passage's shared state over this lane."""
        return Trip(self.devices, PANELS, FILES)

    # ports.CardPrinter

    async def open(self) -> PrinterIdentity:
        self._need_printer()
        return PrinterIdentity("Fake", "1", "SN1")

    async def witness(self) -> PrinterWitness:
        self._need_printer()
        self._do("witness", lambda: None)
        return PrinterWitness(self.position, self.cards_fed, self.panels_printed, self.ribbon)

    async def examine(self) -> PrinterWitness:
        return await self.witness()

    async def feed(self, deadline: Deadline) -> None:
        self._do("feed", self._feed)

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        self._do("print", lambda: self._print(panels))

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        def both() -> None:
            self._print(panels)
            self._leave(self.output, Beam.EXIT)

        self._do("print_and_deliver", both)

    async def to_chip_station(self, deadline: Deadline) -> None:
        self._do("to_chip_station", lambda: self._stand(CardPosition.CONTACTLESS))

    async def deliver(self, deadline: Deadline) -> None:
        self._do("deliver", lambda: self._leave(self.output, Beam.EXIT))

    async def reject(self, deadline: Deadline) -> None:
        self._do("reject", lambda: self._leave(self.rejected, Beam.REJECT))

    async def close(self) -> None:
        self.acts.append("close")

    # Physics

    def _need_printer(self) -> None:
        if not self.present:
            raise DeviceAbsent("printer_absent", "unplugged")

    def _do(self, act: str, move: Callable[[], object]) -> None:
        if act != "witness":
            self._need_printer()
            self.acts.append(act)
        self.before.get(act, lambda: None)()
        move()
        self.after.get(act, lambda: None)()

    def _feed(self) -> None:
        self.inside = self.hopper.popleft()
        self.cards_fed += 1
        self.sensors.card_passes(Beam.FEED)
        self._stand(CardPosition.CONTACTLESS)

    def _print(self, panels: Sequence[Panel]) -> None:
        assert self.inside is not None
        self.inside.prints += 1
        self.panels_printed += len(panels)
        self._stand(CardPosition.PRINT)

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
