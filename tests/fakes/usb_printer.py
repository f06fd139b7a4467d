"""A printer on a real USB/IP wire that answers from a script, for every oddity a line can have; its raster is tiny."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.hal.evolis.driver import EvolisPrinter
from controller.hal.profiles.printer import EvolisProfile, PrinterProfile, find_profile, parse_profile
from controller.model import Panel
from hwsim.wires.usbip import PrinterDescriptors, Setup, Stall, UsbIpServer, printer_descriptors
from tests.fakes.scripted_usb import ScriptedDevice, served

PROFILES = Path(__file__).resolve().parents[2] / "firmware_profiles" / "printers"
SERIAL, VENDOR = "SIM-E-0001", 0x0F49
WIDTH, HEIGHT = 16, 8

ANSWERS = {
    "Rsn": SERIAL, "Rtp": "Evolis Primacy", "Rfv": "1.2", "Rlr;p": "OK", "Rco;p": "5000", "Rco;c": "1000", "Rrt;count": "187",
}  # fmt: skip


def evolis_profile(name: str = "evolis-primacy", folder: Path = PROFILES) -> EvolisProfile:
    """A profile of the Evolis family."""
    profile = find_profile(folder, name)
    assert isinstance(profile, EvolisProfile)
    return profile


def profile_table(name: str = "evolis-primacy") -> dict[str, Any]:
    """A shipped profile as TOML gives it."""
    return tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))


def tiny_profile(**timeouts_s: float) -> EvolisProfile:
    """The shipped profile with 16 x 8 dots and short time-outs."""
    table = deepcopy(profile_table())
    table["raster"] |= {"width_dots": WIDTH, "height_lines": HEIGHT}
    for panel in table["raster"]["panels"]:
        panel["size_bytes"] = WIDTH * HEIGHT * (panel["levels"] - 1).bit_length() // 8
    table["timeouts_s"] = {"query": 0.3, "motion": 0.5, "panel": 0.5, "print": 0.5, "reset": 2.0} | timeouts_s
    profile = parse_profile(table, "tiny")
    assert isinstance(profile, EvolisProfile)
    return profile


def panels_for(profile: PrinterProfile, *sides: str) -> list[Panel]:
    """Panels of the right shape for the profile's ribbon, each filled with its own letter; of the front only by default."""
    rows = profile.raster_for(profile.ribbon, sides or ("front",)).panels
    return [Panel(row.name, row.levels, row.name.encode("ascii") * row.size_bytes, side=row.side) for row in rows]


@dataclass
class ScriptedPrinter(ScriptedDevice):
    """Hears whole commands, panels by their header; says OK to everything but the queries, unless `script` has something else."""

    serial: str = SERIAL
    vendor_id: int = VENDOR
    product_id: int = 0x0AFF
    speed: int = 3
    says: dict[str, str] = field(default_factory=lambda: dict(ANSWERS))
    raw: bytearray = field(default_factory=bytearray)
    port: int = 0x18  # GET_PORT_STATUS
    mute_control: bool = False  # stalls at GET_DEVICE_ID
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def descriptors(self) -> PrinterDescriptors:
        return printer_descriptors(
            self.vendor_id, self.product_id, self.serial, "Evolis", "Evolis Primacy", out_ep=0x03, in_ep=0x85
        )

    async def control(self, setup: Setup, data: bytes) -> bytes:
        if setup.request == 1:
            return bytes([self.port])
        if self.mute_control:
            raise Stall
        return b"\0\x1aMFG:Evolis;MDL:Primacy;"

    async def bulk_out(self, endpoint: int, data: bytes) -> None:
        if self.deaf:
            await self.open.wait()
        if self.stalls:
            self.stalls -= 1
            raise Stall
        self.raw += data
        self._rest += data
        while (command := self._next_command()) is not None:
            self._obey(command)

    def _next_command(self) -> str | None:
        """Commands end at CR, panels by the count of their bytes."""
        text = bytes(self._rest).lstrip(b"\0")
        parts = text.split(b";", 3)
        if text.startswith(b"\x1bDb;") and len(parts) == 4:
            size = WIDTH * HEIGHT * (int(parts[2]) - 1).bit_length() // 8
            whole = len(text) - len(parts[3]) + size + 1
            label = b";".join(parts[:3])[1:]
        else:
            whole = text.find(b"\r") + 1
            label = text[1 : whole - 1]
        if not 0 < whole <= len(text) or (text.startswith(b"\x1bDb;") and len(parts) < 4):
            return None
        self._rest[:] = text[whole:]
        return label.decode("ascii")

    def _obey(self, command: str) -> None:
        self.heard.append(command)
        if command in self.at:
            self.at.pop(command)()
        self._reply(command, [self.says.get(command, "OK").encode("ascii") + b"\0"])


@dataclass
class Wired:
    """A scripted printer and the station's driver at the two ends of one wire."""

    device: ScriptedPrinter
    driver: EvolisPrinter
    profile: EvolisProfile
    server: UsbIpServer

    @property
    def address(self) -> str:
        return f"usbip://127.0.0.1:{self.server.port}"


@asynccontextmanager
async def wired(profile: EvolisProfile | None = None) -> AsyncIterator[Wired]:
    """Plug a scripted printer into a USB/IP server of its own and point a driver at it."""
    profile, device = profile or tiny_profile(), ScriptedPrinter()
    async with served(device) as server:
        driver = EvolisPrinter.at(profile, f"usbip://127.0.0.1:{server.port}", SERIAL)
        try:
            yield Wired(device, driver, profile, server)
        finally:
            await driver.close()


async def opened() -> AsyncIterator[Wired]:
    """For `pytest.fixture`: wired and open; nothing heard yet."""
    async with wired() as wire:
        await wire.driver.open()
        wire.device.heard.clear()
        yield wire
