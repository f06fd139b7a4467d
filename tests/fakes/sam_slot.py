"""A SAM's slot with hw-sim's SAM in it, in this process, and a session opened with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.chips.channel import Channel
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused
from controller.hal.chip.pcsc_sam import PcscSam
from hwsim.devices.chip_icao import open_token, seal_token
from hwsim.devices.chip_keys import bac_keys, load_masters
from hwsim.devices.sam import SamCard, SamMemory

UID = bytes.fromhex("04A1B2C3D4E5F6")
CONTROL = bytes(range(51))
CHALLENGE = bytes(8)
BLOB = bytes(range(32))
MASTERS = load_masters()


class Slot:
    """A slot with hw-sim's SAM, whose answers can be changed. `sent` is what it was asked."""

    def __init__(self, blob: bytes | None = None) -> None:
        self.memory = SamMemory(bytes(8), blob)
        self.card: SamCard | None = SamCard(MASTERS, self.memory, seed=1)
        self.answers: dict[int, bytes] = {}  # by INS
        self.sent: list[bytes] = []
        self.held = False
        self.mute = False  # it does not tell how many tries are left

    def connect(self) -> bool:
        if self.card is None:
            raise DeviceAbsent("sam_absent", "no SAM is in the slot")
        fresh, self.held = not self.held, True
        return fresh

    def send(self, command: bytes) -> bytes:
        self.sent.append(command)
        if self.card is None or not self.held:
            self.held = False
            raise DeviceAbsent("sam_absent", "the SAM was lost")
        if self.mute and command == bytes.fromhex("00F0000000"):
            return b"\x67\x00"
        return self.answers.get(command[1]) or self.card.transmit(command)

    def drop(self) -> None:
        self.held = False

    def close(self) -> None:
        self.held = False

    def pull_and_put_back(self) -> None:
        assert self.card is not None
        self.card.reset()
        self.held = False

    @property
    def asked(self) -> list[int]:
        return [command[1] for command in self.sent]


def open_session(sam: PcscSam) -> Channel:
    keys = bac_keys(MASTERS.ektp, CONTROL, UID)
    clear = open_token(keys, sam.begin(CONTROL, UID, CHALLENGE))
    assert clear is not None
    return sam.finish(seal_token(keys, CHALLENGE + clear[:8] + bytes(16)))


def refusal(act: Callable[[], object], kind: type[DeviceError] = DeviceRefused) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        act()
    assert type(caught.value) is kind
    return caught.value


def begin(sam: PcscSam) -> Callable[[], object]:
    return lambda: sam.begin(CONTROL, UID, CHALLENGE)
