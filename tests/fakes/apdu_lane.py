"""A lane in memory whose chips are hw-sim's and whose reader is driven by the real links, down to each APDU.

    LaneWorker > PcscChipStation > Personaliser > PcscLink > pyscard's calls > Pcscd > Field > hw-sim's chip
                                                  PcscSam > SamLink > pyscard's calls > Pcscd > SamSlot > hw-sim's SAM card

Hopper, printer and beams are those of `FakeLane`. `ChipCard` tells the truth of each card.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.chips.sam import Sam
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.sam_link import SamLink
from controller.hal.chip.station import PcscChipStation
from controller.hal.pins.no_sensors import NoSensors
from controller.jobs.stages import LaneDevices
from controller.model import CardPosition, ChipFile, Panel
from hwsim.devices.chip_keys import scp03_keys
from hwsim.world import Blank, World
from tests.fakes.apdu_chip import (
    MASTERS,
    OWN_VERSION,
    Field,
    SamSlot,
    StaticSam,
    content_signature,
    fill,
    finish,
    on_chip,
    signed_files,
    simulated,
)
from tests.fakes.by_hand import HandLane
from tests.fakes.chip import FakeCard, ektp, shipped
from tests.fakes.lane import Card, FakeLane
from tests.fakes.pcscd import Pcscd

PATIENCE = 3  # looks at the display
READER, SAM, DESK, DESK_SAM = "lane", "lane sam", "desk", "desk sam"


@dataclass(eq=False)
class ChipCard(Card):
    """One physical card; `blank` is the truth, of which `chip.memory` shows the files."""

    blank: Blank = field(kw_only=True)

    def holds(self, files: tuple[ChipFile, ...]) -> bool:
        """Exactly these contents, and no more."""
        memory = self.blank.chip
        wanted = {file.fid: file.content for file in files}
        return all(memory.content(fid) == wanted.get(fid, b"") for fid in memory.files if fid != 0x6FF0)

    def seems_other(self, files: tuple[ChipFile, ...]) -> bool:
        """A file of it reads as something that never was to be in it; one that is not whole reads as empty, ends early, or has a
        length that no file of its size can have."""
        memory = self.blank.chip
        wanted = {file.fid: file.content for file in files}
        possible = [
            fid for fid, space in memory.files.items() if fid != 0x6FF0 and memory.length(fid) <= len(space) - memory.prefix_bytes
        ]
        return any(not wanted.get(fid, b"").startswith(memory.content(fid)) for fid in possible)

    @property
    def closed(self) -> bool:
        """By its profile's lock, under its own keys alone where it has keys."""
        memory = self.blank.chip
        if not memory.key_sets:
            return memory.life == simulated("ektp").locked_life
        keys = scp03_keys(MASTERS.scp03, OWN_VERSION, self.blank.uid)
        return memory.life == simulated("gp-scp03").locked_life and memory.key_sets == {
            OWN_VERSION: (keys.enc, keys.mac, keys.dek)
        }

    def good_chip(self, files: tuple[ChipFile, ...]) -> bool:
        """It answers, holds these contents and is closed."""
        return not self.blank.chip.dead and self.closed and self.holds(files)

    @property
    def touched(self) -> bool:
        """Something of a resident was ever written to it, or it was closed."""
        memory = self.blank.chip
        return any(memory.written_bytes.values()) or memory.life not in (0x03, 0x07) or OWN_VERSION in memory.key_sets


