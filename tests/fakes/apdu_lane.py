"""A lane in memory whose chips are hw-sim's and whose reader is driven by the real links, down to each APDU.

    LaneWorker > PcscChipStation > Personaliser > PcscLink > pyscard's calls > Pcscd > Field > hw-sim's chip
                                                  PcscSam > SamLink > pyscard's calls > Pcscd > SamSlot > hw-sim's SAM card

Hopper, printer and beams are those of `FakeLane`. `ChipCard` tells the truth of each card.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.chips.sam import Sam
from controller.hal.chip_station import PcscChipStation
from controller.hal.pcsc_sam import PcscSam
from controller.hal.sam_link import SamLink
from controller.jobs.stages import LaneDevices
from controller.model import CardPosition, ChipFile, Panel
from hwsim.devices.chip_keys import scp03_keys
from hwsim.world import Blank, World
from tests.fakes.apdu_chip import MASTERS, OWN_VERSION, Field, SamSlot, StaticSam, content_signature, signed_files, simulated
from tests.fakes.chip import FakeCard, ektp, shipped
from tests.fakes.lane import Card, FakeLane
from tests.fakes.pcscd import Pcscd

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
        """A file of it reads as something that never was to be in it; one that is not whole reads as empty, or ends early."""
        memory = self.blank.chip
        wanted = {file.fid: file.content for file in files}
        return any(not wanted.get(fid, b"").startswith(memory.content(fid)) for fid in memory.files if fid != 0x6FF0)

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


@dataclass(eq=False)
class ApduLane(FakeLane):
    """See FakeLane. `kind` is the chip profile; `files` what a record brings."""

    kind: str = "ektp"
    files: tuple[ChipFile, ...] = field(default_factory=signed_files)
    signed: bool = True  # the station knows whose signature contents must carry
    spoiled_ribbon: list[str] = field(default_factory=list)  # UIDs of cards that were printed though their chip was not good

    def __post_init__(self) -> None:
        self.pcscd = Pcscd()
        self.world = World(seed=1)
        self.loaded: list[Card] = []
        self.strangers: list[tuple[Blank, bytes]] = []  # and what was on their chips
        self.field = Field(self.pcscd, READER, self.kind)
        self.field.make_stranger = self.stranger
        self.desk_field = Field(self.pcscd, DESK, self.kind)
        self.sam: SamSlot | StaticSam = SamSlot(self.pcscd, SAM) if self.kind == "ektp" else StaticSam()
        if self.kind == "ektp":
            SamSlot(self.pcscd, DESK_SAM)
        self.desk = self._chip_station(DESK, StaticSam() if self.kind != "ektp" else PcscSam(SamLink(DESK_SAM)))
        super().__post_init__()

    def new_daemon(self) -> None:
        """As of every lane; what the dead daemon held is reset, as pcscd does."""
        super().new_daemon()
        self.field.reset()
        sam: Sam = self.sam if isinstance(self.sam, StaticSam) else PcscSam(SamLink(SAM))
        self.station = self._chip_station(READER, sam)
        self.devices = LaneDevices(self, self.station, self.sensors)

    def load(self, count: int) -> list[Card]:
        """Blanks of the simulated world."""
        names = self.world.make(count, simulated(self.kind))
        cards: list[Card] = [self.card(self.world.blank(name)) for name in names]
        self.hopper.extend(cards)
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
        self.strangers.append((blank, on_chip(blank)))
        return blank

    def take_out(self) -> None:
        """A person opens the printer and lays what is inside into the tray, unless it is none of the station's."""
        if self.inside is not None:
            if self.inside in self.loaded:
                self.output.append(self.inside)
            self.inside = None
            self._stand(CardPosition.NONE)

    def exchange(self, whose: str) -> None:
        """Somebody exchanges the card in the printer; the one that was there lies in the tray now."""
        assert self.inside is not None
        self.output.append(self.inside)
        self.inside = self.card(self.stranger(whose))

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
        return PcscChipStation(shipped(self.kind), reader, sam, content_signature() if self.signed else None)

    def _stand(self, position: CardPosition) -> None:
        self.position = position
        at_reader = position is CardPosition.CONTACTLESS and isinstance(self.inside, ChipCard)
        self.field.place(self.inside.blank if at_reader and isinstance(self.inside, ChipCard) else None)

    def _put_on(self, panel: Panel) -> Iterator[str]:
        card = self.inside
        if isinstance(card, ChipCard) and not card.face and not card.good_chip(self.files):
            self.spoiled_ribbon.append(card.chip.uid)
        yield from super()._put_on(panel)


def on_chip(blank: Blank) -> bytes:
    """All of its memory that a station may write."""
    memory = blank.chip
    return b"".join((*memory.files.values(), bytes([memory.life, OWN_VERSION in memory.key_sets])))


def finish(blank: Blank, kind: str, files: tuple[ChipFile, ...]) -> None:
    """Make it what a personalised card is."""
    memory = blank.chip
    for file in files:
        memory.write(file.fid, 0, len(file.content).to_bytes(memory.prefix_bytes, "big") + file.content)
    memory.life = simulated(kind).locked_life
    if kind == "gp-scp03":
        keys = scp03_keys(MASTERS.scp03, OWN_VERSION, blank.uid)
        memory.key_sets = {OWN_VERSION: (keys.enc, keys.mac, keys.dek)}
