"""Who calls on a lane, and the waits that a call cuts short.

Three calls: something changed, a person wants it tried now, the station ends. The lane's task alone waits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

POLL_S = 1.0  # how often an idle or waiting lane looks again without being woken


class LaneCalls:
    """One lane's. A call that nobody waits for yet is kept until the next wait."""

    def __init__(self) -> None:
        self.stopping = False  # finish the card in hand, feed no more
        self._woken = asyncio.Event()
        self._urged = asyncio.Event()  # by a person, or by the end: more than a sensor that moved

    def wake(self) -> None:
        """Something changed (a button, a sensor, a load, a decision): cut a pause short."""
        self._woken.set()

    def urge(self) -> None:
        """A person wants it tried at once: cut a rest short as well."""
        self._urged.set()
        self.wake()

    def stop(self) -> None:
        """The station ends."""
        self.stopping = True
        self.urge()

    def heed(self) -> None:
        """Whatever changed until now will be seen: only what changes from here on cuts the next pause short."""
        self._woken.clear()

    async def poll(self) -> None:
        """Pause until it is time to look again."""
        await self.pause(POLL_S)

    async def pause(self, seconds: float) -> None:
        """Wait, unless anything changes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def rest(self, seconds: float) -> None:
        """Wait, unless a person or the end of the station cuts it short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._urged.wait()
        self._urged.clear()
