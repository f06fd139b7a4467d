"""A serial port that is there, is gone, or takes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.clock import monotonic_s
from controller.errors import DeviceUnknown
from controller.hal.serial_link import WRITE_S, SerialLink
from tests.fakes.pin_rig import LIMIT_S
from tests.fakes.serial_rig import PtyRig, SerialRig, pty_rig, rig_of


@pytest.fixture(params=["pty", "socket"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SerialRig]:
    async with rig_of(request.param, tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def link_to(port: str) -> AsyncIterator[SerialLink]:
    link = SerialLink(port, 9600, "display_absent")
    try:
        yield link
    finally:
        await link.close()


async def connected(link: SerialLink) -> None:
    async with asyncio.timeout(LIMIT_S):
        await link.connect()


async def test_bytes_arrive_unchanged(rig: SerialRig) -> None:
    every_byte = bytes(range(256))
    async with link_to(rig.port) as link:
        await connected(link)
        await link.write(every_byte)
        await rig.until_received(every_byte)


async def test_a_port_that_is_pulled_is_noticed_and_named(rig: SerialRig) -> None:
    async with link_to(rig.port) as link:
        await connected(link)
        await link.write(b"x")
        await rig.until_received(b"x")  # the other end has really taken the connection
        await rig.pull()
        with pytest.raises(DeviceUnknown, match=f"display_absent: {rig.port}: "):
            await link.check()


async def test_a_port_that_was_put_back_is_written_again(rig: SerialRig) -> None:
    async with link_to(rig.port) as link:
        await connected(link)
        await link.write(b"x")
        await rig.until_received(b"x")  # the other end has really taken the connection
        await rig.pull()
        with pytest.raises(DeviceUnknown):
            await link.check()
        await rig.put_back()
        await connected(link)
        await link.write(b"again")
        await rig.until_received(b"again")


async def test_a_port_that_comes_late_is_waited_for(rig: SerialRig, caplog: pytest.LogCaptureFixture) -> None:
    await rig.pull()
    async with link_to(rig.port) as link, asyncio.TaskGroup() as group:
        waiting = group.create_task(connected(link))
        await asyncio.sleep(0)
        await rig.put_back()
        await waiting
        await link.check()


async def test_a_port_that_takes_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    async with pty_rig(tmp_path) as rig, link_to(rig.port) as link:
        await connected(link)
        fill(rig)
        began_s = monotonic_s()
        with pytest.raises(DeviceUnknown, match=rf"display_absent: .*took nothing for {WRITE_S} s"):
            await link.write(b"more")
        assert monotonic_s() - began_s < 2 * WRITE_S + 1


async def test_a_missing_port_is_named_in_the_log_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = str(tmp_path / "nothing")
    async with link_to(port) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):  # two attempts
                await link.connect()
    assert caplog.text.count("display_absent") == 1
    assert "No such file or directory" in caplog.text


@pytest.mark.parametrize("port", ["gopher://x", "socket://nowhere"])
async def test_an_address_that_makes_no_sense_is_absent_and_not_a_crash(port: str, caplog: pytest.LogCaptureFixture) -> None:
    async with link_to(port) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await link.connect()
    assert f"display_absent: {port}: " in caplog.text


async def test_closing_leaves_no_thread_and_no_descriptor(rig: SerialRig) -> None:
    threads, descriptors = set(threading.enumerate()), descriptors_of_the_link(rig)
    async with link_to(rig.port) as link:
        await connected(link)
        await link.write(b"x")
        await rig.until_received(b"x")
    assert set(threading.enumerate()) == threads
    assert descriptors_of_the_link(rig) == descriptors


async def test_closing_twice_or_unopened_is_fine(rig: SerialRig) -> None:
    async with link_to(rig.port) as link:
        await link.close()
        await connected(link)
        await link.close()


def fill(rig: PtyRig) -> None:
    """Nobody reads at the other end any more, and its buffer is full."""
    rig.deafen()
    handle = os.open(rig.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(handle, bytes(1024))
    os.close(handle)


def descriptors_of_the_link(rig: SerialRig) -> int:
    """How many descriptors are open on the port's side; a socket's server side lags behind and is not counted."""
    if not isinstance(rig, PtyRig):
        return 0
    names = [entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return names.count(Path(rig.port).resolve())
