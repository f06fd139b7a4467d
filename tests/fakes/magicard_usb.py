"""A Magicard on a real USB/IP wire that answers from a script, for every oddity a line can have; its raster is four columns."""

from __future__ import annotations

import re
import tomllib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.clock import Deadline
from controller.hal.magicard.driver import MagicardPrinter
from controller.hal.profiles.printer import MagicardProfile, parse_profile
from controller.model import Panel
from hwsim.wires.usbip import PrinterDescriptors, Setup, Stall, UsbIpServer, printer_descriptors
from tests.fakes.scripted_usb import ScriptedDevice, served, soon

PROFILES = Path(__file__).resolve().parents[2] / "firmware_profiles" / "printers"
SERIAL, VENDOR, PRODUCT = "SIM-M-0001", 0x0C1F, 0x4800
COLUMNS = 4
OVERCOAT = f"OVRON,PCT0,0,{COLUMNS - 1},641".encode()
FIELDS = (
    "0", "Enduro", "0", SERIAL, "HEAD-1", "PCB-1", "1.06", "1", "1", "1000", "1000", "4000", "3", "40", "12", "700", "50",
    "-2", "5", "0", "0", "E0040100", "300", "113", "YMCKO", "86", "86", "86", "0", "LC1", "01012026", "1", "1", "0", "0",
)  # fmt: skip
IDLE, NOT_FED = "Printerstatus OK.\n00:00\n(c0300)", "The card was not fed.\nError code - 11:01\n(c0201)"
JAM = "The card is jammed.\nError code - 42:07\n(c0201)"
READY, WORKING, FAULT = 0x18, 0x08, 0x10


def profile_table(name: str = "magicard-enduro") -> dict[str, Any]:
    """The shipped profile as TOML gives it."""
    return tomllib.loads((PROFILES / f"{name}.toml").read_text(encoding="utf-8"))


def tiny_profile(**timeouts_s: float) -> MagicardProfile:
    """The shipped profile with four columns and short time-outs."""
    table = deepcopy(profile_table())
    table["raster"]["height_lines"] = COLUMNS
    for panel in table["raster"]["panels"]:
        panel["size_bytes"] = 0 if panel["name"] == "o" else COLUMNS * 96 * (panel["levels"] - 1).bit_length()
    table["timeouts_s"] = {"query": 0.3, "data": 1.0, "print": 0.5, "hand_feed": 0.5, "reset": 0.5} | timeouts_s
    profile = parse_profile(table, "tiny")
    assert isinstance(profile, MagicardProfile)
    return profile


def panels_for(profile: MagicardProfile) -> list[Panel]:
    """Panels of the right shape, each plane filled with its own letter."""
    raster = profile.raster_for(profile.ribbon)
    overcoat = f"OVRON,PCT0,0,{raster.height_lines - 1},641".encode()
    return [Panel(row.name, row.levels, row.name.encode() * row.size_bytes or overcoat) for row in raster.panels]


def errors(text: str = IDLE) -> bytes:
    """A reply to ERR, with the 00h that a real one has behind an error."""
    return b"\x01STA" + text.encode("latin-1") + (b"\x03" if text == IDLE else b"\x03\x00")


def info(fields: tuple[str, ...] | list[str] = FIELDS) -> bytes:
    """A reply to INF."""
    return b"\x01STA$$" + ",".join(fields).encode("latin-1") + b",\x03"


@dataclass
class ScriptedMagicard(ScriptedDevice):
    """Prints every job (heard as JOB) at once and says so, unless `script`, `ports` or `at` have something else for it."""

    vendor_id: int = VENDOR
    product_id: int = PRODUCT
    speed: int = 2
    device_id: str = "MFG:Magicard ;MDL:Enduro;"
    fields: list[str] = field(default_factory=lambda: list(FIELDS))
    text: str = IDLE
    port: int = READY
    ports: deque[int] = field(default_factory=deque)  # the next answers to GET_PORT_STATUS; then `port`
    jobs: list[bytes] = field(default_factory=list)
    prints: bool = True
    resets: int = 0

    def rise(self, cards: int = 1, panels: int = 4, shots: int = 1) -> None:
        """A card went through."""
        for number, more in ((9, cards), (10, cards), (11, panels), (23, shots)):
            self.fields[number] = str(int(self.fields[number]) + more)

    def fail(self, text: str, port: int = FAULT) -> None:
        """Stand still with an error."""
        self.text, self.port = text, port

    def descriptors(self) -> PrinterDescriptors:
        return printer_descriptors(self.vendor_id, self.product_id, "0", "Magicard", "Card Printer", max_packet=64)

    async def control(self, setup: Setup, data: bytes) -> bytes:
        if setup.request == 1:
            return bytes([self.ports.popleft() if self.ports else self.port])
        if setup.request == 2:
            self.resets += 1
            self.deaf = False
            self._rest.clear()
            return b""
        raw = self.device_id.encode("latin-1")
        return (len(raw) + 2).to_bytes(2, "big") + raw

    async def bulk_out(self, endpoint: int, data: bytes) -> None:
        if self.stalls:
            self.stalls -= 1
            raise Stall
        if self.deaf:
            return
        self._rest += data
        while (taken := self._next()) is not None:
            self._obey(*taken)

    def _next(self) -> tuple[str, bytes] | None:
        """The next whole request (its word) or job."""
        stream = bytes(self._rest)
        request = re.match(rb"\x05*\x01,REQ,([A-Z0-9,]+),\x1c\x03", stream)
        if request is not None:
            del self._rest[: request.end()]
            return request[1].decode("ascii"), request[0]
        head = re.match(rb"\x05*\x01,NOC[ -~]*\x1c", stream)
        if head is None:
            return None
        size = head.end() + 1 + sum(int(number) + 3 for number in re.findall(rb"SZ[BGRK](\d+)", head[0]))
        if len(stream) < size:
            return None
        del self._rest[:size]
        return "JOB", stream[:size]

    def _obey(self, name: str, raw: bytes) -> None:
        self.heard.append(name)
        if name in self.at:
            self.at.pop(name)()
        elif name == "JOB" and self.prints:
            self.rise()
        elif name == "CAN":
            self.text, self.port = IDLE, READY
        elif name == "CLN":
            self.fields[12] = str(int(self.fields[12]) + 1)
        elif name == "TST":
            self.rise()
        if name == "JOB":
            self.jobs.append(raw)
        self._reply(name, self._answer(name))

    def _answer(self, name: str) -> list[bytes]:
        return {"ERR": [errors(self.text)], "INF": [info(self.fields)]}.get(name, [])


@dataclass
class Wired:
    """A scripted printer and the station's driver at the two ends of one wire."""

    device: ScriptedMagicard
    driver: MagicardPrinter
    profile: MagicardProfile
    server: UsbIpServer

    async def print(self, deadline: Deadline | None = None) -> None:
        """One card."""
        await self.driver.print_by_hand(panels_for(self.profile), deadline or soon())


@asynccontextmanager
async def wired(profile: MagicardProfile | None = None, serial: str = SERIAL) -> AsyncIterator[Wired]:
    """Plug a scripted printer into a USB/IP server of its own and point a driver at it."""
    profile, device = profile or tiny_profile(), ScriptedMagicard()
    async with served(device) as server:
        driver = MagicardPrinter.at(profile, f"usbip://127.0.0.1:{server.port}", serial)
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
