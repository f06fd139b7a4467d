"""The display's pseudo-terminal: raw bytes, a stable name, and no hang-up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hwsim.wires.pty import DisplayPty


class Screen:
    """What came through, and a wait for more."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.changed = asyncio.Event()

    def __call__(self, data: bytes) -> None:
        self.seen += data
        self.changed.set()

    async def holds(self, data: bytes) -> bool:
        async with asyncio.timeout(5.0):
            while bytes(self.seen) != data:
                self.changed.clear()
                await self.changed.wait()
        return True


@pytest.fixture
async def screen() -> Screen:
    return Screen()


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "display"


@pytest.fixture
async def pty(link: Path, screen: Screen) -> AsyncIterator[DisplayPty]:
    pty = DisplayPty(link, screen)
    pty.start()
    yield pty
    pty.close()


def write(link: Path, data: bytes) -> None:
    terminal = os.open(link, os.O_RDWR | os.O_NOCTTY)
    os.write(terminal, data)
    os.close(terminal)


async def test_bytes_arrive_as_they_were_sent(pty: DisplayPty, link: Path, screen: Screen) -> None:
    data = bytes(range(256))
    write(link, data)
    assert await screen.holds(data)


async def test_a_client_that_closes_can_come_back(pty: DisplayPty, link: Path, screen: Screen) -> None:
    write(link, b"\x0cone")
    assert await screen.holds(b"\x0cone")
    write(link, b"\x0ctwo")
    assert await screen.holds(b"\x0cone\x0ctwo")


async def test_nothing_is_echoed(pty: DisplayPty, link: Path, screen: Screen) -> None:
    terminal = os.open(link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(terminal, b"hello\n")
    await screen.holds(b"hello\n")
    with pytest.raises(BlockingIOError):
        os.read(terminal, 1)
    os.close(terminal)


async def test_an_old_link_is_replaced(link: Path, screen: Screen) -> None:
    link.symlink_to("/dev/nowhere")
    pty = DisplayPty(link, screen)
    pty.start()
    write(link, b"new")
    assert await screen.holds(b"new")
    pty.close()


async def test_a_file_in_the_way_is_not_touched(link: Path, screen: Screen) -> None:
    link.write_text("mine")
    with pytest.raises(FileExistsError, match="in the way"):
        DisplayPty(link, screen).start()
    assert link.read_text() == "mine"


async def test_closing_removes_the_link_and_twice_is_fine(pty: DisplayPty, link: Path) -> None:
    pty.close()
    pty.close()
    assert not link.is_symlink()


async def test_closing_leaves_a_successors_link_alone(pty: DisplayPty, link: Path, screen: Screen) -> None:
    successor = DisplayPty(link, screen)
    successor.start()
    pty.close()
    write(link, b"still here")
    assert await screen.holds(b"still here")
    successor.close()


async def test_nothing_else_is_left_in_the_folder(pty: DisplayPty, link: Path) -> None:
    assert [entry.name for entry in link.parent.iterdir()] == ["display"]
