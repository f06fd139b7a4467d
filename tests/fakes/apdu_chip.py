"""A lane in memory whose chips are hw-sim's and whose reader is driven by the real links, down to each APDU.

    LaneWorker > PcscChipStation > Personaliser > PcscLink > pyscard's calls > Pcscd (tests/fakes/pcscd.py) > Field > hw-sim's chip
                                                  PcscSam > SamLink > ...                             > SamSlot > hw-sim's SAM card

`Field` counts the APDUs of the lane's reader from the first blank on, and `SamSlot` those of its SAM; what happens at one of them
is an effect (tests/fakes/apdu_faults.py). `gp-scp03` has a key holder with static keys (`StaticSam`), whose calls are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controller.chips.channel import Channel
from controller.chips.content_signature import ContentSignature, to_be_signed
from controller.chips.kdf import aes_cmac, kcv_aes
from controller.chips.profile import ChipProfile
from controller.chips.sam import KeyBlock, KeyBlocks, NoSam, Sam
from controller.chips.scp03 import InitializeUpdate, Scp03Session, derive
from controller.errors import DeviceRefused
from controller.hal.chip_station import PcscChipStation
from controller.hal.pcsc_sam import PcscSam
from controller.hal.sam_link import SamLink
from controller.jobs.stages import LaneDevices
from controller.model import CardPosition, ChipFile, Panel
from hwsim.devices.chip_apdu import Apdu, ChipDied
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_gp import GpChip
from hwsim.devices.chip_keys import load_masters, scp03_keys
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.profiles import load_chip
from hwsim.world import Blank, World
from tests.fakes.chip import FakeCard, ektp, shipped
from tests.fakes.chip_sessions import aes_cbc
from tests.fakes.lane import Card, FakeLane
from tests.fakes.pcscd import Hung, Pcscd, Reader

READER, SAM, DESK, DESK_SAM = "lane", "lane sam", "desk", "desk sam"
MASTERS = load_masters()
SIZES = {0x6FF1: 300, 0x6FF2: 212}  # two blocks each, and for STORE DATA groups that begin in the middle of a block
SIGNATURE = 0x6FF6
OWN_VERSION = 0x01  # of the keys that a finished gp-scp03 chip has
STRANGERS = ("a blank", "a twin")  # the twin is a finished card with the very contents that are wanted
_KEY = Path(__file__).parents[2] / "examples" / "keys" / "contoh-chip-2026.key.pem"

Effect = Callable[["Field", bytes], bytes]
SamEffect = Callable[["SamSlot", bytes], bytes]
Run = Callable[[], bytes]
Bend = Callable[[Run], bytes]


@cache
def profile_of(name: str) -> ChipProfile:
    """The shipped profile as the controller reads it."""
    return shipped(name)


@cache
def signed_files(sizes: tuple[tuple[int, int], ...] = tuple(SIZES.items())) -> tuple[ChipFile, ...]:
    """Contents of these sizes with the centre's signature; no byte is 0, so what is missing shows."""
    files = [ChipFile(fid, bytes(1 + (at * 7 + fid) % 255 for at in range(size))) for fid, size in sizes]
    key = load_pem_private_key(_KEY.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return (*files, ChipFile(SIGNATURE, key.sign(to_be_signed(files, SIGNATURE), ec.ECDSA(SHA256()))))


@cache
def content_signature() -> ContentSignature:
    """What is believed."""
    key = load_pem_private_key(_KEY.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return ContentSignature(SIGNATURE, (key.public_key(),))


class BentEktp(EktpChip):
    """A chip that does one command otherwise; its secure channel protects what comes of that."""

    bend: Bend | None = None

    def _run(self, apdu: Apdu, secure: bool) -> bytes:
        run, bend = partial(super()._run, apdu, secure), self.bend
        self.bend = None
        return run() if bend is None else bend(run)


class BentGp(GpChip):
    """See BentEktp."""

    bend: Bend | None = None

    def _run(self, apdu: Apdu) -> bytes:
        run, bend = partial(super()._run, apdu), self.bend
        self.bend = None
        return run() if bend is None else bend(run)


@dataclass(eq=False)
class ChipCard(Card):
    """One physical card; `blank` is the truth, of which `chip.memory` shows the files."""

    blank: Blank = field(kw_only=True)

    def holds(self, files: tuple[ChipFile, ...]) -> bool:
        """Exactly these contents, and no more."""
        memory = self.blank.chip
        wanted = {file.fid: file.content for file in files}
        return all(memory.content(fid) == wanted.get(fid, b"") for fid in memory.files if fid != 0x6FF0)

    @property
    def closed(self) -> bool:
        """By its profile's lock, under its own keys alone where it has keys."""
        memory = self.blank.chip
        if not memory.key_sets:
            return memory.life == load_chip("ektp").locked_life
        keys = scp03_keys(MASTERS.scp03, OWN_VERSION, self.blank.uid)
        return memory.life == load_chip("gp-scp03").locked_life and memory.key_sets == {
            OWN_VERSION: (keys.enc, keys.mac, keys.dek)
        }

    @property
    def touched(self) -> bool:
        """Something of a resident was ever written to it, or it was closed."""
        memory = self.blank.chip
        return any(memory.written_bytes.values()) or memory.life not in (0x03, 0x07) or OWN_VERSION in memory.key_sets


class Field:
    """The antenna of a reader, and the chip that answers there. `plan`: what happens at which APDU, counted from 0."""

    def __init__(self, pcscd: Pcscd, reader: str, kind: str) -> None:
        self.pcscd, self.reader = pcscd, reader
        self.profile = load_chip(kind)
        self.plan: dict[int, Effect] = {}
        self.seen: list[str] = []
        self.before_each: Callable[[], None] = lambda: None  # may raise: nobody is there any more
        self.troubles = ChipTroubles()
        self.blank: Blank | None = None  # lies there
        self.chip: BentEktp | BentGp | None = None  # answers
        self.stranger: Blank | None = None  # answers instead, until the card is presented anew
        self.stuck_to: Blank | None = None  # and even then, as long as this card is presented: two cards lie on each other
        self.make_stranger: Callable[[str], Blank] = lambda _whose: World(seed=2).blank("none")
        self.swap_at: tuple[int, str] | None = None  # at this presentation, counted from 1, this stranger answers
        self.late: Callable[[], object] | None = None  # is done when a command that hung comes back
        self._placed = self._presented = 0  # cards, and chips
        pcscd.readers[reader] = Reader()

    def place(self, blank: Blank | None) -> None:
        """A card stands over the antenna, or none does."""
        if blank is self.blank:
            return
        self.pcscd.put(self.reader, None)
        self.blank, self.chip, self.late = blank, None, None
        if self.stuck_to is None:
            self.stranger = None
        self._placed += blank is not None
        if self.swap_at is not None and self._placed == self.swap_at[0] and blank is not None:
            self.stranger = self.make_stranger(self.swap_at[1])
        heard = blank if self.stranger is None or self.stuck_to not in (None, blank) else self.stranger
        if blank is not None and heard is not None and not heard.chip.dead:
            self.chip = self.present(heard)
            self.pcscd.put(self.reader, self)

    def present(self, blank: Blank) -> BentEktp | BentGp:
        """Its chip gets power."""
        self._presented += 1
        kind = BentGp if self.profile.channel == "scp03" else BentEktp
        return kind(blank, self.profile, self.troubles, self._presented, MASTERS)

    def exchange(self, stranger: Blank, *, stays: bool) -> None:
        """From now on another chip answers, and the reader does not notice."""
        self.stranger, self.stuck_to = stranger, self.blank if stays else None
        self.chip = self.present(stranger)

    def come_back(self) -> None:
        """What hung goes on."""
        late, self.late = self.late, None
        if late is not None:
            late()
        self.pcscd.answer(self.reader)

    # pcscd.Card

    def connected(self) -> None:
        """It has kept its power since the connection before."""

    def reset(self) -> None:
        if self.chip is not None:
            self.chip.reset()

    def transmit(self, raw: bytes) -> bytes:
        self.before_each()
        effect = self.plan.get(len(self.seen))
        self.seen.append(label(raw))
        return self.act(raw) if effect is None else effect(self, raw)

    # For effects

    def act(self, raw: bytes) -> bytes:
        """What the chip does and answers; nothing when it loses its power meanwhile."""
        assert self.chip is not None  # nobody is connected without one
        try:
            answer = self.chip.transmit(raw)
        except ChipDied:
            return self.lose()
        finally:
            self.chip.bend = None
        if answer is None:
            raise Hung
        return answer

    def lose(self, *, for_good: bool = False) -> bytes:
        """The chip loses its power; no answer."""
        assert self.chip is not None
        self.chip.reset()
        self.chip.memory.dead = self.chip.memory.dead or for_good
        if self.chip.memory.dead:
            self.pcscd.put(self.reader, None)
        return b""


class SamSlot:
    """A SAM card in its slot. `plan` and `seen` as of `Field`."""

    def __init__(self, pcscd: Pcscd, reader: str) -> None:
        self.pcscd, self.reader = pcscd, reader
        self.card = SamCard(MASTERS, SamMemory(bytes(8)), 1, MASTERS.centre_key)
        self.plan: dict[int, SamEffect] = {}
        self.seen: list[str] = []
        self.before_each: Callable[[], None] = lambda: None
        pcscd.readers[reader] = Reader()
        pcscd.put(reader, self)

    def pull(self) -> None:
        """A person takes it out; it forgets its session."""
        self.pcscd.put(self.reader, None)
        self.card.reset()

    def come_back(self) -> None:
        """It lies in its slot and answers."""
        self.pcscd.put(self.reader, self)
        self.pcscd.answer(self.reader)

    def connected(self) -> None:
        """See pcscd.Card."""

    def reset(self) -> None:
        self.card.reset()

    def transmit(self, raw: bytes) -> bytes:
        self.before_each()
        effect = self.plan.get(len(self.seen))
        self.seen.append(f"SAM {raw[1]:02X}")
        return self.card.transmit(raw) if effect is None else effect(self, raw)


class StaticSam(NoSam):
    """A key holder with the keys of every gp-scp03 chip. `plan`: what its n-th call does instead, which is to raise."""

    def __init__(self) -> None:
        self.plan: dict[int, Callable[[], None]] = {}
        self.seen: list[str] = []
        self.before_each: Callable[[], None] = lambda: None
        self._dek = b""

    def check(self) -> None:
        self._called("check")

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:
        self._called("open")
        keys = scp03_keys(MASTERS.scp03, init.key_version, uid)
        session = Scp03Session(init, derive(init, 8 * len(keys.enc), partial(aes_cmac, keys.enc), partial(aes_cmac, keys.mac)))
        self._dek = keys.dek
        return session

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        self._called("new keys")
        keys = scp03_keys(MASTERS.scp03, version, uid)
        enc, mac, dek = (
            KeyBlock(0x88, aes_cbc(self._dek).encryptor().update(key), kcv_aes(key)) for key in (keys.enc, keys.mac, keys.dek)
        )
        return KeyBlocks(version, (enc, mac, dek))

    def finish(self, token: bytes) -> Channel:
        raise DeviceRefused("sam_refused", "for icao")

    def _called(self, name: str) -> None:
        self.before_each()
        effect = self.plan.get(len(self.seen))
        self.seen.append(name)
        if effect is not None:
            effect()


@dataclass(eq=False)
class ApduLane(FakeLane):
    """See FakeLane. `kind` is the chip profile; `files` what a record brings."""

    kind: str = "ektp"
    files: tuple[ChipFile, ...] = field(default_factory=signed_files)
    spoiled_ribbon: list[str] = field(default_factory=list)  # UIDs of cards that were printed though their chip was not good

    def __post_init__(self) -> None:
        self.pcscd = Pcscd()
        self.world = World(seed=1)
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
        names = self.world.make(count, load_chip(self.kind))
        cards: list[Card] = [self.card(self.world.blank(name)) for name in names]
        self.hopper.extend(cards)
        return cards

    def card(self, blank: Blank) -> ChipCard:
        """The physical card of a blank."""
        outside = ektp() if self.kind == "ektp" else profile_of(self.kind)
        shell = FakeCard(outside, uid=blank.uid.hex().upper(), memory=blank.chip.files)
        return ChipCard(shell, blank=blank)

    def stranger(self, whose: str) -> Blank:
        """A card that is none of this station's."""
        blank = self.world.blank(self.world.make(1, load_chip(self.kind))[0])
        if whose == "a twin":
            finish(blank, self.kind, self.files)
        return blank

    def take_out(self) -> None:
        """A person opens the printer and lays what is inside into the tray."""
        if self.inside is not None:
            self.output.append(self.inside)
            self.inside = None
            self._stand(CardPosition.NONE)

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
        return PcscChipStation(profile_of(self.kind), reader, sam, content_signature())

    def _stand(self, position: CardPosition) -> None:
        self.position = position
        at_reader = position is CardPosition.CONTACTLESS and isinstance(self.inside, ChipCard)
        self.field.place(self.inside.blank if at_reader and isinstance(self.inside, ChipCard) else None)

    def _put_on(self, panel: Panel) -> Iterator[str]:
        card = self.inside
        if isinstance(card, ChipCard) and not card.face and not (card.holds(self.files) and card.closed and not card.blank.chip.dead):
            self.spoiled_ribbon.append(card.chip.uid)
        yield from super()._put_on(panel)


def finish(blank: Blank, kind: str, files: tuple[ChipFile, ...]) -> None:
    """Make it what a personalised card is."""
    memory = blank.chip
    for file in files:
        memory.write(file.fid, 0, len(file.content).to_bytes(memory.prefix_bytes, "big") + file.content)
    memory.life = load_chip(kind).locked_life
    if kind == "gp-scp03":
        keys = scp03_keys(MASTERS.scp03, OWN_VERSION, blank.uid)
        memory.key_sets = {OWN_VERSION: (keys.enc, keys.mac, keys.dek)}


def label(raw: bytes) -> str:
    """A command by what is not enciphered of it."""
    ins, parameters = raw[1], raw[2:4].hex().upper()
    if ins in (0xB0, 0xD6):
        return f"{ins:02X} {'0' if parameters == '0000' else 'n'}"
    return f"{ins:02X} {parameters[:2] if ins == 0xE2 else parameters}"


