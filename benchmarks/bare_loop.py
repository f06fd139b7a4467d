"""An asyncio loop with nothing to do but echo: `python -m benchmarks.bare_loop SOCKET`. What it is late, the machine is."""

from __future__ import annotations

import asyncio
import sys

LINE = b"ping\n"


async def serve(path: str) -> None:
    """Echo lines until cancelled or killed."""
    server = await asyncio.start_unix_server(_echo, path)
    async with server:
        await server.serve_forever()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
