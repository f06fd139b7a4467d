"""The SAM's slot through a real pcscd: empty, pulled in the middle, pcscd gone, taken by another program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from controller.errors import DeviceAbsent
from controller.hal.chip.sam_link import SamLink
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.sam import SamCard, SamMemory
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import needs_sandbox
from tools.pcscd import Pcscd, sam_name, vpcd_port

pytestmark = needs_sandbox

LIMIT_S = 10.0
RESET, OK = bytes.fromhex("00FF000000"), b"\x90\x00"
IS_OPEN = bytes.fromhex("00F8000000")
DAEMON = Pcscd()  # one object for all tests: it owns the process it started last


@pytest.fixture
def pcscd() -> Iterator[Pcscd]:
    """The running pcscd, running again afterwards."""
    yield DAEMON
    if DAEMON.pid() is None:
        DAEMON.start()


@pytest.fixture
async def slot() -> AsyncIterator[VpcdSlot]:
    slot = VpcdSlot("127.0.0.1", vpcd_port(1) + 1)
    await slot.start()
    yield slot
    await slot.close()


@pytest.fixture
async def link(slot: VpcdSlot) -> AsyncIterator[SamLink]:
    link = SamLink(sam_name(1))
    yield link
    await asyncio.to_thread(link.close)


def card() -> SamCard:
    return SamCard(load_masters(), SamMemory(bytes(8)), seed=1)


async def absence(method: Callable[..., Any], *arguments: Any, condition: str = "sam_absent") -> str:
    with pytest.raises(DeviceAbsent) as absent:
        await asyncio.to_thread(method, *arguments)
    assert absent.value.condition == condition
    return absent.value.detail


async def connect(link: SamLink) -> None:
    """Connect once the virtual reader has seen its card; until then it may still hold out the one before."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                assert await asyncio.to_thread(link.connect)
                assert await asyncio.to_thread(link.send, RESET) == OK
            except DeviceAbsent:
                await asyncio.sleep(0.05)
            else:
                return


async def why_absent(link: SamLink) -> str:
    """What a connection fails for; nothing when pcscd still holds out a card that has left."""
    try:
        await asyncio.to_thread(link.connect)
    except DeviceAbsent as error:
        return error.detail
    await asyncio.to_thread(link.drop)
    return ""


async def lost(link: SamLink) -> str:
    """What it says when the card is found to be gone."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await asyncio.to_thread(link.send, RESET)
            except DeviceAbsent as error:
                return error.detail
            await asyncio.sleep(0.05)


async def test_a_sam_is_connected_once_and_answers(slot: VpcdSlot, link: SamLink) -> None:
    slot.insert(card())
    await connect(link)
    assert not await asyncio.to_thread(link.connect)


async def test_a_sam_that_was_opened_is_shut_when_it_is_let_go_of(slot: VpcdSlot, link: SamLink) -> None:
    blob = bytes(range(32))
    slot.insert(SamCard(load_masters(), SamMemory(bytes(8), blob), seed=1))
    await connect(link)
    assert await asyncio.to_thread(link.send, bytes.fromhex("00F0000020") + blob) == OK
    assert await asyncio.to_thread(link.send, IS_OPEN) == b"\1" + OK
    await asyncio.to_thread(link.close)
    await connect(link)
    assert await asyncio.to_thread(link.send, IS_OPEN) == b"\0" + OK


async def test_an_empty_slot_is_told(slot: VpcdSlot, link: SamLink) -> None:
    slot.insert(card())
    await connect(link)
    slot.remove()
    await lost(link)
    async with asyncio.timeout(LIMIT_S):
        while "'hw-sim lane 1 00 01': no SAM is in the slot" not in await why_absent(link):
            await asyncio.sleep(0.05)


async def test_a_slot_that_there_is_not_is_told(slot: VpcdSlot) -> None:
    assert "there is no such reader slot" in await absence(SamLink("ACME 00 01").connect)


async def test_a_sam_that_is_pulled_is_lost_and_put_back_is_a_new_one(slot: VpcdSlot, link: SamLink) -> None:
    slot.insert(card())
    await connect(link)
    slot.remove()
    await lost(link)
    assert "the SAM was lost" in await absence(link.send, RESET)
    slot.insert(card())
    await connect(link)


async def test_a_sam_that_another_program_holds_is_told(slot: VpcdSlot, link: SamLink) -> None:
    slot.insert(card())
    await connect(link)
    other = SamLink(sam_name(1))
    assert "another program holds the SAM" in await absence(other.connect, condition="sam_busy")
    await asyncio.to_thread(link.close)
    await connect(other)
    await asyncio.to_thread(other.close)


async def test_a_restart_of_pcscd_is_survived(slot: VpcdSlot, link: SamLink, pcscd: Pcscd) -> None:
    slot.insert(card())
    await connect(link)
    await asyncio.to_thread(pcscd.kill)
    await absence(link.send, RESET)
    assert "pcscd is not running" in await absence(link.connect)
    await asyncio.to_thread(pcscd.start)
    await connect(link)
