"""The card slot against a stand-in for vpcd's driver: frames, power, hanging, dying, restarts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.clock import Clock
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.field import FieldCard, Speed
from hwsim.exchanges import Exchanges
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import CardDied, FrameDecoder, VpcdSlot, encode_frame
from tests.unit.hwsim.chip_bench import new_blank, new_sam, present

PATIENCE_S = 5.0
PCSCD_LOOKS_S = 0.4
OFF, ON, RESET, ATR = b"\x00", b"\x01", b"\x02", b"\x04"
GET_UID = bytes.fromhex("FFCA000000")


@dataclass
class Card:
    """Answers from a list and keeps a diary."""

    atr: bytes = bytes.fromhex("3B80800101")
    answers: list[bytes | Exception | None] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)

    def power(self, on: bool) -> None:
        self.diary.append("on" if on else "off")

    def reset(self) -> None:
        self.diary.append("reset")

    async def apdu(self, command: bytes) -> bytes | None:
        self.diary.append(command.hex())
        answer = self.answers.pop(0) if self.answers else b"\x90\x00"
        if isinstance(answer, Exception):
            raise answer
        return answer


class Driver:
    """vpcd's side: takes one card at a time."""

    def __init__(self) -> None:
        self._cards: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, reuse_address=True)
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self._cards.put_nowait((reader, writer))

    async def take_card(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            self._reader, self._writer = await self._cards.get()

    async def take_visitor(self) -> None:
        """Somebody else connects: whatever was on its way before is counted by now."""
        assert self._server is not None
        _reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname())
        await self.take_card()
        writer.close()
        await writer.wait_closed()

    def send(self, payload: bytes) -> None:
        self._writer.write(len(payload).to_bytes(2, "big") + payload)

    async def answer(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            length = int.from_bytes(await self._reader.readexactly(2), "big")
            return await self._reader.readexactly(length)

    async def ask(self, payload: bytes) -> bytes:
        self.send(payload)
        return await self.answer()

    async def sees_card_leave(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.read(1) == b""

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self.writers:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    driver = Driver()
    yield driver
    await driver.stop()


@pytest.fixture
async def slot(driver: Driver) -> AsyncIterator[VpcdSlot]:
    slot = VpcdSlot("127.0.0.1", await driver.start())
    await slot.start()
    yield slot
    await slot.close()


@pytest.fixture
async def card(slot: VpcdSlot, driver: Driver) -> Card:
    card = Card()
    slot.insert(card)
    await driver.take_card()
    return card


FRAMES = [ATR, GET_UID, b"", bytes(range(256)) * 255]
STREAM = b"".join(len(frame).to_bytes(2, "big") + frame for frame in FRAMES)


@given(st.lists(st.one_of(st.integers(0, 20), st.integers(0, len(STREAM))), max_size=8))
def test_any_split_of_the_stream_gives_the_same_frames(cuts: list[int]) -> None:
    decoder, frames = FrameDecoder(), []
    for start, end in pairwise([0, *sorted(cuts), len(STREAM)]):
        decoder.feed(STREAM[start:end])
        while (frame := decoder.next()) is not None:
            frames.append(frame)
    assert frames == FRAMES


def test_a_frame_is_a_length_and_a_payload() -> None:
    assert encode_frame(b"\x90\x00").hex() == "00029000"


def test_a_frame_too_long_for_its_length_is_refused() -> None:
    with pytest.raises(ValueError, match="65536 bytes is over the limit of 65535"):
        encode_frame(bytes(65_536))


async def test_the_atr_is_answered(card: Card, driver: Driver) -> None:
    assert await driver.ask(ATR) == card.atr


async def test_power_and_reset_are_not_answered(card: Card, driver: Driver) -> None:
    for control in (ON, RESET, OFF):
        driver.send(control)
    assert await driver.ask(ATR) == card.atr
    assert card.diary == ["on", "reset", "off"]


async def test_an_unknown_control_byte_is_ignored(card: Card, driver: Driver) -> None:
    driver.send(b"\x03")
    assert await driver.ask(ATR) == card.atr


async def test_an_apdu_is_answered(card: Card, driver: Driver) -> None:
    card.answers = [b"\x04\xa1\x90\x00"]
    assert await driver.ask(GET_UID) == b"\x04\xa1\x90\x00"
    assert card.diary == [GET_UID.hex()]


async def test_a_long_response_comes_whole(card: Card, driver: Driver) -> None:
    card.answers = [bytes(65_533) + b"\x90\x00"]
    assert len(await driver.ask(GET_UID)) == 65_535


async def test_a_hung_card_never_answers_and_still_notices_its_reset(card: Card, driver: Driver) -> None:
    card.answers = [None]
    driver.send(GET_UID)
    driver.send(RESET)
    assert await driver.ask(ATR) == card.atr
    assert card.diary == [GET_UID.hex(), "reset"]


async def test_a_dying_card_leaves_the_slot_empty(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    card.answers = [CardDied()]
    driver.send(GET_UID)
    assert await driver.sees_card_leave()
    slot.insert(Card(atr=b"\x3b\x00"))
    await driver.take_card()
    assert await driver.ask(ATR) == b"\x3b\x00"


async def test_a_removed_card_is_gone_at_once(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    slot.remove()
    assert (slot.connected, await driver.sees_card_leave()) == (False, True)


async def test_a_card_swapped_in_one_turn_is_the_new_one(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    slot.remove()
    slot.insert(Card(atr=b"\x3b\x01\x02"))
    await driver.take_card()
    assert (await driver.ask(ATR), slot.connected) == (b"\x3b\x01\x02", True)


async def test_between_two_cards_pcscd_has_time_to_see_the_slot_empty(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    left = asyncio.get_running_loop().time()
    slot.remove()
    slot.insert(Card())
    await driver.take_card()
    assert asyncio.get_running_loop().time() - left > PCSCD_LOOKS_S


async def test_another_slot_of_the_same_reader_leaves_pcscd_that_time_too(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    await slot.close()
    left = asyncio.get_running_loop().time()
    following = VpcdSlot(*slot.address)
    following.insert(Card())
    await following.start()
    await driver.take_card()
    assert asyncio.get_running_loop().time() - left > PCSCD_LOOKS_S
    await following.close()


async def test_after_another_simulator_pcscd_has_that_time_too(driver: Driver) -> None:
    slot = VpcdSlot("127.0.0.1", await driver.start())
    slot.insert(Card())
    begun = asyncio.get_running_loop().time()
    await slot.start(after_another=True)
    await driver.take_card()
    assert asyncio.get_running_loop().time() - begun > PCSCD_LOOKS_S
    await slot.close()


async def test_a_card_exchanged_quickly_answers_on_the_same_connection(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    other = Card(atr=b"\x3b\x01\x02")
    slot.exchange(other)
    assert await driver.ask(ATR) == other.atr
    assert (len(driver.writers), card.diary) == (1, [])


async def test_nothing_is_exchanged_in_an_empty_slot(slot: VpcdSlot) -> None:
    with pytest.raises(ValueError, match="the slot holds no card"):
        slot.exchange(Card())


async def test_removing_a_card_cancels_the_command_it_works_on(slot: VpcdSlot, driver: Driver) -> None:
    working = asyncio.Event()

    class SlowCard(Card):
        async def apdu(self, command: bytes) -> bytes | None:
            working.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.diary.append("torn")
            return None

    card = SlowCard()
    slot.insert(card)
    await driver.take_card()
    driver.send(GET_UID)
    await working.wait()
    slot.remove()
    assert await driver.sees_card_leave()
    assert card.diary == ["torn"]


async def test_two_cards_do_not_fit(card: Card, slot: VpcdSlot) -> None:
    with pytest.raises(ValueError, match="holds a card already"):
        slot.insert(Card())


async def test_an_empty_slot_connects_to_nothing(slot: VpcdSlot, driver: Driver) -> None:
    slot.remove()
    await driver.take_visitor()
    assert (slot.connected, len(driver.writers)) == (False, 1)


async def test_a_card_waits_for_a_driver_that_starts_late(driver: Driver) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    slot = VpcdSlot("127.0.0.1", port)
    slot.insert(Card())
    await slot.start()
    await asyncio.sleep(0)
    await driver.start(port)
    await driver.take_card()
    assert await driver.ask(ATR) == Card().atr
    await slot.close()


async def test_a_card_comes_back_after_the_driver_restarted(card: Card, driver: Driver) -> None:
    driver._writer.close()
    await driver.take_card()
    assert await driver.ask(ATR) == card.atr


async def test_a_card_loses_its_power_when_the_driver_goes(card: Card, driver: Driver) -> None:
    driver._writer.close()
    await driver.take_card()
    assert await driver.ask(ATR) == card.atr
    assert card.diary == ["off"]


async def test_a_chip_forgets_its_session_when_pcscd_is_killed(slot: VpcdSlot, driver: Driver) -> None:
    select_df, select, read = (bytes.fromhex(apdu) for apdu in ("00A40000027F0A", "00A40000026FF2", "00B0000002"))
    slot.insert(FieldCard(present(new_blank()), Clock(None), LaneMeter(), Exchanges(), Speed(), ChipTroubles()))
    await driver.take_card()
    assert [(await driver.ask(apdu)).hex() for apdu in (select_df, select, read)] == ["9000", "9000", "00009000"]
    driver._writer.close()
    await driver.take_card()
    assert (await driver.ask(read)).hex() == "6986"


async def test_a_sam_forgets_its_session_when_pcscd_is_killed(slot: VpcdSlot, driver: Driver) -> None:
    begin, finish = bytes.fromhex("00F1000143") + bytes(67), bytes.fromhex("00F2000028") + bytes(40)
    slot.insert(new_sam())
    await driver.take_card()
    assert (await driver.ask(begin))[-2:].hex() == "9000"
    driver._writer.close()
    await driver.take_card()
    assert (await driver.ask(finish)).hex() == "6985"


async def test_the_first_apdu_of_each_card_is_announced_once(slot: VpcdSlot, driver: Driver) -> None:
    announced: list[str] = []
    slot.on_first_apdu = lambda: announced.append("touched")
    for _ in range(2):
        slot.insert(Card())
        await driver.take_card()
        await driver.ask(ATR)
        announced.append("seen")
        await driver.ask(GET_UID)
        await driver.ask(GET_UID)
        slot.remove()
    assert announced == ["seen", "touched"] * 2


async def test_a_faulty_card_is_reported(card: Card, driver: Driver) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    card.answers = [b"\x90"]
    driver.send(GET_UID)
    assert await driver.sees_card_leave()
    assert "answered 1 bytes" in str(reported[0]["exception"])


async def test_closing_twice_is_fine(card: Card, driver: Driver, slot: VpcdSlot) -> None:
    await slot.close()
    await slot.close()
    assert await driver.sees_card_leave()


async def test_a_card_inserted_into_a_closed_slot_stays_silent(slot: VpcdSlot, driver: Driver) -> None:
    await slot.close()
    slot.insert(Card())
    await driver.take_visitor()
    assert len(driver.writers) == 1


# A reader that hangs


async def test_a_hung_reader_answers_when_it_goes_on(slot: VpcdSlot, card: Card, driver: Driver) -> None:
    slot.hang()
    driver.send(GET_UID)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await driver.answer()
    slot.thaw()
    assert await driver.answer() == b"\x90\x00"


async def test_a_hung_reader_does_not_notice_that_its_card_left_until_it_goes_on(
    slot: VpcdSlot, card: Card, driver: Driver
) -> None:
    slot.hang()
    driver.send(GET_UID)
    slot.remove()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await driver.sees_card_leave()
    slot.thaw()
    assert await driver.sees_card_leave()


async def test_a_card_put_into_a_hung_reader_is_seen_when_it_goes_on(slot: VpcdSlot, driver: Driver) -> None:
    slot.hang()
    slot.insert(Card())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await driver.take_card()
    slot.thaw()
    await driver.take_card()


async def test_a_slot_whose_reader_hangs_can_be_closed(slot: VpcdSlot, card: Card, driver: Driver) -> None:
    slot.hang()
    slot.remove()
    await slot.close()
    assert await driver.sees_card_leave()
