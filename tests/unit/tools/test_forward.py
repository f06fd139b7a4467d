"""tools/forward.py: TCP on 127.0.0.1 to a Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from tools.forward import forwarder


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only when the question has ended, as a half-closed connection allows."""
    writer.write((await reader.read()).upper())
    writer.close()


async def ask(url: str, question: bytes) -> bytes:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(question)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_bytes_go_through_in_both_directions(tmp_path: Path) -> None:
    question = b"kartu " * 100_000
    async with await asyncio.start_unix_server(shout, tmp_path / "s"), forwarder(tmp_path / "s") as url:
        assert await ask(url, question) == question.upper()


async def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    async with forwarder(tmp_path / "s") as url:
        assert urlsplit(url).hostname == "127.0.0.1"


async def test_a_connection_before_the_daemon_listens_is_closed_at_once(tmp_path: Path) -> None:
    async with forwarder(tmp_path / "s") as url:
        assert await ask(url, b"") == b""
        async with await asyncio.start_unix_server(shout, tmp_path / "s"):
            assert await ask(url, b"later") == b"LATER"


async def test_the_port_closes_with_the_block(tmp_path: Path) -> None:
    async with forwarder(tmp_path / "s") as url:
        pass
    address = urlsplit(url)
    try:
        await asyncio.open_connection(address.hostname, address.port)
    except ConnectionRefusedError:
        return
    raise AssertionError(f"{url} still listens")
