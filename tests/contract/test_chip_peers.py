"""The host's personalisation against the simulator's chips and SAM cards, in this process: two readings of the standards.

The golden vectors hold each to the standard; here the two talk to each other through every phase of the shipped profiles.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from controller.chips.apdu import Command
from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.chips.sam import Sam
from controller.chips.scp03 import C_MAC, Scp03Channel, SessionKeys
from controller.chips.script import drive
from controller.chips.steps import Personaliser
from controller.errors import DeviceRefused
from controller.hal.chip.pcsc_sam import PcscSam
from controller.model import ChipFile
from hwsim.devices.chip import Chip
from hwsim.devices.chip_apdu import ChipDied, parse_apdu
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_gp import GpChip
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.chip_scp03 import KeySet, Scp03Session
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.profiles import load_chip
from hwsim.world import World
from tests.fakes.apdu_chip import StaticSam
from tests.fakes.chip import contents, shipped
from tests.fakes.in_process_slot import InProcessSlot
from tools.make_examples import chip_key, sign_contents

MASTERS = load_masters()
NAMES = ["ektp", "gp-scp03"]
SIGNATURE = ContentSignature(0x6FF6, (chip_key().public_key(),))


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


def peer(name: str, uid_type: str = "a", *, foreign: bool = False, version: int = MASTERS.version) -> Peer:
    """A fresh chip; `foreign`: with another office's keys; `version`: of its factory's."""
    profile, world, troubles = load_chip(name), World(seed=7), ChipTroubles()
    blank = world.blank(world.make(1, profile, uid_type)[0])
    blank.chip.foreign = foreign
    kind = GpChip if profile.channel == "scp03" else EktpChip
    sam: Sam = (
        StaticSam() if profile.channel == "scp03" else PcscSam(InProcessSlot(SamCard(MASTERS, SamMemory(b"SAM00001"), seed=1)))
    )
    return Peer(shipped(name), kind(blank, profile, troubles, 3, replace(MASTERS, version=version)), troubles, sam)


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


@pytest.mark.parametrize("version", [0x01, 0x30, 0x7F, 0x80, 0xFF])
def test_keys_of_any_factory_version_are_replaced(version: int) -> None:
    chip = peer("gp-scp03", version=version)
    drive(chip.talk().lock(), chip.transmit)
    assert list(chip.chip.memory.key_sets) == [1]
    chip.chip.reset()
    assert drive(chip.talk().verify([]), chip.transmit) == []


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


def test_the_length_in_the_extended_form_is_what_host_and_card_sign() -> None:
    key, data = bytes(range(16)), b"\xa5" * 300
    mac = CMAC(algorithms.AES(key))
    mac.update(bytes(16) + bytes.fromhex("84E28001" + "000134") + data)  # 308 bytes: the data and 8 of the MAC
    wanted = bytes.fromhex("84E28001" + "000134") + data + mac.finalize()[:8]
    channel = Scp03Channel(SessionKeys(enc=bytes(16), mac=key, rmac=bytes(16)), C_MAC, 8)
    assert channel.wrap(Command(0x80, 0xE2, 0x80, 0x01, data, extended=True)).encode() == wanted
    card = Scp03Session(KeySet(bytes(16), bytes(16), bytes(16)), bytes(8), bytes(8))
    card.mac, card.level = key, C_MAC
    assert card.unwrap(parse_apdu(wanted)).data == data
