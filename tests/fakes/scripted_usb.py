"""What the scripted printers of both families share: a USB/IP server of their own, and answers that a test thinks of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.clock import Deadline
from hwsim.wires.usbip import PrinterDescriptors, UsbDevice, UsbIpServer

BUSID = "1-1"


def soon() -> Deadline:
    """Far more time than any act of a scripted printer takes."""
    return Deadline.after(5)


@asynccontextmanager
async def served(device: UsbDevice) -> AsyncIterator[UsbIpServer]:
    """The device is plugged into a server of its own."""
    server = UsbIpServer("127.0.0.1", 0)
    server.plug(BUSID, device)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@dataclass(kw_only=True)
class ScriptedDevice:
    """Takes bytes apart in its own language (the subclass) and answers with what `script` has for the next time, or as usual."""

    script: dict[str, deque[list[bytes]]] = field(default_factory=dict)
    at: dict[str, Callable[[], None]] = field(default_factory=dict)  # called when the command comes
    heard: list[str] = field(default_factory=list)  # commands by their names, in order
    stalls: int = 0
    deaf: bool = False
    _packets: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    _rest: bytearray = field(default_factory=bytearray)

    def say(self, command: str, *packets: bytes) -> None:
        """The packets that answer the command the next time; none at all is silence."""
        self.script.setdefault(command, deque()).append(list(packets))

    def emit(self, packet: bytes) -> None:
        """Say something nobody asked for."""
        self._packets.put_nowait(packet)

    def emit_later(self, seconds: float, packet: bytes) -> None:
        """The same after a while."""
        asyncio.get_running_loop().call_later(seconds, self.emit, packet)

    @asynccontextmanager
    async def talking(self, packet: bytes) -> AsyncIterator[None]:
        """Say it again and again for as long as the block lasts."""

        async def talk() -> None:
            while True:
                self.emit(packet)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(talk())
        try:
            yield
        finally:
            task.cancel()

    def descriptors(self) -> PrinterDescriptors:
        """Who it says it is on the bus."""
        raise NotImplementedError

    def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
        return self.descriptors().get(kind, index, language)

    async def bulk_in(self, endpoint: int, length: int) -> bytes:
        return await self._packets.get()

    def configured(self) -> None:
        pass

    def detached(self) -> None:
        self._rest.clear()

    def _reply(self, command: str, usual: Iterable[bytes]) -> None:
        scripted = self.script.get(command)
        for packet in scripted.popleft() if scripted else usual:
            self._packets.put_nowait(packet)
