"""Talks to a running station over its Unix socket or a loopback port. Standard library only: the commands start at once."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from controller.errors import Problem, StationError

DEFAULT_STATION = "unix:/run/print-station/http.sock"
TIMEOUT_S = 60.0  # a submit on a slow SD card takes a second or two; never wait for ever


class StationUnreachable(StationError):
    """No station answers at this address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer of the station."""

    status: int
    body: Any

    @property
    def problems(self) -> list[Problem]:
        """Why the request was refused; empty when it was not."""
        rows = self.body.get("problems", []) if isinstance(self.body, dict) else []
        return [Problem(row["code"], row["place"], row["id"], row["en"]) for row in rows]


class StationClient:
    """One connection to a station; `address` is `unix:PATH` or `HOST:PORT`. A context manager; hangs up at its end."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address or os.environ.get("PRINT_STATION", DEFAULT_STATION)
        self._connection = _connection(self.address)

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Answer:
        """Read. Raises StationUnreachable."""
        tail = "&".join(f"{name}={quote(str(value))}" for name, value in (query or {}).items())
        return self._ask("GET", f"{path}?{tail}" if tail else path, None)

    def post(self, path: str, body: bytes | Mapping[str, object]) -> Answer:
        """Send bytes as they are, or an object as JSON. Raises StationUnreachable."""
        return self._ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            self._connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
            response = self._connection.getresponse()
            return Answer(response.status, _body(response.read()))
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise StationUnreachable(
                f"no station answers at {self.address} ({error}); is the daemon running, and is PRINT_STATION right?"
            ) from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise StationUnreachable(f"'{address}' is no station address; use unix:PATH or HOST:PORT")
    return http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)


def _body(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
