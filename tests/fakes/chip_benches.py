"""Chip stations with the field in front of each: two in memory, PC/SC through a pcscd in this process and through a real one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from controller.chips.profile import ChipProfile
from controller.hal.chip.station import PcscChipStation
from controller.hal.ports import ChipStation
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import UID, FakeCard, Faults, PowerLostError
from tests.fakes.chip_sessions import FakeSam
from tests.fakes.chip_station import FakeChipStation, WiredCard
from tests.fakes.fast_chip import FastCard, FastChipStation
from tests.fakes.pcscd import Pcscd, Reader, installed
from tools.pcscd import reader_name, vpcd_port

INSIDE = "inside"  # the name of a reader

Card = FakeCard | FastCard


class Bench(Protocol):
    """A station and the field in front of it."""

    station: ChipStation

    def put(self, card: Any) -> None: ...  # each takes its own kind of card
    def take_away(self) -> None: ...
    async def close(self) -> None: ...


class FakeBench:
    """A station in memory and the field in front of it."""

    def __init__(self, profile: ChipProfile) -> None:
        self._fake = FakeChipStation(profile)
        self.station: ChipStation = self._fake

    def put(self, card: FakeCard) -> None:
        """Lay a card into the field, instead of the one there."""
        self._fake.card = card

    def take_away(self) -> None:
        """Empty the field."""
        self._fake.card = None

    async def close(self) -> None:
        """End."""
        await self.station.close()


class FastBench:
    """The station of the soak, whose chips hold whole files, and the field in front of it."""

    def __init__(self, profile: ChipProfile) -> None:
        self._card: FastCard | None = None
        self.station: ChipStation = FastChipStation(profile, lambda: self._card)

    def put(self, card: FastCard) -> None:
        """Lay a card into the field, instead of the one there."""
        self._card = card

    def take_away(self) -> None:
        """Empty the field."""
        self._card = None

    async def close(self) -> None:
        """End."""
        await self.station.close()


class InsideCard:
    """A FakeCard as a `Pcscd` in this process holds it; without power it is gone until it is put there again."""

    def __init__(self, card: FakeCard, pcscd: Pcscd) -> None:
        self._card, self._pcscd = card, pcscd

    def connected(self) -> None:
        """It has power as long as it lies there."""

    def reset(self) -> None:
        self._card.reset()

    def transmit(self, raw: bytes) -> bytes:
        try:
            return self._card.apdu(raw)
        except PowerLostError:
            self._pcscd.put(INSIDE, None)
            return b""


class InsideBench:
    """The real station over a pcscd in this process."""

    def __init__(self, profile: ChipProfile) -> None:
        self._pcscd = Pcscd({INSIDE: Reader()})
        self._installed = installed(self._pcscd)
        self._installed.__enter__()
        self.station: ChipStation = PcscChipStation(profile, INSIDE, FakeSam())

    def put(self, card: FakeCard) -> None:
        """Lay a card into the field, instead of the one there."""
        self._pcscd.put(INSIDE, InsideCard(card, self._pcscd))

    def take_away(self) -> None:
        """Empty the field."""
        self._pcscd.put(INSIDE, None)

    async def close(self) -> None:
        """End."""
        await self.station.close()
        self._installed.__exit__(None, None, None)


class WiredBench:
    """The real station and vpcd's slot."""

    def __init__(self, profile: ChipProfile) -> None:
        self._slot = VpcdSlot("127.0.0.1", vpcd_port(1))
        self.station: ChipStation = PcscChipStation(profile, reader_name(1), FakeSam())

    async def start(self) -> None:
        """Serve the slot."""
        await self._slot.start()

    def put(self, card: FakeCard) -> None:
        """Lay a card into the field, instead of the one there."""
        self._slot.remove()
        self._slot.insert(WiredCard(card))

    def take_away(self) -> None:
        """Empty the field."""
        self._slot.remove()

    async def close(self) -> None:
        """End; pcscd goes on."""
        await self.station.close()
        await self._slot.close()


MEMORY: dict[str, Callable[[ChipProfile], Bench]] = {
    "in memory": FakeBench,
    "whole files": FastBench,
    "pcscd inside": InsideBench,
}


def blank(bench: Bench, profile: ChipProfile, uid: str = UID) -> Card:
    """A fresh card of the kind that this bench takes."""
    return FastCard(uid) if isinstance(bench, FastBench) else FakeCard(profile, uid)


def silence(card: Card) -> None:
    """Its chip is dead."""
    if isinstance(card, FastCard):
        card.dead = True
    else:
        card.faults = Faults(dies_at_apdu=0)


def tear(card: Card, after_bytes: int) -> None:
    """Its chip loses its power when so many bytes were written."""
    if isinstance(card, FastCard):
        card.tears_after_bytes = after_bytes
    else:
        card.faults = Faults(tears_after_bytes=after_bytes)


def repair(card: Card) -> None:
    """Its chip has power again."""
    if isinstance(card, FakeCard):
        card.repair()


def refuse_first_write(card: Card) -> None:
    """Its chip says no to the first block of the next file."""
    if isinstance(card, FastCard):
        card.refuses_write = True
    else:
        first = 2 if card.profile.invented.write == "update binary" else 1
        card.faults = Faults(answers={len(card.log) + first: "6581"})
