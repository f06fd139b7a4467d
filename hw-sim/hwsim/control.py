"""The control socket: one JSON object a line in each direction over a Unix socket that only its owner may use.

Request {"command": NAME, ...}; reply {"ok": true, ...} or {"ok": false, "error": one sentence}.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hwsim.arming import arm
from hwsim.devices.pins import BUTTONS
from hwsim.errors import SimError
from hwsim.lane import Lane
from hwsim.station import SimStation
from hwsim.world import Spot

Request = dict[str, Any]
Reply = dict[str, Any]
MAX_LINE_BYTES = 65_536  # requests are short; a longer line is no request
MAX_PRESS_MS = 600_000  # ten minutes: longer is a typing mistake
TAKEN_FROM = {"bin": Spot.OUTPUT, "reject": Spot.REJECT, "printer": Spot.INSIDE, "hopper": Spot.HOPPER}


class ControlServer:
    """Answers the commands of the hw-sim command line."""

    def __init__(self, path: Path, station: SimStation) -> None:
        self._path, self._station = path, station
        self._server: asyncio.Server | None = None
        self._commands: dict[str, Callable[[Request], Awaitable[Reply]]] = {
            "world": self._world,
            "press": self._press,
            "load": self._load,
            "take": self._take,
            "fault": self._fault,
            "power": self._power,
            "stop": self._stop,
        }
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
        command = self._commands.get(str(name))
        if command is None:
            return _refusal(f"there is no command {name!r}; there are: {', '.join(self._commands)}")
        await self._station.open.wait()
        try:
            reply = await command(request)
        except SimError as error:
            return _refusal(str(error))
        return None if command == self._stop else {"ok": True, **reply}

    async def _world(self, _request: Request) -> Reply:
        return {"world": self._station.world_json()}

    async def _press(self, request: Request) -> Reply:
        milliseconds = _number(request, "ms", 100, MAX_PRESS_MS)
        await self._station.panel.press(_word(request, "button", BUTTONS), milliseconds / 1000)
        return {}

    async def _load(self, request: Request) -> Reply:
        dead = request.get("dead_at", [])
        if not isinstance(dead, list) or not all(type(number) is int for number in dead):
            raise SimError("dead_at must be a list of whole numbers")
        blanks = self._lane(request).load(_number(request, "count", None, 1_000_000), frozenset(dead))
        return {"blanks": blanks}

    async def _take(self, request: Request) -> Reply:
        return {"blanks": self._lane(request).take(TAKEN_FROM[_word(request, "where", tuple(TAKEN_FROM))])}

    async def _fault(self, request: Request) -> Reply:
        given = request.get("values", {})
        if not isinstance(given, dict):
            raise SimError("values must be an object")
        texts = {str(key): str(value) for key, value in given.items()}
        return {"fault": arm(self._station, str(request.get("name")), self._lane(request).config.name, texts)}

    async def _power(self, request: Request) -> Reply:
        lane, state = self._lane(request), _word(request, "state", ("off", "on", "cycle"))
        switch: dict[str, Callable[[bool], None]] = {
            "printer": lambda on: self._station.power_printer(lane, on),
            "pins": lambda on: self._station.power_pins(lane, on),
            "display": self._station.power_display,
        }
        act = switch[_word(request, "device", tuple(switch))]
        for on in {"off": (False,), "on": (True,), "cycle": (False, True)}[state]:
            act(on)
        return {}

    async def _stop(self, _request: Request) -> Reply:
        self._station.stopping.set()
        return {}

    def _lane(self, request: Request) -> Lane:
        name = request.get("lane")
        return self._station.lane(None if name is None else str(name))


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


def _word(request: Request, key: str, allowed: tuple[str, ...]) -> str:
    word = request.get(key)
    if word not in allowed:
        raise SimError(f"{key} must be one of {', '.join(allowed)}, not {word!r}")
    return str(word)


def _number(request: Request, key: str, default: int | None, most: int) -> int:
    number = request.get(key, default)
    if type(number) is not int or not 1 <= number <= most:
        raise SimError(f"{key} must be a whole number from 1 to {most}, not {number!r}")
    return number
