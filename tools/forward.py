"""Lets a browser of this machine reach a Unix socket: a TCP port on 127.0.0.1 whose connections are passed on, bytes untouched.

The daemon of a sandbox listens in a private network; its Unix socket in the build folder is the way out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK_BYTES = 64 * 1024
MAX_CONNECTIONS = 64  # a browser opens about six; each costs two sockets here


@asynccontextmanager
async def forwarder(socket: Path) -> AsyncIterator[str]:
    """Serve while the block runs; yields the address, ``http://127.0.0.1:PORT/``.

    ``socket`` need not exist yet: a connection made before the daemon listens is closed at once.
    """
    slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            await _join(socket, reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def _join(socket: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    inner_writer.close()
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction until its end; then tells the other side so, which may still answer."""
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()
