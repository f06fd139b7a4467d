"""A simulated printer on the bench: no wires, no waiting, and what its cards touched is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hwsim.clock import Clock
from hwsim.devices.evolis import EvolisPrinter
from hwsim.devices.evolis_machine import Identity, Machine
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.parts import Capacities
from hwsim.exchanges import Exchanges
from hwsim.profiles import EvolisProfile, load_chip, load_printer
from hwsim.timing import LaneMeter
from hwsim.wires.usbip import Setup
from hwsim.world import Place, Spot, World

LANE = "1"
_LOADED = load_printer("evolis-primacy")
assert isinstance(_LOADED, EvolisProfile)
PROFILE: EvolisProfile = _LOADED
CHIP = load_chip("ektp")
DOTS = {"y": bytes(576_072), "m": b"\x55" * 576_072, "c": bytes(576_072), "k": b"\xaa" * 82_296, "o": b"\xff" * 82_296}
STATUS = Setup(0xA1, 1, 0, 0, 1)


class Notebook:
    """What a card touches, as one word each."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.beam_s = 0.0  # how long a card takes through a beam

    async def pass_beam(self, beam: str, _seconds: float) -> None:
        self.lines.append(beam)
        if self.beam_s:
            await asyncio.sleep(self.beam_s)

    def chip_arrives(self, blank: str) -> None:
        self.lines.append(f"{blank} in field")

    def chip_leaves(self) -> None:
        self.lines.append("field empty")

    def card_left(self, blank: str) -> None:
        self.lines.append(f"{blank} left")


async def settle() -> None:
    """Let everything that is due at once on the loop happen."""
    for _ in range(200):
        await asyncio.sleep(0)


class Bench:
    """The printer, its world, and a host that asks one thing at a time."""

    def __init__(self, blanks: int, profile: EvolisProfile = PROFILE, bins: int = 100, speed: float | None = None) -> None:
        self.world, self.notes, self.meter, self.exchanges = World(seed=1), Notebook(), LaneMeter(), Exchanges()
        clock = Clock(speed)
        self.mechanics = Mechanics(LANE, self.world, clock, profile, Capacities(bins, bins), self.notes, self.meter)
        self.machine = Machine(Identity("Evolis Primacy", "S1"), profile, self.mechanics)
        self.printer = EvolisPrinter(self.machine, clock, self.meter, self.exchanges)
        for blank in self.world.make(blanks, CHIP):
            self.world.move(blank, Place(Spot.HOPPER, LANE))

    @asynccontextmanager
    async def on(self) -> AsyncIterator[Bench]:
        """Switched on, and off at the end."""
        life = asyncio.create_task(self.printer.run())
        await asyncio.sleep(0)
        yield self
        life.cancel()
        await asyncio.wait([life])

    async def ask(self, *commands: str) -> list[str]:
        """The reply to each command."""
        return [await self.ask_raw(f"\x1b{command}\r".encode()) for command in commands]

    async def ask_raw(self, data: bytes) -> str:
        """Send bytes and wait for one reply."""
        await self.printer.bulk_out(1, data)
        return await self.reply()

    async def reply(self) -> str:
        """The next reply, without its NUL."""
        data = b""
        while not data.endswith(b"\0"):
            async with asyncio.timeout(2):
                data += await self.printer.bulk_in(2, 64)
        return data[:-1].decode("latin-1")

    async def download(self, panels: str = "ymcko") -> list[str]:
        """Send panels as the controller does."""
        return [await self.ask_raw(f"\x1bDb;{p};{2 if p in 'ko' else 128};".encode() + DOTS[p] + b"\r") for p in panels]

    async def print_card(self) -> list[str]:
        """One card from the hopper to the output bin, held in between."""
        replies = await self.ask("Pem;2", "Sic", "Pneab;E", "Ss", "Sr")
        replies += await self.download()
        return replies + await self.ask("Se", "Sic", "Pneab;A;0", "Se")

    async def status(self) -> int:
        """GET_PORT_STATUS."""
        return (await self.printer.control(STATUS, b""))[0]

    def count(self, spot: Spot) -> int:
        """Blanks at one place of the lane."""
        return self.world.count(spot, LANE)

    def printed(self, blank: str = "blank-00001") -> list[str]:
        """Side and panel of everything printed on a blank, in order."""
        return [f"{one.side[0]}{one.panel}" for one in self.world.blank(blank).printed]
