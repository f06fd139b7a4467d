"""A tiny USB/IP host and a printer to talk to, for tests: the protocol is written out again here, from the kernel's document."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hwsim.wires.usbip import Setup, Stall, printer_descriptors
from tests.fakes.scripted_usb import BUSID

PATIENCE_S = 5.0
OUT, IN = 0, 1
OP_LIST, OP_IMPORT = 0x8005, 0x8003
GET_DESCRIPTOR = bytes.fromhex("8006")
BEYOND = 0x02  # an OUT endpoint number that the printer's configuration does not have


@dataclass
class Printer:
    """Keeps what was printed, answers what was queued, and says NAK while `open` is not set."""

    speed: int = 3
    vendor_id: int = 0x1209
    product_id: int = 0x0401
    printed: list[bytes] = field(default_factory=list)
    replies: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def alone(self, endpoint: str) -> Iterator[None]:
        """The wire promises one transfer at a time on each endpoint."""
        assert endpoint not in self.busy, f"two transfers at once on {endpoint}"
        self.busy.add(endpoint)
        try:
            yield
        finally:
            self.busy.discard(endpoint)

    def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
        made = printer_descriptors(self.vendor_id, self.product_id, "SIM0001", "hw-sim", "Card printer")
        return made.get(kind, index, language)

    async def control(self, setup: Setup, data: bytes) -> bytes:
        self.calls.append(f"control {setup.request} {data.hex()}")
        if setup.request == 99:
            raise Stall
        return b"\x00\x09MFG:Sim;"

    async def bulk_out(self, endpoint: int, data: bytes) -> None:
        with self.alone("out"):
            await self.open.wait()
        if data == b"STALL":
            raise Stall
        if data == b"BUG":
            raise ValueError("a bug in the printer")
        self.printed.append(data)

    async def bulk_in(self, endpoint: int, length: int) -> bytes:
        with self.alone("in"):
            reply = await self.replies.get()
        if reply == b"STALL":
            raise Stall
        return reply

    def configured(self) -> None:
        self.calls.append("configured")

    def detached(self) -> None:
        self.calls.append("detached")


@dataclass(frozen=True)
class Reply:
    """RET_SUBMIT (command 3) or RET_UNLINK (command 4)."""

    command: int
    seqnum: int
    status: int
    data: bytes
    actual: int


class Host:
    """One connection. Replies are awaited one by one, in the order they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.devid = 0
        self._seqnum = 0
        self._inward: dict[int, bool] = {}

    @classmethod
    async def connect(cls, port: int) -> Host:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def importing(cls, port: int) -> Host:
        """A host that has the device."""
        host = await cls.connect(port)
        async with asyncio.timeout(PATIENCE_S):
            while await host.attach() != 0:  # the one before is just being let go
                host = await cls.connect(port)
        return host

    async def list_devices(self) -> bytes:
        """The whole reply; the server closes the connection after it."""
        self.writer.write(struct.pack(">HHI", 0x0111, OP_LIST, 0))
        return await self.reader.read(-1)

    async def attach(self, busid: str = BUSID) -> int:
        """Import; the status, and the devid kept for what follows."""
        self.writer.write(struct.pack(">HHI32s", 0x0111, OP_IMPORT, 0, busid.encode()))
        _version, _code, status = struct.unpack(">HHI", await self.reader.readexactly(8))
        if status == 0:
            device = await self.reader.readexactly(312)
            busnum, devnum = struct.unpack_from(">II", device, 288)
            self.devid = busnum << 16 | devnum
        return int(status)

    def submit(self, endpoint: int, direction: int, data: bytes = b"", length: int = 0, setup: bytes = bytes(8)) -> int:
        """Send an URB; its sequence number."""
        self._seqnum += 1
        size = len(data) if direction == OUT else length
        head = (1, self._seqnum, self.devid, direction, endpoint, 0, size, 0, 0xFFFFFFFF, 0, setup)
        self.writer.write(struct.pack(">10I8s", *head) + data)
        self._inward[self._seqnum] = direction == IN
        return self._seqnum

    def unlink(self, target: int) -> int:
        """Send an UNLINK; its sequence number."""
        self._seqnum += 1
        self.writer.write(struct.pack(">6I24x", 2, self._seqnum, self.devid, 0, 0, target))
        return self._seqnum

    async def reply(self) -> Reply:
        """The next reply, whichever URB it is for."""
        async with asyncio.timeout(PATIENCE_S):
            command, seqnum, _, _, _, status, actual = struct.unpack(">5IiI20x", await self.reader.readexactly(48))
            inward = command == 3 and self._inward.pop(seqnum)
            data = await self.reader.readexactly(actual) if inward else b""
        return Reply(command, seqnum, status, data, actual)

    async def control(self, request_type: int, request: int, value: int = 0, index: int = 0, length: int = 64) -> Reply:
        """A control transfer and its reply."""
        direction = IN if request_type & 0x80 else OUT
        size = length if direction == IN else 0
        self.submit(0, direction, b"", size, struct.pack("<BBHHH", request_type, request, value, index, size))
        return await self.reply()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):  # the server may have reset it
            await self.writer.wait_closed()
