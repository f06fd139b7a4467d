"""The simulator's card slot under a real pcscd with Debian's vpcd driver: needs tools/sandbox."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from smartcard import scard

from hwsim.wires.vpcd import CardDied, VpcdSlot
from tests.fakes.chip import needs_sandbox
from tools.pcscd import DESK_PORT, DESK_READER, Pcscd, reader_name, vpcd_port

pytestmark = needs_sandbox

READER = reader_name(1)
POLLED_MS = 5_000  # pcscd looks every 0.4 s
ROUND_TRIP_S = 0.0005
ATR = bytes.fromhex("3B80800101")
GET_UID = list(bytes.fromhex("FFCA000000"))


@dataclass
class Card:
    """Answers its number, or does what a test wants."""

    atr: bytes = ATR
    answer: bytes | Exception | None = b"\x04\xa1\x90\x00"
    diary: list[str] = field(default_factory=list)

    def power(self, on: bool) -> None:
        self.diary.append("on" if on else "off")

    def reset(self) -> None:
        self.diary.append("reset")

    async def apdu(self, command: bytes) -> bytes | None:
        self.diary.append("apdu")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Reader:
    """A PC/SC client. Its methods block and run in threads."""

    def __init__(self, name: str = READER) -> None:
        self._name = name
        self._context = checked(scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM))

    def wait_for(self, wanted: int) -> bool:
        """Until the reader is in this state (SCARD_STATE_PRESENT, ..._EMPTY)."""
        deadline = time.monotonic() + POLLED_MS / 1000
        known = scard.SCARD_STATE_UNAWARE
        while time.monotonic() < deadline:
            _result, states = scard.SCardGetStatusChange(self._context, POLLED_MS, [(self._name, known)])
            known = states[0][1]
            if known & wanted:
                return True
        return False

    def connect(self) -> int:
        """Connect to the card, which powers it."""
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        return checked(scard.SCardConnect(self._context, self._name, scard.SCARD_SHARE_EXCLUSIVE, protocols))

    def transmit(self, handle: int, apdu: list[int]) -> tuple[int, bytes]:
        """PC/SC's result code and the response."""
        result, response = scard.SCardTransmit(handle, scard.SCARD_PCI_T1, apdu)
        return result, bytes(response)

    def atr(self, handle: int) -> bytes:
        return bytes(scard.SCardStatus(handle)[4])

    def reset(self, handle: int) -> None:
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        scard.SCardReconnect(handle, scard.SCARD_SHARE_EXCLUSIVE, protocols, scard.SCARD_RESET_CARD)

    def disconnect(self, handle: int) -> None:
        """Let go; pcscd resets the card, which may fail."""
        scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)

    def close(self) -> None:
        scard.SCardReleaseContext(self._context)


def checked(answer: tuple[int, ...]) -> int:
    """The first value of a PC/SC call that must succeed."""
    assert answer[0] == scard.SCARD_S_SUCCESS, scard.SCardGetErrorMessage(answer[0])
    return answer[1]


def restart_pcscd() -> None:
    """Kill pcscd and start another that outlives this test, as the sandbox's own did."""
    Pcscd().kill()
    subprocess.run([sys.executable, "-c", "from tools.pcscd import Pcscd; Pcscd().start()"], check=True)


@pytest.fixture
async def slot() -> AsyncIterator[VpcdSlot]:
    slot = VpcdSlot("127.0.0.1", vpcd_port(1))
    await slot.start()
    yield slot
    await slot.close()


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = await asyncio.to_thread(Reader)
    yield reader
    await asyncio.to_thread(reader.close)


@pytest.fixture
async def card(slot: VpcdSlot, reader: Reader) -> Card:
    await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_EMPTY)
    card = Card()
    slot.insert(card)
    assert await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_PRESENT)
    return card


