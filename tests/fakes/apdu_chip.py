"""hw-sim's chips and SAM card under a `Pcscd` in this process, and what may happen at each of their APDUs.

`Field` is the antenna of a reader: it counts its APDUs from the first card on. `SamSlot` does so for a SAM. What happens at one
of them is an effect (tests/fakes/apdu_faults.py). The key holder of `gp-scp03` has static keys (`StaticSam`): so its calls are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from zlib import crc32

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controller.chips.channel import Channel
from controller.chips.content_signature import ContentSignature, to_be_signed
from controller.chips.sam import KeyBlock, KeyBlocks, NoSam, uid8
from controller.chips.scp03 import InitializeUpdate, Scp03Session, derive
from controller.errors import DeviceRefused
from controller.model import ChipFile
from hwsim import profiles as hwsim_profiles
from hwsim.devices.chip import Heard
from hwsim.devices.chip_apdu import Apdu, ChipDied
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_gp import GpChip
from hwsim.devices.chip_keys import load_masters, scp03_keys
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.world import Blank, World
from tests.fakes.chip_sessions import aes_cbc
from tests.fakes.key_values import aes_cmac, aes_ecb, kcv_aes
from tests.fakes.pcscd import Hung, Pcscd, Reader

MASTERS = load_masters()
SIZES = {0x6FF1: 300, 0x6FF2: 212}  # two blocks each, and for STORE DATA groups that begin in the middle of a block
SIGNATURE = 0x6FF6
OWN_VERSION = 0x01  # of the keys that a finished gp-scp03 chip has
# A twin is a finished card with the very contents that are wanted; a leftover holds another's contents and was never closed;
# a foreigner has other keys, so it tells no more than its UID.
STRANGERS = ("a blank", "a twin", "a leftover", "a foreigner")
_WRITES = (0xD6, 0xE2)
_KEY = Path(__file__).parents[2] / "examples" / "keys" / "contoh-chip-2026.key.pem"

Effect = Callable[["Field", bytes], bytes]
SamEffect = Callable[["SamSlot", bytes], bytes]
Run = Callable[[], bytes]
Bend = Callable[[Run], bytes]


@cache
def simulated(kind: str) -> hwsim_profiles.ChipProfile:
    """The shipped profile as hw-sim reads it."""
    return hwsim_profiles.load_chip(kind)


@cache
def signed_files(sizes: tuple[tuple[int, int], ...] = tuple(SIZES.items())) -> tuple[ChipFile, ...]:
    """Contents of these sizes with the centre's signature; no byte is 0, so what is missing shows."""
    files = [ChipFile(fid, bytes(1 + (at * 7 + fid) % 255 for at in range(size))) for fid, size in sizes]
    how = ec.ECDSA(SHA256(), deterministic_signing=True)  # the same cases in every run
    return (*files, ChipFile(SIGNATURE, _centre_key().sign(to_be_signed(files, SIGNATURE), how)))


@cache
def content_signature() -> ContentSignature:
    """What is believed."""
    return ContentSignature(SIGNATURE, (_centre_key().public_key(),))


