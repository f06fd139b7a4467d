"""The host's personalisation against the simulator's chips and SAM cards, in this process: two readings of the standards.

The golden vectors hold each to the standard; here the two talk to each other through every phase of the shipped profiles.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from controller.chips.content_signature import ContentSignature
from controller.chips.kdf import aes_cmac, aes_ecb, kcv_aes
from controller.chips.profile import ChipProfile
from controller.chips.sam import KeyBlock, KeyBlocks, NoSam, Sam, uid8
from controller.chips.scp03 import InitializeUpdate, Scp03Session, derive
from controller.chips.script import drive
from controller.chips.steps import Personaliser
from controller.errors import DeviceRefused
from controller.hal.chip.pcsc_sam import PcscSam
from controller.model import ChipFile
from hwsim.devices.chip import Chip
from hwsim.devices.chip_apdu import ChipDied
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_gp import GpChip
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.profiles import load_chip
from hwsim.world import World
from tests.fakes.chip import contents, shipped
from tools.make_examples import chip_key, sign_contents

MASTERS = load_masters()
NAMES = ["ektp", "gp-scp03"]
SIGNATURE = ContentSignature(0x6FF6, (chip_key().public_key(),))


class SamInProcess:
    """A SAM card as PcscSam wants its slot."""

    def __init__(self) -> None:
        self._card = SamCard(MASTERS, SamMemory(b"SAM00001"), seed=1)
        self._held = False

    def connect(self) -> bool:
        """True when it was connected only now."""
        held, self._held = self._held, True
        return not held

    def send(self, command: bytes) -> bytes:
        """One command."""
        return self._card.transmit(command)

    def drop(self) -> None:
        """It loses its power."""
        self._held = False

    def close(self) -> None:
        """As `drop`."""
        self._held = False


class MasterSam(NoSam):
    """A key holder for SCP03 that has the synthetic master in its hand, as only a test may."""

    def __init__(self) -> None:
        super().__init__()
        self._dek = b""

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:
        """See `Sam`."""
        enc, mac, self._dek = self._keys(uid, init.key_version)
        return Scp03Session(init, derive(init, 8 * len(enc), partial(aes_cmac, enc), partial(aes_cmac, mac)))

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        """See `Sam`."""
        enc, mac, dek = (KeyBlock(0x88, self._sealed(key), kcv_aes(key)) for key in self._keys(uid, version))
        return KeyBlocks(version, (enc, mac, dek))

    def _keys(self, uid: bytes, version: int) -> list[bytes]:
        return [aes_ecb(MASTERS.scp03, bytes((purpose, version, 1)) + uid8(uid) + bytes(5)) for purpose in (1, 2, 3)]

    def _sealed(self, key: bytes) -> bytes:
        return Cipher(algorithms.AES(self._dek), modes.CBC(bytes(16))).encryptor().update(key)


@dataclass
class Peer:
    """One chip of the simulator in a field of its own."""

    profile: ChipProfile
    chip: Chip
    troubles: ChipTroubles
    sam: Sam
    commands: int = 0
    sent_bytes: int = 0

    def transmit(self, raw: bytes) -> bytes:
        """What a reader would do."""
        self.commands += raw[0] != 0xFF
        self.sent_bytes += len(raw)
        answer = self.chip.transmit(raw)
        assert answer is not None
        return answer

    def talk(self) -> Personaliser:
        """A new conversation."""
        talk = Personaliser(self.profile, self.sam, secrets.token_bytes, SIGNATURE)
        drive(talk.identify(), self.transmit)
        return talk


def peer(name: str, uid_type: str = "a", *, foreign: bool = False) -> Peer:
    """A fresh chip; `foreign`: with another office's keys."""
    profile, world, troubles = load_chip(name), World(seed=7), ChipTroubles()
    blank = world.blank(world.make(1, profile, uid_type)[0])
    blank.chip.foreign = foreign
    kind = GpChip if profile.channel == "scp03" else EktpChip
    sam: Sam = MasterSam() if profile.channel == "scp03" else PcscSam(SamInProcess())
    return Peer(shipped(name), kind(blank, profile, troubles, 3, MASTERS), troubles, sam)


@pytest.fixture(params=NAMES)
def chip(request: pytest.FixtureRequest) -> Peer:
    return peer(request.param)


def signed(profile: ChipProfile, size: int = 1500) -> list[ChipFile]:
    """Contents with the synthetic centre's signature."""
    files = contents(profile, size)[:-1]
    return [*files, ChipFile(0x6FF6, sign_contents([file.content for file in files], chip_key()))]


@pytest.mark.parametrize("uid_type", ["a", "b"])
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_personalisation(name: str, uid_type: str) -> None:
    chip = peer(name, uid_type)
    files = signed(chip.profile)
    fids, talk = [file.fid for file in files], chip.talk()
    drive(talk.write(files), chip.transmit)
    assert drive(talk.read(fids), chip.transmit) == files
    drive(talk.lock(), chip.transmit)
    chip.chip.reset()
    assert drive(talk.verify(fids), chip.transmit) == files
    assert {fid: chip.chip.memory.content(fid) for fid in fids} == {file.fid: file.content for file in files}


def test_a_closed_chip_takes_no_write(chip: Peer) -> None:
    talk = chip.talk()
    drive(talk.lock(), chip.transmit)
    with pytest.raises(DeviceRefused, match="6985, conditions of use not satisfied"):
        drive(talk.write(signed(chip.profile)), chip.transmit)


@pytest.mark.parametrize("name", NAMES)
def test_a_chip_of_another_office_is_not_ours(name: str) -> None:
    with pytest.raises(DeviceRefused, match=r"chip_refused: (authenticate: 6300|the card's cryptogram is wrong)"):
        peer(name, foreign=True).talk()


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 250, 1000, 2500, 4000])
def test_a_torn_chip_never_reads_as_whole(chip: Peer, cut: int) -> None:
    files = signed(chip.profile)
    talk = chip.talk()
    chip.troubles.cut_in_bytes = cut
    with pytest.raises(ChipDied):
        drive(talk.write(files), chip.transmit)
    chip.chip.reset()
    fids = [file.fid for file in files]
    with suppress(DeviceRefused):
        assert drive(chip.talk().read(fids), chip.transmit) != files


def test_what_a_card_costs_on_the_wire(chip: Peer) -> None:
    """Against the least that the profile's block size allows: 8 kB in the six files, written once and read twice."""
    files = signed(chip.profile, 4096)
    fids, talk = [file.fid for file in files], chip.talk()
    chip.commands = 0
    drive(talk.write(files), chip.transmit)
    block, total = chip.profile.invented.block_bytes, sum(len(file.content) for file in files)
    blocks = sum(-(-len(file.content) // block) for file in files)
    least = blocks + 2 * len(files) if chip.profile.invented.write == "update binary" else -(-(total + 3 * len(files)) // block)
    assert chip.commands <= least + 1
    chip.commands = 0
    drive(talk.read(fids), chip.transmit)
    step = chip.profile.read.block_bytes
    assert chip.commands == len(files) + sum(-(-(2 + len(file.content)) // step) for file in files)
