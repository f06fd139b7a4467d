"""Readers that hang, go or come back while nobody has a card for them: no other reader is held up, and no end of the station."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError
from controller.hal.chip.pcsc_link import PcscLink
from controller.hal.chip.pcsc_sam import PcscSam
from controller.hal.chip.sam_link import SamLink
from controller.hal.chip.station import PcscChipStation
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import UID, FakeCard, ektp, needs_sandbox, personaliser, shipped
from tests.fakes.chip_station import WiredCard
from tests.unit.hwsim.chip_bench import MASTERS
from tools.pcscd import Pcscd, reader_name, sam_name, vpcd_port

pytestmark = needs_sandbox

LIMIT_S = 10.0
SOON_S = 0.3
PROFILE = ektp()
DAEMON = Pcscd()
SECOND_READER = Path("/run/readers/config/lane-2")  # as tools/pcscd.py writes it


@pytest.fixture
def pcscd() -> Iterator[Pcscd]:
    """The running pcscd, running again afterwards."""
    yield DAEMON
    if DAEMON.pid() is None:
        DAEMON.start()


class StillSam(SamCard):
    """A SAM that answers until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(MASTERS, SamMemory(bytes(8)), 1)
        self.awake = asyncio.Event()
        self.awake.set()

    async def apdu(self, command: bytes) -> bytes | None:
        await self.awake.wait()
        return await super().apdu(command)


@pytest.fixture
async def slots() -> AsyncIterator[list[VpcdSlot]]:
    """The readers of lanes 1 and 2, empty."""
    slots = [VpcdSlot("127.0.0.1", vpcd_port(lane)) for lane in (1, 2)]
    for slot in slots:
        await slot.start(after_another=True)
    yield slots
    for slot in slots:
        await slot.close()


@pytest.fixture
async def sam() -> AsyncIterator[StillSam]:
    """A SAM in the second slot of lane 1's reader."""
    slot, sam = VpcdSlot("127.0.0.1", vpcd_port(1) + 1), StillSam()
    await slot.start(after_another=True)
    slot.insert(sam)
    yield sam
    await slot.close()


async def trouble(station: PcscChipStation | PcscLink) -> str | None:
    """What a look at it says."""
    try:
        await station.check()
    except DeviceError as error:
        return error.condition
    return None


async def until(station: PcscChipStation, condition: str | None) -> None:
    """Wait for a look at it to say so."""
    async with asyncio.timeout(LIMIT_S):
        while await trouble(station) != condition:
            await asyncio.sleep(0.05)


def hung_threads() -> int:
    return sum(thread.name == f"pcsc {reader_name(1)}" for thread in threading.enumerate())


async def test_a_reader_that_hangs_holds_up_no_other(slots: list[VpcdSlot]) -> None:
    first, second = PcscLink(reader_name(1)), PcscLink(reader_name(2))
    hung = WiredCard(FakeCard(PROFILE))
    for slot, card in zip(slots, (hung, WiredCard(FakeCard(PROFILE))), strict=True):
        slot.insert(card)
    await first.take(personaliser(PROFILE).identify, Deadline.after(LIMIT_S))
    hung.hang()
    waiting = asyncio.ensure_future(first.run(personaliser(PROFILE).identify(), Deadline.after(LIMIT_S)))
    await hung.asked.wait()
    for _ in range(2):
        await second.check()
        assert (await second.take(personaliser(PROFILE).identify, Deadline.after(LIMIT_S))).uid == UID
    assert not waiting.done()
    hung.resume()
    assert (await waiting).uid == UID
    await first.close()
    await second.close()


async def test_a_station_whose_card_hangs_for_good_can_be_closed(slots: list[VpcdSlot]) -> None:
    station, hung = PcscChipStation(PROFILE, reader_name(1)), WiredCard(FakeCard(PROFILE))
    slots[0].insert(hung)
    await station.identify(Deadline.after(LIMIT_S))
    hung.hang()
    with pytest.raises(DeviceError, match="chip_silent"):
        await station.read([0x6FF1], Deadline.after(SOON_S))
    await station.release()
    await station.close()
    assert hung_threads() == 1  # it can only be left behind
    hung.resume()


async def test_a_sam_that_hangs_is_told_as_the_sam_until_it_answers(sam: StillSam) -> None:
    station = PcscChipStation(shipped("ektp"), reader_name(1), PcscSam(SamLink(sam_name(1))))
    await until(station, None)
    sam.awake.clear()
    assert [await trouble(station) for _ in range(2)] == ["sam_absent", "sam_absent"]
    assert hung_threads() == 1
    sam.awake.set()
    await until(station, None)
    await station.close()


async def test_a_station_whose_sam_hangs_for_good_can_be_closed(sam: StillSam) -> None:
    station = PcscChipStation(shipped("ektp"), reader_name(1), PcscSam(SamLink(sam_name(1))))
    await until(station, None)
    sam.awake.clear()
    assert await trouble(station) == "sam_absent"
    await station.close()
    sam.awake.set()


async def test_a_look_notices_that_pcscd_ended_by_itself_and_that_it_is_back(pcscd: Pcscd) -> None:
    link = PcscLink(reader_name(1))
    seen = [await trouble(link)]
    pcscd.stop()
    seen.append(await trouble(link))
    pcscd.start()
    seen.append(await trouble(link))
    assert seen == [None, "pcsc_absent", None]
    await link.close()


async def test_restarts_of_pcscd_between_two_looks_leave_nothing_open(pcscd: Pcscd) -> None:
    link, opened = PcscLink(reader_name(1)), []
    for _ in range(4):
        assert await trouble(link) is None
        opened.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))
        _restart(pcscd)
    assert opened[1:] == opened[:-1]
    await link.close()


async def test_a_look_notices_a_reader_that_is_unplugged_and_plugged_in_again(pcscd: Pcscd) -> None:
    link, row = PcscLink(reader_name(2)), SECOND_READER.read_text()
    seen = [await trouble(link)]
    SECOND_READER.unlink()
    _restart(pcscd)
    seen.append(await trouble(link))
    SECOND_READER.write_text(row)
    _restart(pcscd)
    seen.append(await trouble(link))
    assert seen == [None, "reader_absent", None]
    await link.close()


def _restart(pcscd: Pcscd) -> None:
    pcscd.kill()
    pcscd.start()


async def test_a_frozen_pcscd_holds_up_neither_a_release_nor_the_end(pcscd: Pcscd, slots: list[VpcdSlot]) -> None:
    station = PcscChipStation(PROFILE, reader_name(1))
    slots[0].insert(WiredCard(FakeCard(PROFILE)))
    await station.identify(Deadline.after(LIMIT_S))
    pid = pcscd.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await station.release()
        with pytest.raises(DeviceAbsent):
            await station.check()
        await station.close()
    finally:
        os.kill(pid, signal.SIGCONT)
