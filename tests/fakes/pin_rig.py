"""Pins over the real wire: a PinBank behind hw-sim's pigpiod server, and a PinSource that gpiozero serves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from controller.hal.pins.pin_source import PinSource
from hwsim.wires.pigpiod import PigpiodServer, PinBank

LIMIT_S = 15.0  # only a hang takes so long, also on a machine busy with other things


class Watch:
    """Waits for something a driver tells of through its change callback."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self, *_: object) -> None:
        """The callback to register."""
        self._changed.set()

    async def until(self, holds: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        """Return once `holds`, looked at after every change; TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


class PinRig:
    """One bank, its server, and what the test does to them."""

    def __init__(self) -> None:
        self.bank = PinBank()
        self.server = PigpiodServer("127.0.0.1", 0, self.bank)

    async def start(self) -> None:
        await self.server.start()

    @property
    def address(self) -> str:
        return f"pigpiod://127.0.0.1:{self.server.port}"

    async def kill(self) -> None:
        """The server's process dies: every connection is gone."""
        await self.server.close()

    async def revive(self) -> None:
        """The server is started again, on the same port and pins."""
        self.server = PigpiodServer("127.0.0.1", self.server.port, self.bank)
        await self.server.start()


@contextlib.asynccontextmanager
async def running(source: PinSource) -> AsyncIterator[None]:
    """The source's `run`, cancelled and awaited at the end."""
    task = asyncio.create_task(source.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()


@contextlib.asynccontextmanager
async def pin_rig() -> AsyncIterator[PinRig]:
    """A started rig, closed at the end."""
    rig = PinRig()
    await rig.start()
    try:
        yield rig
    finally:
        rig.server.thaw()
        await rig.server.close()
