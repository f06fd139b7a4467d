"""The port `CardPrinter` over a FastLane. Held to tests/contract/test_card_printer.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controller.cards.raster import check_shapes
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.model import Panel, PrinterCare, PrinterIdentity, PrinterWitness
from tests.fakes.fast_lane import FastLane

BUSY_S = 5.0  # a printer in motion answers a question after it, or not at all


class FastPrinter:
    """One session with the lane's printer."""

    def __init__(self, lane: FastLane) -> None:
        self._lane = lane
        self._link: int | None = None  # the conversation that was opened
        self._closed = False

    async def open(self) -> PrinterIdentity:
        if self._closed:
            raise DeviceAbsent("printer_lost", "the link was closed")
        lane = self._lane
        if not lane.reachable:
            raise DeviceAbsent("printer_absent", f"serial {lane.serial}: not found")
        await self._quiet()
        self._link = lane.link
        return PrinterIdentity(lane.profile.model, "fast 1.0", lane.serial)

    async def witness(self) -> PrinterWitness:
        self._reach()
        await self._quiet()
        self._reach()
        return self._lane.witness()

    async def examine(self) -> PrinterWitness:
        return await self.witness()

    async def feed(self, deadline: Deadline) -> None:
        await self._act("feed", deadline)

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        check_shapes(panels, self._lane.profile.raster_for(self._lane.profile.ribbon))
        self._require(have=self._lane.profile.holds_card, act="print")
        await self._act("print", deadline, panels)

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        check_shapes(panels, self._lane.profile.raster_for(self._lane.profile.ribbon))
        self._require(have=self._lane.profile.plan == "ejecting", act="print_and_deliver")
        await self._act("print_and_deliver", deadline, panels)

    async def to_chip_station(self, deadline: Deadline) -> None:
        self._require(have=self._lane.profile.holds_card, act="to_chip_station")
        await self._act("to_chip_station", deadline)

    async def deliver(self, deadline: Deadline) -> None:
        await self._act("deliver", deadline)

    async def reject(self, deadline: Deadline) -> None:
        await self._act("reject", deadline)

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        self._require(have=False, act="print_by_hand")

    async def care(self) -> PrinterCare:
        self._reach()
        return PrinterCare()

    async def clean(self, deadline: Deadline) -> None:
        self._require(have=False, act="clean")

    async def print_test_card(self, deadline: Deadline) -> None:
        self._require(have=False, act="print_test_card")

    async def close(self) -> None:
        self._link, self._closed = None, True

    def _require(self, *, have: bool, act: str) -> None:
        if not have:
            raise DeviceRefused("option_missing", f"profile {self._lane.profile.name} has no act '{act}'")

    def _reach(self) -> None:
        if self._link is None:
            raise DeviceAbsent("printer_lost", "the printer has to be opened first" if not self._closed else "closed")
        if self._link != self._lane.link or not self._lane.reachable:
            self._link = None
            raise DeviceAbsent("printer_lost", "gone")

    async def _quiet(self) -> None:
        """The printer answers when it has come to rest."""
        limit = Deadline.after(BUSY_S)
        while self._lane.motion is not None:
            if limit.passed:
                raise DeviceUnknown("printer_late", "the printer does not answer")
            await asyncio.sleep(BUSY_S / 10)

    async def _act(self, name: str, deadline: Deadline, panels: Sequence[Panel] = ()) -> None:
        self._reach()
        if deadline.passed:
            raise DeviceAbsent("printer_late", "the deadline was over before anything was sent")
        await self._lane.start(name, panels)