class ChipBench:
    """Everything of a lane that has to do with chips: reader, key holder, the station's driver, and the cards' truth."""

    def __init__(self, kind: str = "ektp", files: tuple[ChipFile, ...] = (), *, signed: bool = True) -> None:
        """`kind`: chip profile; `files`: what a record brings; `signed`: the station knows whose signature they must carry."""
        self.kind, self.files, self._signed = kind, files or signed_files(), signed
        self.pcscd = Pcscd()
        self.world = World(seed=1)
        self.loaded: list[Card] = []
        self.strangers: list[tuple[Blank, bytes]] = []  # and what was on their chips
        self.spoiled_ribbon: list[str] = []  # UIDs of cards that were printed though their chip was not good
        self.field = Field(self.pcscd, READER, kind)
        self.field.make_stranger = self.stranger
        self.desk_field = Field(self.pcscd, DESK, kind)
        self.sam: SamSlot | StaticSam = SamSlot(self.pcscd, SAM) if kind == "ektp" else StaticSam()
        if kind == "ektp":
            SamSlot(self.pcscd, DESK_SAM)
        self.desk = self._chip_station(DESK, PcscSam(SamLink(DESK_SAM)) if kind == "ektp" else StaticSam())
        self.station = self.new_station()

    def new_station(self) -> PcscChipStation:
        """A new daemon's; what a dead one held is reset, as pcscd does."""
        self.field.reset()
        sam: Sam = self.sam if isinstance(self.sam, StaticSam) else PcscSam(SamLink(SAM))
        self.station = self._chip_station(READER, sam)
        return self.station

    def load(self, count: int) -> list[Card]:
        """Blanks of the simulated world."""
        cards: list[Card] = [self.card(self.world.blank(name)) for name in self.world.make(count, simulated(self.kind))]
        self.loaded += cards
        return cards

    def card(self, blank: Blank) -> ChipCard:
        """The physical card of a blank."""
        outside = ektp() if self.kind == "ektp" else shipped(self.kind)
        shell = FakeCard(outside, uid=blank.uid.hex().upper(), memory=blank.chip.files)
        return ChipCard(shell, blank=blank)

    def stranger(self, whose: str) -> Blank:
        """A card that is none of this station's."""
        blank = self.world.blank(self.world.make(1, simulated(self.kind))[0])
        if whose == "a twin":
            finish(blank, self.kind, self.files)
        elif whose == "a leftover":
            fill(blank, tuple(ChipFile(file.fid, file.content[::-1]) for file in self.files))
        elif whose == "a foreigner":
            blank.chip.foreign = True
        self.strangers.append((blank, on_chip(blank)))
        return blank

    def watch_ribbon(self, card: Card | None) -> None:
        """A panel is put on this card next."""
        if isinstance(card, ChipCard) and not card.face and not card.good_chip(self.files):
            self.spoiled_ribbon.append(card.chip.uid)

    def come_back(self) -> None:
        """Everything that people can bring back is there again. A chip that hangs for good stays as it is."""
        if self.field.late is not None:
            self.field.come_back()
        self.pcscd.running = True
        for reader in self.pcscd.readers.values():
            reader.plugged = True
        if isinstance(self.sam, SamSlot):
            self.sam.come_back()

    async def let_go(self) -> None:
        """The daemon ends: its threads and connections with it."""
        self.pcscd.free_threads()
        await self.station.close()
        self.pcscd.free_threads()

    def _chip_station(self, reader: str, sam: Sam) -> PcscChipStation:
        return PcscChipStation(shipped(self.kind), reader, sam, content_signature() if self._signed else None)


@dataclass(eq=False)
class ApduLane(FakeLane):
    """See FakeLane."""

    bench: ChipBench = field(default_factory=ChipBench)

    def new_daemon(self) -> None:
        """As of every lane."""
        super().new_daemon()
        self.devices = LaneDevices(self, self.bench.new_station(), self.sensors)

    def load(self, count: int) -> list[Card]:
        """Put fresh blanks into the hopper."""
        cards = self.bench.load(count)
        self.hopper.extend(cards)
        return cards

    def take_out(self) -> None:
        """A person opens the printer and lays what is inside into the tray, unless it is none of the station's."""
        if self.inside is not None:
            if self.inside in self.bench.loaded:
                self.output.append(self.inside)
            self.inside = None
            self._stand(CardPosition.NONE)

    def exchange(self, whose: str) -> None:
        """Somebody exchanges the card in the printer; the one that was there lies in the tray now."""
        assert self.inside is not None
        self.output.append(self.inside)
        self.inside = self.bench.card(self.bench.stranger(whose))

    def exchange_unseen(self, stranger: Blank) -> None:
        """As `exchange`, while the reader talks to it and does not notice."""
        assert self.inside is not None
        self.output.append(self.inside)
        self.inside = self.bench.card(stranger)
        self.bench.field.exchange(stranger, stays=False)
        self.bench.field.blank = stranger

    def _stand(self, position: CardPosition) -> None:
        self.position = position
        at_reader = position is CardPosition.CONTACTLESS and isinstance(self.inside, ChipCard)
        self.bench.field.place(self.inside.blank if at_reader and isinstance(self.inside, ChipCard) else None)

    def _put_on(self, panel: Panel) -> Iterator[str]:
        self.bench.watch_ribbon(self.inside)
        yield from super()._put_on(panel)


@dataclass(eq=False)
class ApduHandLane(HandLane):
    """See HandLane."""

    bench: ChipBench = field(default_factory=ChipBench)
    asked_in_vain: int = 0  # so often the display has said the same although a card lies there

    def look_again(self, condition: str | None) -> None:
        """The person looks at the display, which still says this. A blank that it does not see goes to the bottom of the stack; a
        card whose reader is lost for it is lifted."""
        vain = self.reader is not None and condition in ("lay_blank", "reader_lost", "reader_stuck")
        self.asked_in_vain = self.asked_in_vain + 1 if vain else 0
        if self.asked_in_vain > PATIENCE and self.reader is not None:
            if condition != "lay_blank":
                self.hand = self.reader
            else:
                self.hopper.append(self.reader)
            self._lay(None)
            self.obey(condition)

    def new_daemon(self) -> None:
        """As of every lane."""
        super().new_daemon()
        self.devices = LaneDevices(self, self.bench.new_station(), NoSensors())

    def load(self, count: int) -> list[Card]:
        """Put fresh blanks on the stack."""
        cards = self.bench.load(count)
        self.hopper.extend(cards)
        return cards

    def _lay(self, card: Card | None) -> None:
        self.reader = card
        self.bench.field.place(card.blank if isinstance(card, ChipCard) else None)

    def _put_on(self, panel: Panel) -> Iterator[str]:
        self.bench.watch_ribbon(self.inside)
        yield from super()._put_on(panel)