async def test_a_card_is_seen_powered_and_answered(card: Card, reader: Reader) -> None:
    handle = await asyncio.to_thread(reader.connect)
    assert await asyncio.to_thread(reader.atr, handle) == ATR
    assert await asyncio.to_thread(reader.transmit, handle, GET_UID) == (0, b"\x04\xa1\x90\x00")
    assert card.diary[:2] == ["on", "apdu"]


async def test_a_reset_reaches_the_card(card: Card, reader: Reader) -> None:
    handle = await asyncio.to_thread(reader.connect)
    await asyncio.to_thread(reader.reset, handle)
    assert "reset" in card.diary


async def test_a_round_trip_takes_half_a_millisecond_at_most(card: Card, reader: Reader) -> None:
    handle = await asyncio.to_thread(reader.connect)

    def measure() -> float:
        taken = []
        for _ in range(300):
            started = time.perf_counter()
            reader.transmit(handle, GET_UID)
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    median_s = await asyncio.to_thread(measure)
    print(f"median round trip {median_s * 1e6:.0f} us")
    assert median_s <= ROUND_TRIP_S


async def test_a_removed_card_leaves_the_reader_empty(card: Card, reader: Reader, slot: VpcdSlot) -> None:
    slot.remove()
    assert await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_EMPTY)


async def test_removing_a_hung_card_ends_the_waiting_command_and_the_next_card_is_seen(
    card: Card, reader: Reader, slot: VpcdSlot
) -> None:
    card.answer = None
    handle = await asyncio.to_thread(reader.connect)
    waiting = asyncio.create_task(asyncio.to_thread(reader.transmit, handle, GET_UID))
    while "apdu" not in card.diary:
        await asyncio.sleep(0.001)
    slot.remove()
    assert await waiting == (0, b"")
    await asyncio.to_thread(reader.disconnect, handle)
    slot.insert(Card())
    assert await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_PRESENT)


async def test_a_card_that_dies_ends_its_command_and_leaves(card: Card, reader: Reader) -> None:
    card.answer = CardDied()
    handle = await asyncio.to_thread(reader.connect)
    _result, response = await asyncio.to_thread(reader.transmit, handle, GET_UID)
    assert response == b""
    assert await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_EMPTY)


async def test_a_card_is_back_after_pcscd_was_killed(card: Card, slot: VpcdSlot) -> None:
    await asyncio.to_thread(restart_pcscd)
    again = await asyncio.to_thread(Reader)
    assert await asyncio.to_thread(again.wait_for, scard.SCARD_STATE_PRESENT)
    handle = await asyncio.to_thread(again.connect)
    assert await asyncio.to_thread(again.transmit, handle, GET_UID) == (0, b"\x04\xa1\x90\x00")
    await asyncio.to_thread(again.close)


async def test_a_hung_reader_keeps_its_client_waiting_even_when_the_card_leaves(
    card: Card, reader: Reader, slot: VpcdSlot
) -> None:
    handle = await asyncio.to_thread(reader.connect)
    slot.hang()
    waiting = asyncio.create_task(asyncio.to_thread(reader.transmit, handle, GET_UID))
    slot.remove()
    _done, still = await asyncio.wait([waiting], timeout=0.5)
    assert still
    slot.thaw()
    assert (await waiting)[1] == b""
    await asyncio.to_thread(reader.disconnect, handle)
    slot.insert(Card())
    assert await asyncio.to_thread(reader.wait_for, scard.SCARD_STATE_PRESENT)


async def test_the_desk_reader_hears_its_card() -> None:
    slot, desk = VpcdSlot("127.0.0.1", DESK_PORT), await asyncio.to_thread(Reader, DESK_READER)
    await slot.start()
    slot.insert(Card(answer=b"desk\x90\x00"))
    assert await asyncio.to_thread(desk.wait_for, scard.SCARD_STATE_PRESENT)
    handle = await asyncio.to_thread(desk.connect)
    assert await asyncio.to_thread(desk.transmit, handle, GET_UID) == (0, b"desk\x90\x00")
    await slot.close()
    await asyncio.to_thread(desk.close)
