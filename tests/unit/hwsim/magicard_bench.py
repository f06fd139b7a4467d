"""A simulated Magicard on the bench: no wires, and no waiting unless a test wants some."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hwsim.clock import Clock
from hwsim.devices.magicard import MagicardPrinter
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.parts import Capacities
from hwsim.exchanges import Exchanges
from hwsim.printers import Beside, make_printer
from hwsim.profiles import MagicardProfile, load_chip, load_printer
from hwsim.timing import LaneMeter
from hwsim.wires.usbip import Setup
from hwsim.world import Place, Spot, Station, World
from tests.unit.hwsim.printer_bench import LANE, STATUS, Notebook, settle

CHIP = load_chip("ektp")
RESET = Setup(0x21, 2, 0, 0, 0)
DEVICE_ID = Setup(0xA1, 0, 0, 0, 255)
_LETTERS = {"y": b"B", "m": b"G", "c": b"R", "k": b"K"}


def profile(model: str) -> MagicardProfile:
    """A shipped profile."""
    loaded = load_printer(model)
    assert isinstance(loaded, MagicardProfile)
    return loaded


def page(keys: str = "", **planes: bytes) -> bytes:
    """One page of a job: NOC1, the sizes of these planes, the keys, and the planes."""
    sizes = "".join(f",SZ{_LETTERS[name].decode()}{len(plane)}" for name, plane in planes.items())
    body = b"".join(plane + b"\x1c" + _LETTERS[name] + b":" for name, plane in planes.items())
    return b"\x01,NOC1" + (f",{keys}" if keys else "").encode() + sizes.encode() + b"\x1c" + body + b"\x03"


def request(text: str) -> bytes:
    """The short form."""
    return b"\x01,REQ," + text.encode() + b",\x1c\x03"


class MagicardBench:
    """The printer, its world, and a host."""

    def __init__(
        self, blanks: int, model: str = "magicard-enduro", *, speed: float | None = None, patience_s: float = 0.0
    ) -> None:
        self.world, self.notes, self.meter, self.exchanges = World(seed=1), Notebook(), LaneMeter(), Exchanges()
        clock, known = Clock(None), profile(model)
        self.mechanics = Mechanics(LANE, self.world, clock, known, Capacities(100, 100), self.notes, self.meter)
        printer = make_printer(known, "SIM-M-0001", self.mechanics, Beside(clock, self.meter, self.exchanges, patience_s))
        assert isinstance(printer, MagicardPrinter)
        self.printer, self.machine = printer, printer.machine
        for blank in self.world.make(blanks, CHIP):
            self.world.move(blank, Place(Spot.HOPPER, LANE))

    @asynccontextmanager
    async def on(self) -> AsyncIterator[MagicardBench]:
        """Switched on, and off at the end."""
        life = asyncio.create_task(self.printer.run())
        await asyncio.sleep(0)
        yield self
        life.cancel()
        await asyncio.wait([life])

    async def send(self, data: bytes, size: int = 8192) -> None:
        """Bulk OUT transfers of this size."""
        for at in range(0, len(data), size):
            async with asyncio.timeout(2):
                await self.printer.bulk_out(1, data[at : at + size])

    async def ask(self, data: bytes) -> bytes:
        """Send it and read one reply."""
        await self.send(data)
        async with asyncio.timeout(2):
            return await self.printer.bulk_in(2, 1024)

    async def info(self) -> list[str]:
        """The fields of REQ,INF."""
        reply = await self.ask(request("INF"))
        assert (reply[:6], reply[-2:]) == (b"\x01STA$$", b",\x03")
        return reply[6:-2].decode().split(",")

    async def free(self) -> None:
        """Wait until no job is under way."""
        async with asyncio.timeout(2):
            await self.machine.free.wait()

    async def stopped(self) -> None:
        """Wait for a fault."""
        while self.machine.fault is None:
            await asyncio.sleep(0)

    def put(self, blank: str) -> None:
        """A person puts a card into the slot."""
        self.world.move(blank, Place(Spot.INSIDE, LANE, Station.SLOT))
        self.mechanics.touched()

    def status(self) -> int:
        """GET_PORT_STATUS, as the printer would answer it."""
        return self.printer.port_status

    def count(self, spot: Spot) -> int:
        """Blanks at one place of the lane."""
        return self.world.count(spot, LANE)

    def printed(self, blank: str = "blank-00001") -> list[str]:
        """Side and panel of everything printed on a blank, in order."""
        return [f"{one.side[0]}{one.panel}" for one in self.world.blank(blank).printed]


__all__ = ["DEVICE_ID", "RESET", "STATUS", "MagicardBench", "page", "profile", "request", "settle"]
