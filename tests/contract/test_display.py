"""One contract for operator displays: the one in memory, and ours over a real pty and over a socket."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.hal.display import CLEAR, COLUMNS, INIT, VfdDisplay, encode
from controller.hal.serial_link import SerialLink
from tests.fakes.display import FakeDisplay
from tests.fakes.pin_rig import LIMIT_S
from tests.fakes.serial_rig import SerialRig, rig_of


@dataclass
class Shown:
    """A display and how to see what it shows."""

    display: FakeDisplay | VfdDisplay
    until_shows: Callable[[str, str], Awaitable[None]]


@pytest.fixture(params=["memory", "pty", "socket"])
async def shown(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shown]:
    if request.param == "memory":
        yield memory_display()
        return
    async with rig_of(request.param, tmp_path) as rig, running(rig) as display:
        yield Shown(display, lambda first, second: rig.until_received(encode(first, second)))


@pytest.fixture(params=["pty", "socket"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SerialRig]:
    async with rig_of(request.param, tmp_path) as made:
        yield made


async def test_a_text_is_shown(shown: Shown) -> None:
    shown.display.show("SIAP", "0 KARTU")
    await shown.until_shows("SIAP", "0 KARTU")


async def test_the_newest_of_many_texts_stays(shown: Shown) -> None:
    for count in range(100):
        shown.display.show("MENCETAK", f"{count} KARTU")
    await shown.until_shows("MENCETAK", "99 KARTU")


async def test_longer_text_is_cut(shown: Shown) -> None:
    shown.display.show("A" * 50, "B" * 50)
    await shown.until_shows("A" * COLUMNS, "B" * COLUMNS)


async def test_a_display_is_reset_before_its_first_text(rig: SerialRig) -> None:
    async with running(rig) as display:
        display.show("SIAP", "")
        await rig.until_received(encode("SIAP", ""))
        assert rig.received.startswith(INIT + CLEAR)


async def test_a_display_that_took_a_text_is_up(rig: SerialRig) -> None:
    async with running(rig) as display:
        display.show("SIAP", "")
        await rig.until_received(encode("SIAP", ""))
        display.show("SIAP", "1 KARTU")  # sent once the first was taken
        await rig.until_received(encode("SIAP", "1 KARTU"))
        assert display.up


async def test_a_text_that_did_not_change_is_not_sent_again(rig: SerialRig) -> None:
    async with running(rig) as display:
        for _ in range(3):
            display.show("SIAP", "")
        await rig.until_received(encode("SIAP", ""))
        display.show("SIAP", "")
        display.show("SIAP", "1 KARTU")
        await rig.until_received(encode("SIAP", "1 KARTU"))
        assert rig.received.count(encode("SIAP", "")) == 1


async def test_texts_in_between_are_skipped_and_not_queued(rig: SerialRig) -> None:
    async with running(rig) as display:
        for count in range(1000):
            display.show("MENCETAK", f"{count} KARTU")
        await rig.until_received(encode("MENCETAK", "999 KARTU"))
        assert rig.received.count(b"MENCETAK") == 1


async def test_a_display_that_comes_back_shows_the_newest_text(rig: SerialRig) -> None:
    async with running(rig) as display:
        display.show("SIAP", "1 KARTU")
        await rig.until_received(encode("SIAP", "1 KARTU"))
        await rig.pull()
        display.show("SIAP", "2 KARTU")  # this is what shows that it is gone
        await rig.put_back()
        await rig.until_received(INIT + CLEAR + encode("SIAP", "2 KARTU"))


async def test_a_display_that_comes_back_while_nothing_happens_shows_its_text_again(rig: SerialRig) -> None:
    async with running(rig) as display:
        display.show("SIAP", "1 KARTU")
        await rig.until_received(encode("SIAP", "1 KARTU"))
        await rig.pull()
        await rig.put_back()
        await rig.until_received(INIT + CLEAR + encode("SIAP", "1 KARTU"))


async def test_a_missing_display_is_not_up_and_harms_nothing(rig: SerialRig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.pull()
    async with running(rig) as display:
        display.show("SIAP", "")
        await asyncio.sleep(0)
        assert not display.up
        await rig.put_back()
        await rig.until_received(encode("SIAP", ""))


async def test_stopping_leaves_no_thread(rig: SerialRig) -> None:
    before = set(threading.enumerate())
    async with running(rig) as display:
        display.show("SIAP", "")
        await rig.until_received(encode("SIAP", ""))
    assert set(threading.enumerate()) == before
    assert not display.up


def memory_display() -> Shown:
    display = FakeDisplay()

    async def until_shows(first: str, second: str) -> None:
        assert display.lines == (first, second)

    return Shown(display, until_shows)


@contextlib.asynccontextmanager
async def running(rig: SerialRig) -> AsyncIterator[VfdDisplay]:
    display = VfdDisplay(SerialLink(rig.port, 9600, "display_absent"))
    task = asyncio.create_task(display.run())
    try:
        yield display
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=LIMIT_S)
        if not task.cancelled():
            task.result()
