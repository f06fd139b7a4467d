"""What stands at the other end of a serial link: a pty pair or a TCP socket, and a reader that waits for bytes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tty
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from tests.fakes.pin_rig import Watch


class SerialRig(Protocol):
    """A port that can be pulled out and put back."""

    @property
    def port(self) -> str: ...

    async def until_received(self, wanted: bytes) -> None:
        """Wait until `wanted` is among what came since the port was put in."""

    @property
    def received(self) -> bytes: ...

    async def pull(self) -> None: ...

    async def put_back(self) -> None: ...


class PtyRig:
    """A pty pair behind a stable symlink, as hw-sim makes it."""

    def __init__(self, folder: Path) -> None:
        self._link = folder / "display"
        self._master = -1
        self._slave = -1
        self._bytes = bytearray()
        self._watch = Watch()

    @property
    def port(self) -> str:
        return str(self._link)

    @property
    def received(self) -> bytes:
        return bytes(self._bytes)

    async def until_received(self, wanted: bytes) -> None:
        await self._watch.until(lambda: wanted in self._bytes)

    async def put_back(self) -> None:
        self._bytes.clear()
        self._master, self._slave = os.openpty()  # the slave stays open, or a closed port would hang the master up
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._link.symlink_to(os.ttyname(self._slave))
        self.listen()

    async def pull(self) -> None:
        if self._master >= 0:
            self.deafen()
            os.close(self._master)
            os.close(self._slave)
            self._master = -1
            self._link.unlink()

    def listen(self) -> None:
        """Read what comes."""
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def deafen(self) -> None:
        """Read no more: the pty fills up."""
        asyncio.get_running_loop().remove_reader(self._master)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bytes += os.read(self._master, 4096)
        self._watch.changed()


class SocketRig:
    """A TCP server, as a serial device server is one."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._watch = Watch()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._number = 0

    @property
    def port(self) -> str:
        return f"socket://127.0.0.1:{self._number}"

    @property
    def received(self) -> bytes:
        return bytes(self._bytes)

    async def until_received(self, wanted: bytes) -> None:
        await self._watch.until(lambda: wanted in self._bytes)

    async def put_back(self) -> None:
        self._bytes.clear()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._number, family=socket.AF_INET)
        self._number = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                self._bytes += data
                self._watch.changed()
        self._writers.discard(writer)
        writer.close()


@contextlib.asynccontextmanager
async def pty_rig(folder: Path) -> AsyncIterator[PtyRig]:
    """A pty that is there, removed at the end."""
    rig = PtyRig(folder)
    await rig.put_back()
    try:
        yield rig
    finally:
        await rig.pull()


@contextlib.asynccontextmanager
async def socket_rig() -> AsyncIterator[SocketRig]:
    """A server that is there, closed at the end."""
    rig = SocketRig()
    await rig.put_back()
    try:
        yield rig
    finally:
        await rig.pull()


def rig_of(kind: str, folder: Path) -> contextlib.AbstractAsyncContextManager[SerialRig]:
    """The rig called "pty" or "socket"."""
    return pty_rig(folder) if kind == "pty" else socket_rig()
