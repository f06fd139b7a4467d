"""A whole simulated station on free ports, with a card reader that plays vpcd's part and a host that drives the printer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hwsim.clock import Clock
from hwsim.config import Address, DeskConfig, SamConfig, SimConfig, load_config
from hwsim.control import ControlServer
from hwsim.lane import Lane
from hwsim.profiles import PROFILES
from hwsim.station import SimStation

PLAIN = "plain"


class Reader:
    """The driver's side of a vpcd port: takes the card's connection and asks it."""

    def __init__(self) -> None:
        self._cards: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()

    async def ask(self, *apdus: str) -> list[str]:
        """Take the next card and send it APDUs in hex; "" for a card that died."""
        async with asyncio.timeout(2):
            reader, writer = await self._cards.get()
            return [await _exchange(reader, writer, bytes.fromhex(apdu)) for apdu in apdus]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        await self._cards.put((reader, writer))


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, apdu: bytes) -> str:
    writer.write(len(apdu).to_bytes(2, "big") + apdu)
    try:
        length = int.from_bytes(await reader.readexactly(2), "big")
        return (await reader.readexactly(length)).hex().upper()
    except asyncio.IncompleteReadError:
        return ""


@dataclass(slots=True)
class Rig:
    """The running station and what talks to it."""

    station: SimStation
    reader: Reader
    desk_reader: Reader
    sam_reader: Reader
    told: list[str]

    @property
    def lane(self) -> Lane:
        """The only lane."""
        return self.station.lane(None)

    async def ask(self, *commands: str) -> list[str]:
        """The printer's reply to each command."""
        return [await self.ask_raw(command.encode() + b"\r") for command in commands]

    async def request(self, text: str, end: bytes = b"\x03") -> bytes:
        """A Magicard's reply to a request."""
        await self.lane.printer.bulk_out(1, b"\x01," + text.encode() + b",\x1c\x03")
        reply = b""
        async with asyncio.timeout(2):
            while end not in reply:
                reply += await self.lane.printer.bulk_in(2, 1024)
        return reply

    async def ask_raw(self, data: bytes) -> str:
        """Send bytes and read one reply."""
        reply = b""
        async with asyncio.timeout(2):
            await self.lane.printer.bulk_out(1, data)
            while not reply.endswith(b"\0"):
                reply += await self.lane.printer.bulk_in(2, 64)
        return reply[:-1].decode()


def config_for(tmp_path: Path, reader_port: int = 1, desk_port: int = 2) -> SimConfig:
    """The example's wiring on free ports and below `tmp_path`."""
    config, free = load_config(Path("examples/hw-sim.toml")), Address("127.0.0.1", 0)
    lane = replace(config.lanes[0], vpcd=Address("127.0.0.1", reader_port), gpio=free, sam=None)
    desk = DeskConfig(Address("127.0.0.1", desk_port), "ektp")
    return replace(config, usbip=free, control=tmp_path / "sim.sock", display=tmp_path / "display", lanes=(lane,), desk=desk)


@contextmanager
def profiles_with_plain_chip() -> Iterator[Path]:
    """The shipped profiles and `plain`: the e-KTP chip without secure messaging, to be written with single commands."""
    with TemporaryDirectory() as name:
        folder = Path(name) / "profiles"
        shutil.copytree(PROFILES, folder)
        plain = f'extends = "ektp"\nname = "{PLAIN}"\nchannel = {{ kind = "none" }}\n'
        (folder / "chips" / f"{PLAIN}.toml").write_text(plain, encoding="utf-8")
        yield folder


@asynccontextmanager
async def running(
    tmp_path: Path,
    blanks: int = 0,
    pictures: Path | None = None,
    card_at_power_on: str | None = None,
    printer: str = "evolis-primacy",
    chip: str = PLAIN,
    **lane: Any,
) -> AsyncIterator[Rig]:
    """Start everything, load blanks, stop everything."""
    with (
        closing(Reader()) as reader,
        closing(Reader()) as desk_reader,
        closing(Reader()) as sam_reader,
        profiles_with_plain_chip() as profiles,
    ):
        config, told = config_for(tmp_path, await reader.start(), await desk_reader.start()), list[str]()
        lane = {"sam": SamConfig(Address("127.0.0.1", await sam_reader.start())), "chip_profile": chip, **lane}
        changed = replace(config.lanes[0], card_at_power_on=card_at_power_on, printer_profile=printer, **lane)
        assert config.desk is not None
        config = replace(config, lanes=(changed,), desk=replace(config.desk, chip_profile=chip))
        station = SimStation(config, Clock(None), pictures, told.append, profiles)
        control = ControlServer(config.control, station)
        await control.start()
        life = asyncio.create_task(station.run(lambda: None))
        await asyncio.wait([life, opened := asyncio.create_task(station.open.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert opened.done(), life
        if blanks:
            station.lane(None).load(blanks, frozenset())
        try:
            yield Rig(station, reader, desk_reader, sam_reader, told)
        finally:
            station.stopping.set()
            await life
            await control.close()
