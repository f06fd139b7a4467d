"""Prints panels while the next one is being sent (printers.md 3.8): a queue of due panels and the head that works it off."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from hwsim.devices.mechanics import Mechanics, Obstacle
from hwsim.forms import Form
from hwsim.world import Station


@dataclass(frozen=True, slots=True)
class DuePanel:
    """A panel that is to be printed on the card inside."""

    side: str
    panel: str
    levels: int
    dots: bytes
    form: Form


class Press:
    """At most five panels a side are due: the printer has memory for one bitmap of each."""

    def __init__(self, mechanics: Mechanics) -> None:
        self._mechanics = mechanics
        self._due: deque[DuePanel] = deque()
        self._work = asyncio.Event()
        self._rest = asyncio.Event()
        self._obstacle: Obstacle | None = None
        self._stops: asyncio.Queue[Obstacle] = asyncio.Queue(1)
        self.reset()

    def reset(self) -> None:
        """As after power-on: nothing is due."""
        self._due.clear()
        self._obstacle = None
        self._work.clear()
        self._rest.set()
        self.sides: set[str] = set()  # sides that were begun since the sequence began

    @property
    def busy(self) -> bool:
        """Whether a panel is being printed."""
        return self._work.is_set()

    async def print(self, due: DuePanel, ribbon: str) -> None:
        """Make a panel due. The first one of a side brings a card under the head and takes a set of the ribbon."""
        self._raise_obstacle()
        if any(due.panel == other.panel for other in self._due):
            await self.finished()  # its bitmap is still being read
        if due.side not in self.sides:
            await self.finished()
            await self._mechanics.bring(Station.PRINT)
            if due.side == "back":
                await self._mechanics.flip()
            self._mechanics.take_ribbon_set(ribbon, due.panel)
            self.sides.add(due.side)
        self._due.append(due)
        self.resume()

    async def at_rest(self) -> None:
        """Wait until the head rests, whether all went well or not."""
        await self._rest.wait()

    async def finished(self) -> None:
        """Wait until all that is due is printed; raises the Obstacle that stopped it."""
        await self._rest.wait()
        self._raise_obstacle()

    def resume(self) -> None:
        """Go on, or try again after an obstacle."""
        self._obstacle = None
        if self._due:
            self._rest.clear()
            self._work.set()

    def stopped_by(self, obstacle: Obstacle) -> bool:
        """Whether it was the head that met this obstacle."""
        return obstacle is self._obstacle

    async def stopped(self) -> Obstacle:
        """Wait until the head meets an obstacle."""
        return await self._stops.get()

    async def run(self) -> None:
        """Work the queue off, until cancelled."""
        while True:
            await self._work.wait()
            await self._print_first()

    async def _print_first(self) -> None:
        due = self._due[0]
        try:
            await self._mechanics.print_panel(due.side, due.panel, due.levels, due.dots, due.form)
        except Obstacle as obstacle:
            self._obstacle = obstacle
            if not self._stops.full():
                self._stops.put_nowait(obstacle)
        else:
            if self._due and self._due[0] is due:
                self._due.popleft()
        if self._obstacle is not None or not self._due:
            self._work.clear()
            self._rest.set()

    def _raise_obstacle(self) -> None:
        if self._obstacle is not None:
            raise self._obstacle
