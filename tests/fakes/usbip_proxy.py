"""A USB/IP server that talks straight from bytes, and wires in between: one lets only the beginning of a write through, on the
other another host takes each device before it can be had."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

HEAD_BYTES = 48
_IMPORT = b"\x80\x03"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[int]:
    """Serve every connection with `handler` until the end; the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def shortening(port: int, limit_bytes: int) -> Handler:
    """A wire to the server at `port` on which no write carries more than `limit_bytes`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        back = asyncio.create_task(_copy(far_reader, writer))
        try:
            await _forward(reader, far_writer, limit_bytes)
            await back
        finally:
            back.cancel()
            far_writer.close()

    return handle


def snatching(port: int, busid: str) -> Handler:
    """A wire to the server at `port`: the device is taken by another host as soon as it was listed."""
    taken = False

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        request = await reader.readexactly(8)
        if request[2:4] == _IMPORT:
            request += await reader.readexactly(32)
        async with _asking(port, request) as far_reader:
            answer = await far_reader.read()
        if taken:
            writer.write(answer)
            return
        taken = True
        async with _asking(port, b"\x01\x11" + _IMPORT + bytes(4) + busid.encode().ljust(32, b"\0")) as held:
            await held.readexactly(8)
            writer.write(answer)
            writer.write_eof()
            await asyncio.Event().wait()  # the device is kept until the end

    return handle


@asynccontextmanager
async def _asking(port: int, request: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        yield reader
    finally:
        writer.close()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_bytes: int) -> None:
    operation = await reader.readexactly(8)
    writer.write(operation)
    if operation[2:4] != _IMPORT:
        return
    writer.write(await reader.readexactly(32))
    while True:
        head = bytearray(await reader.readexactly(HEAD_BYTES))
        command, _, _, inward, endpoint, _, length = struct.unpack_from(">7I", head)
        if command == 1 and not inward:
            data = await reader.readexactly(length)
            if endpoint:
                data = data[:limit_bytes]
            struct.pack_into(">I", head, 24, len(data))
            writer.write(bytes(head) + data)
        else:
            writer.write(bytes(head))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
