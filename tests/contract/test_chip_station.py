"""One contract for chip stations: the two in memory, and PC/SC through a pcscd in this process and through a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal.chip.station import PcscChipStation
from controller.hal.ports import ChipStation
from controller.model import ChipFile, ChipSight
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import (
    OTHER_UID,
    UID,
    FakeCard,
    FakeChipStation,
    Faults,
    PowerLostError,
    WiredCard,
    contents,
    ektp,
    needs_sandbox,
    shipped,
)
from tests.fakes.chip_sessions import FakeSam
from tests.fakes.fast_chip import FastCard, FastChipStation
from tests.fakes.pcscd import Pcscd, Reader, installed
from tools.pcscd import reader_name, vpcd_port

LIMIT_S = 10.0  # the virtual reader is polled every 0.4 s
INSIDE = "inside"  # the name of a reader
NOT_THERE_S = 0.6  # long enough for a card that is there


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


PROFILES = {"plain": ektp(), "ektp": shipped("ektp"), "scp03": shipped("gp-scp03")}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> ChipProfile:
    return PROFILES[request.param]


@pytest.fixture(params=[*MEMORY, pytest.param("over pcscd", marks=needs_sandbox)])
async def bench(request: pytest.FixtureRequest, profile: ChipProfile) -> AsyncIterator[Bench]:
    if request.param in MEMORY:
        bench = MEMORY[request.param](profile)
        yield bench
        await bench.close()
        return
    wired = WiredBench(profile)
    await wired.start()
    yield wired
    await wired.close()


@pytest.fixture
async def card(profile: ChipProfile, bench: Bench) -> Card:
    """A fresh card in the field."""
    card = blank(bench, profile)
    bench.put(card)
    return card


@pytest.fixture
def station(bench: Bench) -> ChipStation:
    return bench.station


async def identify(station: ChipStation) -> ChipSight:
    return await station.identify(Deadline.after(LIMIT_S))


async def write(station: ChipStation, files: list[ChipFile]) -> None:
    await station.write(files, Deadline.after(LIMIT_S))


async def read(station: ChipStation, files: list[ChipFile]) -> list[ChipFile]:
    return await station.read([file.fid for file in files], Deadline.after(LIMIT_S))


async def test_an_empty_station_passes_its_check(station: ChipStation) -> None:
    await station.check()


async def test_a_fresh_chip_is_identified(station: ChipStation, card: Card) -> None:
    assert await identify(station) == ChipSight(UID, fresh=True)


async def test_what_is_written_is_read_back(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    files = contents(profile, size=4096)
    await identify(station)
    await write(station, files)
    assert await read(station, files) == files


async def test_a_written_chip_is_the_same_and_no_longer_fresh(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await write(station, contents(profile))
    await station.release()
    assert await identify(station) == ChipSight(UID, fresh=False)


async def test_another_card_has_another_uid(station: ChipStation, bench: Bench, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await station.release()
    bench.put(blank(bench, profile, OTHER_UID))
    assert await identify(station) == ChipSight(OTHER_UID, fresh=True)


async def test_an_empty_field_is_a_silent_chip(station: ChipStation, bench: Bench) -> None:
    with pytest.raises(DeviceRefused) as refusal:
        await station.identify(Deadline.after(NOT_THERE_S))
    assert refusal.value.condition == "chip_silent"


async def test_a_dead_chip_is_a_silent_chip(station: ChipStation, bench: Bench, profile: ChipProfile) -> None:
    dead = blank(bench, profile)
    silence(dead)
    bench.put(dead)
    with pytest.raises(DeviceRefused) as refusal:
        await station.identify(Deadline.after(NOT_THERE_S))
    assert refusal.value.condition == "chip_silent"


async def test_nothing_is_written_before_a_chip_was_identified(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await write(station, contents(profile))
    assert card.written_bytes == 0


async def test_nothing_is_read_after_the_card_was_released(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await station.release()
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await read(station, contents(profile))


async def test_a_card_put_in_the_place_of_the_identified_one_is_never_written(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    other = blank(bench, profile, OTHER_UID)
    bench.put(other)
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await write(station, contents(profile))
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await write(station, contents(profile))
    assert other.written_bytes == 0


async def test_a_card_that_leaves_before_it_is_read_is_unknown(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    await write(station, contents(profile))
    bench.take_away()
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await read(station, contents(profile))


async def test_a_chip_torn_while_written_is_unknown_and_reads_as_unfinished(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    tear(card, after_bytes=500)
    await identify(station)
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await write(station, contents(profile))
    repair(card)
    bench.put(card)
    assert not (await identify(station)).fresh
    assert await read(station, contents(profile)[:1]) == contents(profile)[:1]
    assert await read(station, contents(profile)[1:2]) == [ChipFile(0x6FF2, b"")]


async def test_a_finished_chip_is_read_once_more(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    files = contents(profile)
    await identify(station)
    await write(station, files)
    for _ in range(2):  # a chip that is closed already is closed no second time
        assert await station.finish([file.fid for file in files], Deadline.after(LIMIT_S)) == files


async def test_a_card_that_leaves_before_it_is_finished_is_unknown(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    await write(station, contents(profile))
    bench.take_away()
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await station.finish([0x6FF1], Deadline.after(LIMIT_S))


async def test_a_chip_that_refuses_a_write_can_still_be_read(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    refuse_first_write(card)
    with pytest.raises(DeviceRefused, match=r"chip_refused: (write .*to 6FF1.*|store block .*): 6581, memory failure") as refusal:
        await write(station, [ChipFile(0x6FF1, bytes(480))])
    assert refusal.value.condition == "chip_refused"
    assert await read(station, contents(profile)[:1]) == [ChipFile(0x6FF1, b"")]


async def test_files_that_do_not_fit_are_refused_before_the_first_write(station: ChipStation, card: Card) -> None:
    await identify(station)
    with pytest.raises(DeviceRefused, match="nothing written: 6FF6 gets 79 bytes and holds 78"):
        await write(station, [ChipFile(0x6FF1, b"x"), ChipFile(0x6FF6, bytes(79))])
    assert card.written_bytes == 0


async def test_releasing_and_closing_twice_is_fine(station: ChipStation, card: Card) -> None:
    await identify(station)
    for _ in range(2):
        await station.release()
    for _ in range(2):
        await station.close()