def _centre_key() -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(_KEY.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


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


class Field:
    """The antenna of a reader, and the chip that answers there. `plan`: what happens at which APDU, counted from 0."""

    def __init__(self, pcscd: Pcscd, reader: str, kind: str) -> None:
        self.pcscd, self.reader = pcscd, reader
        self.profile = simulated(kind)
        self.plan: dict[int, Effect] = {}
        self.seen: list[str] = []
        self.before_each: Callable[[], None] = lambda: None  # may raise: nobody is there any more
        self.troubles = ChipTroubles()
        self.blank: Blank | None = None  # lies there
        self.chip: BentEktp | BentGp | None = None  # answers
        self._heard: Heard | None = None  # what the reader knows of a chip; of this one since it was reset last
        self.stranger: Blank | None = None  # answers instead, until the card is presented anew
        self.stuck_to: Blank | None = None  # and even then, as long as this card is presented: two cards lie on each other
        self.make_stranger: Callable[[str], Blank] = lambda _whose: World(seed=2).blank("none")
        self.swap_at: tuple[int, str] | None = None  # at this presentation, counted from 1, this stranger answers
        self.late: Callable[[], object] | None = None  # is done when a command that hung comes back
        self.rewritten: list[str] = []  # UIDs of chips whose contents were written in more than one go
        self._goes: dict[bytes, int] = {}  # by UID: the go in which it was written, counted by the times a UID was asked for
        self._go = 0
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
            self._heard = self.chip.heard
            self.pcscd.put(self.reader, self)

    def present(self, blank: Blank) -> BentEktp | BentGp:
        """Its chip gets power."""
        self._presented += 1
        kind = BentGp if self.profile.channel == "scp03" else BentEktp
        return kind(blank, self.profile, self.troubles, crc32(blank.uid) + self._presented, MASTERS)

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
            self._heard = self.chip.heard

    def transmit(self, raw: bytes) -> bytes:
        self.before_each()
        effect = self.plan.get(len(self.seen))
        self.seen.append(label(raw))
        return self.act(raw) if effect is None else effect(self, raw)

    # For effects

    def act(self, raw: bytes) -> bytes:
        """What the chip does and answers; nothing when it loses its power meanwhile."""
        chip, reader = self.chip, self._heard
        assert chip is not None  # nobody is connected without one
        assert reader is not None
        self._go += raw[1] == 0xCA
        before = on_chip(chip.blank)
        try:
            answer = reader.answer(raw) or chip.transmit(raw)
        except ChipDied:
            return self.lose()
        finally:
            chip.bend = None
            if (
                raw[1] in _WRITES
                and on_chip(chip.blank) != before
                and self._goes.setdefault(chip.blank.uid, self._go) != self._go
            ):
                self.rewritten.append(chip.blank.uid.hex().upper())
        if answer is None:
            raise Hung
        return answer

    def lose(self, *, for_good: bool = False) -> bytes:
        """The chip loses its power; no answer."""
        assert self.chip is not None
        self.reset()
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
        enc, mac, dek = _static_keys(uid, init.key_version)
        session = Scp03Session(init, derive(init, 8 * len(enc), partial(aes_cmac, enc), partial(aes_cmac, mac)))
        self._dek = dek
        return session

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        self._called("new keys")
        blocks = (aes_cbc(self._dek).encryptor().update(key) for key in _static_keys(uid, version))
        enc, mac, dek = (
            KeyBlock(0x88, block, kcv_aes(key)) for block, key in zip(blocks, _static_keys(uid, version), strict=True)
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


def _static_keys(uid: bytes, version: int) -> list[bytes]:
    """Of a chip, from the master of 16 bytes; hw-sim's cards derive theirs by code of their own."""
    return [aes_ecb(MASTERS.scp03, bytes((purpose, version, 1)) + uid8(uid) + bytes(5)) for purpose in (1, 2, 3)]


def label(raw: bytes) -> str:
    """A command by what is not enciphered of it."""
    ins, parameters = raw[1], raw[2:4].hex().upper()
    if ins in (0xB0, 0xD6):
        return f"{ins:02X} {'0' if parameters == '0000' else 'n'}"
    return f"{ins:02X} {parameters[:2] if ins == 0xE2 else parameters}"


def on_chip(blank: Blank) -> bytes:
    """All of its memory that a station may write."""
    memory = blank.chip
    return b"".join((*memory.files.values(), bytes([memory.life, OWN_VERSION in memory.key_sets])))


def fill(blank: Blank, files: tuple[ChipFile, ...]) -> None:
    """Write these contents to it."""
    memory = blank.chip
    for file in files:
        memory.write(file.fid, 0, len(file.content).to_bytes(memory.prefix_bytes, "big") + file.content)


def finish(blank: Blank, kind: str, files: tuple[ChipFile, ...]) -> None:
    """Make it what a personalised card is."""
    fill(blank, files)
    memory = blank.chip
    memory.life = simulated(kind).locked_life
    if kind == "gp-scp03":
        keys = scp03_keys(MASTERS.scp03, OWN_VERSION, blank.uid)
        memory.key_sets = {OWN_VERSION: (keys.enc, keys.mac, keys.dek)}
