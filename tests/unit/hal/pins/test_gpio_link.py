"""Pin addresses, and the board's own refusals."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import socket
import weakref
from collections.abc import AsyncIterator, Callable

import pytest

from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.pins.gpio_link import PinBoard
from controller.hal.worker_thread import WorkerThread
from tests.fakes.pin_rig import LIMIT_S, PinRig, Watch, pin_rig

BEAM = 5


@pytest.fixture
async def rig() -> AsyncIterator[PinRig]:
    async with pin_rig() as made:
        yield made


@pytest.fixture
async def thread() -> AsyncIterator[WorkerThread]:
    made = WorkerThread("board under test")
    yield made
    await made.close()


def board_at(address: str, report: Callable[[int, bool], bool] = lambda *_: True) -> PinBoard:
    return PinBoard(address, {BEAM: None}, report)


async def test_no_server_means_absent(thread: WorkerThread) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    board = board_at(f"pigpiod://127.0.0.1:{port}")
    with pytest.raises(DeviceAbsent, match=f"pins_dead: pigpiod://127.0.0.1:{port}: ConnectionRefusedError"):
        await thread.call(board.open, {})


@pytest.mark.skipif(importlib.util.find_spec("lgpio") is not None, reason="lgpio is installed here")
async def test_a_missing_lgpio_package_says_what_to_install(thread: WorkerThread) -> None:
    with pytest.raises(DeviceAbsent, match=r"lgpio is missing; install print-station\[lgpio\]"):
        await thread.call(board_at("lgpio").open, {})


async def test_an_address_nobody_checked_is_refused(thread: WorkerThread) -> None:
    with pytest.raises(DeviceAbsent, match="not a pin address"):
        await thread.call(board_at("nonsense").open, {})


async def test_a_board_that_was_broken_off_while_it_connected_gives_up(rig: PinRig, thread: WorkerThread) -> None:
    board = board_at(rig.address)
    board.break_off()
    with pytest.raises(DeviceAbsent, match="came too late"):
        await thread.call(board.open, {})
    await thread.call(board.close)


async def test_a_board_that_was_broken_off_answers_no_more(rig: PinRig, thread: WorkerThread) -> None:
    board = board_at(rig.address)
    await thread.call(board.open, {22: False})
    await rig.kill()
    with pytest.raises(DeviceUnknown, match=f"pins_dead: {rig.address}: "):
        await thread.call(board.read)
    with pytest.raises(DeviceUnknown, match=f"pins_dead: {rig.address}: "):
        await thread.call(board.write, {22: True})
    board.break_off()
    await thread.call(board.close)


async def test_a_dead_notify_thread_is_noticed(rig: PinRig, thread: WorkerThread) -> None:
    board = board_at(rig.address)
    await thread.call(board.open, {})
    notify = board._notify_thread()
    notify.stop()
    await thread.call(notify.join, LIMIT_S)
    with pytest.raises(DeviceUnknown, match="the notify thread has died"):
        await thread.call(board.read)
    await thread.call(board.close)


async def test_a_pin_that_oscillates_is_a_fault(rig: PinRig, thread: WorkerThread) -> None:
    loop, told = asyncio.get_running_loop(), Watch()
    seen: list[bool] = []

    def full(_: int, active: bool) -> bool:
        seen.append(active)
        loop.call_soon_threadsafe(told.changed)
        return False

    board = board_at(rig.address, full)
    await thread.call(board.open, {})
    rig.bank.drive(BEAM, 0)
    await told.until(lambda: seen == [True])
    with pytest.raises(DeviceUnknown, match="more than 1000 edges wait; a pin oscillates"):
        await _read_until_it_fails(board, thread)
    await thread.call(board.close)


async def _read_until_it_fails(board: PinBoard, thread: WorkerThread) -> None:
    """The notify thread says it a moment after it was told so."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            await thread.call(board.read)


async def test_a_closed_board_leaves_nothing_to_do_at_exit(rig: PinRig, thread: WorkerThread) -> None:
    board = board_at(rig.address)
    await thread.call(board.open, {})
    left = weakref.ref(board._connection())
    await thread.call(board.close)
    gc.collect()
    assert left() is None, "pigpio registers every connection with atexit, for ever"


async def test_closing_a_board_twice_or_unopened_is_fine(rig: PinRig, thread: WorkerThread) -> None:
    board = board_at(rig.address)
    await thread.call(board.close)
    await thread.call(board.open, {})
    await thread.call(board.close)
    await thread.call(board.close)
