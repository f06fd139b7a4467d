"""A simulated chip in the hand, and hosts that speak to it: the SAM card's end for `ektp`, the controller's for SCP03."""

from __future__ import annotations

from dataclasses import replace

from controller.chips.apdu import Command, Response
from controller.chips.scp03 import InitializeUpdate, Scp03Session, derive
from hwsim.devices.chip import Chip
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_keys import Masters, load_masters, scp03_keys, uid8
from hwsim.devices.chip_scp03 import KeySet
from hwsim.devices.field import KINDS
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.profiles import load_chip
from hwsim.world import CARD_CONTROL, Blank, World
from tests.fakes.key_values import aes_cmac

MASTERS = load_masters()
EKTP, GP = load_chip("ektp"), load_chip("gp-scp03")
GP16 = replace(GP, size=16)
CHALLENGE = bytes(range(16))
SELECT_DF, SELECT_DOMAIN = "00A40000027F0A", "00A4040008F04B54504500000100"


def new_blank(profile: str = "ektp", uid_type: str = "a") -> Blank:
    world = World(seed=1)
    return world.blank(world.make(1, load_chip(profile), uid_type)[0])


def present(blank: Blank, troubles: ChipTroubles | None = None, size: int = 8, masters: Masters = MASTERS) -> Chip:
    """The blank's chip in the field; which kind it is shows in its memory."""
    profile = EKTP if CARD_CONTROL in blank.chip.files else replace(GP, size=size)
    return KINDS[profile.channel](blank, profile, troubles or ChipTroubles(), 1, masters)


def sent(chip: Chip, *apdus: str) -> str:
    """The last response as hex."""
    responses = [chip.transmit(bytes.fromhex(apdu)) for apdu in apdus]
    return "" if responses[-1] is None else responses[-1].hex().upper()


def new_sam(blob: bytes | None = None, masters: Masters = MASTERS) -> SamCard:
    return SamCard(masters, SamMemory(bytes(range(8)), blob), 1, masters.centre_key)


def ask_sam(sam: SamCard, head: str, data: bytes = b"") -> bytes:
    """The SAM's response to `head` (CLA INS P1 P2) and data."""
    return sam.transmit(bytes.fromhex(head) + (bytes([len(data)]) + data if data else b"\0"))


class SamHost:
    """A host that has its secure messaging done by the SAM card."""

    def __init__(self, chip: Chip, sam: SamCard | None = None) -> None:
        self.chip, self.sam = chip, new_sam() if sam is None else sam

    def authenticate(self) -> str:
        """SELECT to the chip's token; the last status word of chip or SAM that was not 9000, or 9000."""
        assert sent(self.chip, SELECT_DF) == "9000"
        challenge = bytes.fromhex(sent(self.chip, "0084000008"))[:8]
        control = self.chip.memory.content(CARD_CONTROL)
        token = ask_sam(self.sam, "00F10001", control + uid8(self.chip.blank.uid) + challenge)
        answer = bytes.fromhex(sent(self.chip, "0082000028" + token[:-2].hex() + "28"))
        if answer[-2:] != b"\x90\x00":
            return answer.hex().upper()
        return ask_sam(self.sam, "00F20000", answer[:-2]).hex()

    def wrap(self, apdu: str) -> bytes:
        """The protected command."""
        wrapped = ask_sam(self.sam, "00F30000", bytes.fromhex(apdu))
        assert wrapped[-2:] == b"\x90\x00", wrapped.hex()
        return wrapped[:-2]

    def ask(self, *apdus: str) -> str:
        """The last response to protected commands, opened; a bare one as it is."""
        answer = b""
        for apdu in apdus:
            response = self.chip.transmit(self.wrap(apdu)) or b""
            answer = response if len(response) <= 2 else ask_sam(self.sam, "00F40000", response[:-2])[:-2]
        return answer.hex().upper()


class Scp03Host:
    """A host with a chip's static keys."""

    def __init__(self, chip: Chip, keys: KeySet | None = None, version: int = 0) -> None:
        self.chip, self.version = chip, version
        self.keys = scp03_keys(MASTERS.scp03, MASTERS.version, chip.blank.uid) if keys is None else keys

    def initialize(self) -> InitializeUpdate:
        """INITIALIZE UPDATE, which must succeed."""
        challenge = CHALLENGE[: self.chip.profile.size]
        answer = sent(self.chip, f"8050{self.version:02X}00{len(challenge):02X}{challenge.hex()}00")
        assert answer.endswith("9000"), answer
        return InitializeUpdate.decode(challenge, bytes.fromhex(answer)[:-2])

    def open(self, level: int = 0x33) -> str:
        """The status word of EXTERNAL AUTHENTICATE."""
        init, keys = self.initialize(), self.keys
        sign_enc, sign_mac = (lambda data, key=key: aes_cmac(key, data) for key in (keys.enc, keys.mac))
        session = Scp03Session(init, derive(init, len(keys.enc) * 8, sign_enc, sign_mac))
        command, self.channel = session.authenticate(level)
        return sent(self.chip, command.encode().hex())

    def ask(self, *apdus: str) -> str:
        """The last response to protected commands, opened."""
        answer = Response(b"", 0)
        for apdu in apdus:
            command = Command.decode(bytes.fromhex(apdu))
            raw = self.chip.transmit(self.channel.wrap(command).encode())
            assert raw is not None
            answer = self.channel.unwrap(command, Response.decode(raw))
        return answer.data.hex().upper() + f"{answer.sw:04X}"
