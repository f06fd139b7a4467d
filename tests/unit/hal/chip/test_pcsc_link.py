"""The PC/SC link through a real pcscd: what it makes of dead daemons, missing readers, other programs and hung cards."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from smartcard import scard

from controller.chips.apdu import Command, Response
from controller.chips.profile import ChipProfile
from controller.chips.script import Script
from controller.chips.transfer import read_content, write_files
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.pcsc_link import PcscLink
from controller.hal.chip.pcsc_session import no_service
from controller.hal.chip.stopwatch import CostMeter, Stopwatch
from controller.model import ChipSight
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import UID, FakeCard, contents, ektp, needs_sandbox, personaliser
from tests.fakes.chip_station import WiredCard
from tools.pcscd import Pcscd, reader_name, vpcd_port

pytestmark = needs_sandbox

LIMIT_S = 10.0
SOON_S = 0.3
PAST_POLLING_S = 1.0  # pcscd looks for cards every 0.4 s
PROFILE = ektp()
DAEMON = Pcscd()  # one object for all tests: it owns the process it started last


@pytest.fixture
def pcscd() -> Iterator[Pcscd]:
    """The running pcscd, running again afterwards."""
    yield DAEMON
    if DAEMON.pid() is None:
        DAEMON.start()


@pytest.fixture
def card() -> FakeCard:
    return FakeCard(PROFILE)


@pytest.fixture
def wired(card: FakeCard) -> WiredCard:
    return WiredCard(card)


@pytest.fixture
async def slot() -> AsyncIterator[VpcdSlot]:
    """The field of the reader, empty."""
    slot = VpcdSlot("127.0.0.1", vpcd_port(1))
    await slot.start()
    yield slot
    await slot.close()


@pytest.fixture
async def link() -> AsyncIterator[PcscLink]:
    link = PcscLink(reader_name(1))
    yield link
    await link.close()


async def take(link: PcscLink, seconds: float = LIMIT_S, profile: ChipProfile = PROFILE) -> ChipSight:
    return await link.take(personaliser(profile).identify, Deadline.after(seconds))


async def read(link: PcscLink, seconds: float = LIMIT_S) -> object:
    return await link.run(read_content(PROFILE, 0x6FF1), Deadline.after(seconds))


async def failure(doing: object) -> DeviceError:
    """The error that `doing` ends with."""
    with pytest.raises(DeviceError) as caught:
        await doing  # type: ignore[misc]  # any awaitable
    return caught.value


async def test_a_reader_is_known_by_its_exact_name() -> None:
    link = PcscLink("hw-sim lane 1")
    with pytest.raises(
        DeviceAbsent, match=r"reader_absent: 'hw-sim lane 1' is not among the readers; there are: .*'hw-sim lane 1 00 00'"
    ):
        await link.check()
    await link.close()


async def test_a_missing_reader_is_told_before_a_card_is_waited_for() -> None:
    link = PcscLink("nowhere")
    error = await failure(take(link))
    assert (type(error), error.condition) == (DeviceAbsent, "reader_absent")
    await link.close()


async def test_without_pcscd_nothing_is_sent_and_its_return_is_noticed(link: PcscLink, pcscd: Pcscd) -> None:
    await link.check()
    pcscd.kill()
    for doing in (link.check(), take(link)):
        error = await failure(doing)
        assert (type(error), error.condition) == (DeviceAbsent, "pcsc_absent")
    pcscd.start()
    await link.check()


async def test_a_card_is_taken_after_pcscd_was_restarted(link: PcscLink, pcscd: Pcscd, slot: VpcdSlot, wired: WiredCard) -> None:
    slot.insert(wired)
    await take(link)
    pcscd.kill()
    pcscd.start()
    assert (await take(link)).uid == UID


async def test_pcscd_killed_while_a_card_is_held_leaves_it_unknown(
    link: PcscLink, pcscd: Pcscd, slot: VpcdSlot, wired: WiredCard
) -> None:
    slot.insert(wired)
    await take(link)
    pcscd.kill()
    error = await failure(read(link))
    assert (type(error), error.condition) == (DeviceUnknown, "reader_lost")


async def test_pcscd_killed_during_a_command_leaves_it_unknown(
    link: PcscLink, pcscd: Pcscd, slot: VpcdSlot, wired: WiredCard
) -> None:
    slot.insert(wired)
    await take(link)
    wired.hang()
    reading = asyncio.ensure_future(failure(read(link)))
    await wired.asked.wait()
    pcscd.kill()
    error = await reading
    assert (type(error), error.condition) == (DeviceUnknown, "reader_lost")


async def test_pcscd_killed_while_a_card_is_awaited_is_told_at_once(link: PcscLink, pcscd: Pcscd) -> None:
    await link.check()
    waiting = asyncio.ensure_future(failure(take(link)))
    await asyncio.sleep(0)  # the call is on its way to the thread
    pcscd.kill()
    assert (await waiting).condition in {"reader_lost", "pcsc_absent"}


async def test_a_frozen_pcscd_is_absent_and_its_thaw_is_noticed(link: PcscLink, pcscd: Pcscd) -> None:
    pid = pcscd.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    error, again = await failure(link.check()), await failure(link.check())
    os.kill(pid, signal.SIGCONT)
    assert (type(error), str(error)) == (DeviceAbsent, "pcsc_absent: pcscd does not answer within 2.0 s")
    assert str(again) == "pcsc_absent: pcscd has not answered an earlier question; restart it"
    await link.check()


async def test_a_hung_card_costs_its_deadline_and_one_thread(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    slot.insert(wired)
    await take(link)
    wired.hang()
    error = await failure(read(link, SOON_S))
    assert (type(error), error.condition) == (DeviceUnknown, "chip_silent")
    threads = threading.active_count()
    assert (await failure(take(link, SOON_S))).condition == "reader_stuck"
    assert threading.active_count() == threads


def asks_keys(watch: Stopwatch, awake: threading.Event) -> Script[Response]:
    """One command, whose key holder answers when it is awake."""
    with watch:
        awake.wait(LIMIT_S)
    return (yield Command(0xFF, 0xCA, 0, 0, le=256))


async def test_a_key_holder_that_hangs_is_told_as_the_key_holder(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    watch, awake = Stopwatch(), threading.Event()
    slot.insert(wired)
    await take(link)
    error = await failure(link.run(asks_keys(watch, awake), Deadline.after(SOON_S), CostMeter(watch)))
    assert (type(error), error.condition) == (DeviceUnknown, "sam_absent")
    later = await failure(take(link, SOON_S))
    assert (type(later), later.condition, "take the SAM out" in later.detail) == (DeviceAbsent, "sam_absent", True)
    awake.set()
    assert (await take(link)).uid == UID


async def test_a_card_that_hangs_after_its_key_holder_has_answered_is_told_as_the_card(
    link: PcscLink, slot: VpcdSlot, wired: WiredCard
) -> None:
    watch, awake = Stopwatch(), threading.Event()
    awake.set()
    slot.insert(wired)
    await take(link)
    wired.hang()
    error = await failure(link.run(asks_keys(watch, awake), Deadline.after(SOON_S), CostMeter(watch)))
    assert (type(error), error.condition) == (DeviceUnknown, "chip_silent")
    assert (await failure(take(link, SOON_S))).condition == "reader_stuck"


async def test_a_hung_card_that_leaves_gives_the_reader_back(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    slot.insert(wired)
    await take(link)
    wired.hang()
    await failure(read(link, SOON_S))
    slot.remove()
    await link.check()
    slot.insert(WiredCard(FakeCard(PROFILE)))
    assert (await take(link)).uid == UID


async def test_a_card_held_by_another_program_is_busy_until_it_lets_go(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    other = PcscLink(reader_name(1))
    slot.insert(wired)
    await take(other)
    error = await failure(take(link, SOON_S))
    assert (type(error), error.condition) == (DeviceAbsent, "reader_busy")
    waiting = asyncio.ensure_future(take(link))
    await other.release()
    assert (await waiting).uid == UID
    await other.close()


async def test_a_card_that_comes_late_is_taken(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    waiting = asyncio.ensure_future(take(link))
    await asyncio.sleep(0)
    slot.insert(wired)
    assert (await waiting).uid == UID


async def test_a_wait_for_a_card_that_is_cancelled_ends_soon(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(take(link), 0.05)
    slot.insert(wired)
    assert (await take(link)).uid == UID


async def test_a_cancelled_write_stops_before_the_next_command(
    link: PcscLink, slot: VpcdSlot, wired: WiredCard, card: FakeCard
) -> None:
    slot.insert(wired)
    await take(link)
    before = len(card.log)
    wired.hang()
    writing = asyncio.ensure_future(link.run(write_files(PROFILE, contents(PROFILE)), Deadline.after(LIMIT_S)))
    await wired.asked.wait()
    writing.cancel()
    await asyncio.wait({writing})
    wired.resume()
    await link.release()
    assert len(card.log) == before + 1
    assert (await failure(read(link))).condition == "reader_lost"


async def test_a_deadline_that_passed_sends_no_command(link: PcscLink, slot: VpcdSlot, wired: WiredCard, card: FakeCard) -> None:
    slot.insert(wired)
    await take(link)
    before = len(card.log)
    error = await failure(read(link, 0))
    assert (type(error), len(card.log)) == (DeviceUnknown, before)


async def test_a_chip_that_says_no_is_kept(link: PcscLink, slot: VpcdSlot, wired: WiredCard, card: FakeCard) -> None:
    slot.insert(wired)
    await take(link)
    card.faults.answers[len(card.log)] = "6A82"
    assert isinstance(await failure(read(link)), DeviceRefused)
    await read(link)


@pytest.mark.parametrize(
    ("hresult", "kind", "condition"),
    [
        (scard.SCARD_E_NO_SERVICE, DeviceAbsent, "pcsc_absent"),
        (scard.SCARD_W_SECURITY_VIOLATION, DeviceAbsent, "pcsc_absent"),  # polkit
        (scard.SCARD_E_READER_UNAVAILABLE, DeviceAbsent, "reader_absent"),
        (scard.SCARD_E_SHARING_VIOLATION, DeviceAbsent, "reader_busy"),
        (scard.SCARD_W_REMOVED_CARD, DeviceRefused, "chip_silent"),
        (scard.SCARD_W_RESET_CARD, DeviceRefused, "chip_silent"),
        (scard.SCARD_W_UNRESPONSIVE_CARD, DeviceRefused, "chip_silent"),
        (scard.SCARD_F_COMM_ERROR, DeviceUnknown, "reader_lost"),
        (scard.SCARD_F_INTERNAL_ERROR, DeviceUnknown, "reader_lost"),
    ],
)
def test_every_error_word_has_its_meaning(hresult: int, kind: type[DeviceError], condition: str) -> None:
    error = no_service(hresult, "try")
    assert (type(error), error.condition) == (kind, condition)
    assert f"0x{hresult & 0xFFFFFFFF:08X}" in error.detail


async def test_a_second_task_on_the_reader_is_a_bug(link: PcscLink) -> None:
    waiting = asyncio.ensure_future(failure(take(link, SOON_S)))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="second call"):
        await link.check()
    await waiting


async def test_closing_ends_the_thread_and_twice_is_fine(slot: VpcdSlot, wired: WiredCard) -> None:
    link = PcscLink(reader_name(1))
    slot.insert(wired)
    await take(link)
    await link.close()
    await link.close()
    await link.release()
    assert f"pcsc {reader_name(1)}" not in {thread.name for thread in threading.enumerate()}


async def test_a_reset_card_has_forgotten_what_was_selected(
    link: PcscLink, slot: VpcdSlot, wired: WiredCard, card: FakeCard
) -> None:
    slot.insert(wired)
    await take(link)
    selected = [card.current]
    await link.reset(Deadline.after(LIMIT_S))
    assert [*selected, card.current] == [0x6FF6, None]
    assert await read(link) == b""


async def test_a_card_that_left_before_the_reset_is_unknown(link: PcscLink, slot: VpcdSlot, wired: WiredCard) -> None:
    slot.insert(wired)
    await take(link)
    slot.remove()
    error = await failure(link.reset(Deadline.after(LIMIT_S)))
    assert (type(error), error.condition) == (DeviceUnknown, "chip_silent")
    assert (await failure(read(link))).condition == "reader_lost"
    assert (await failure(take(link, PAST_POLLING_S))).condition == "chip_silent"  # else pcscd overlooks the next test's card


async def test_a_deadline_that_passed_resets_no_card(link: PcscLink, slot: VpcdSlot, wired: WiredCard, card: FakeCard) -> None:
    slot.insert(wired)
    await take(link)
    error = await failure(link.reset(Deadline.after(0)))
    assert (type(error), error.condition, card.current) == (DeviceUnknown, "chip_silent", 0x6FF6)


async def test_no_card_no_reset(link: PcscLink) -> None:
    assert (await failure(link.reset(Deadline.after(SOON_S)))).condition == "reader_lost"


async def test_a_trace_hears_every_command_and_its_answer(slot: VpcdSlot, wired: WiredCard) -> None:
    heard: list[tuple[bytes, bytes]] = []
    link = PcscLink(reader_name(1), lambda command, answer: heard.append((command, answer)))
    slot.insert(wired)
    await take(link)
    await link.close()
    assert heard[0] == (bytes.fromhex("FFCA000000"), bytes.fromhex(UID + "9000"))
    assert len(heard) == 14
