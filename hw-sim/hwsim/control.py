"""The control socket: one JSON object a line in each direction over a Unix socket that only its owner may use.

Request {"command": NAME, ...}; reply {"ok": true, ...} or {"ok": false, "error": one sentence}.
"""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from hwsim.errors import SimError
from hwsim.orders import STOP, Orders, Reply, Request
from hwsim.station import SimStation

MAX_LINE_BYTES = 65_536  # requests are short; a longer line is no request


class ControlServer:
    """Answers the commands of the hw-sim command line."""

    def __init__(self, path: Path, station: SimStation) -> None:
        self._path, self._station = path, station
        self._server: asyncio.Server | None = None
        self._orders = Orders(station)
        self._last_words: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        """Listen. Raises SimError when another hw-sim listens there or the path cannot be used."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _clear_the_way(self._path)
            self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=MAX_LINE_BYTES)
            self._path.chmod(0o600)
        except OSError as error:
            raise SimError(f"the control socket {self._path} cannot be opened: {error.strerror or error}") from error

    async def close(self) -> None:
        """Answer those who asked to stop, stop listening, and remove the socket. Twice is fine."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self._path.unlink(missing_ok=True)
        for writer in self._last_words:
            await _send(writer, {"ok": True})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                reply = await self._answer(line)
                if reply is None:
                    self._last_words.append(writer)
                    return
                await _send(writer, reply)
        except ValueError:
            await _send(writer, _refusal(f"a request is one line of at most {MAX_LINE_BYTES} bytes"))
        except ConnectionError:
            return  # whoever asked is gone
        finally:
            if writer not in self._last_words:
                writer.close()

    async def _answer(self, line: bytes) -> Reply | None:
        try:
            request = json.loads(line)
        except ValueError:
            return _refusal("a request must be one JSON object a line")
        name = request.get("command") if isinstance(request, dict) else None
        command = self._orders.commands.get(str(name))
        if command is None:
            return _refusal(f"there is no command {name!r}; there are: {', '.join(self._orders.commands)}")
        await self._station.open.wait()
        try:
            reply = await command(request)
        except SimError as error:
            return _refusal(str(error))
        return None if name == STOP else {"ok": True, **reply}


def ask(path: Path, request: Request) -> Reply:
    """Send one request to a running hw-sim and return its reply. Raises SimError for a refusal or when none runs."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as lines:
                line = lines.readline()
    except OSError as error:
        raise SimError(f"no hw-sim answers at {path}: {error.strerror or error}; start it with 'hw-sim run'") from error
    if not line:
        raise SimError(f"hw-sim at {path} ended without an answer")
    reply: Reply = json.loads(line)
    if not reply["ok"]:
        raise SimError(reply["error"])
    return reply


def _clear_the_way(path: Path) -> None:
    """Remove the socket that a killed hw-sim left behind; refuse when somebody answers there."""
    if not path.exists():
        return
    if not path.is_socket():
        raise SimError(f"{path} is in the way of the control socket")
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise SimError(f"another hw-sim answers at {path}; end it with 'hw-sim stop'")


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    try:
        writer.write(json.dumps(reply).encode() + b"\n")
        await writer.drain()
    except ConnectionError:
        return  # whoever asked is gone


def _refusal(sentence: str) -> Reply:
    return {"ok": False, "error": sentence}
