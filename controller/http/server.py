"""Serves the HTTP interface on sockets of our own making: loopback ports and Unix sockets.

uvicorn would take over SIGTERM; the station decides itself when to stop, after the card in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import Server

from controller.errors import ConfigError, Problem

SOCKET_MODE = 0o660  # the service's group may talk to the station


class HttpServer:
    """One uvicorn server on several sockets."""

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        config = Config(
            app, lifespan="off", log_config=None, access_log=False, http="h11", ws="none",
            timeout_graceful_shutdown=5, timeout_keep_alive=20, limit_concurrency=64, backlog=128,
        )  # fmt: skip
        self._server = _Server(config)
        self._sockets = list(sockets)

    async def serve(self) -> None:
        """Answer requests until `stop`."""
        await self._server.serve(self._sockets)

    async def started(self) -> None:
        """Wait until requests are answered."""
        await self._server.answering.wait()

    def stop(self) -> None:
        """Finish open requests and return from `serve`."""
        self._server.should_exit = True


class _Server(Server):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(addresses: Sequence[str]) -> list[socket.socket]:
    """Bind every address (`unix:PATH`, `127.0.0.1:PORT`, `[::1]:PORT`). Raises ConfigError naming the one that fails."""
    sockets: list[socket.socket] = []
    for address in addresses:
        try:
            sockets.append(_bind(address))
        except OSError as error:
            for bound in sockets:
                bound.close()
            problem = Problem("config.listen", f"http.listen '{address}'", f"tidak dapat dipakai: {error.strerror}.",
                              f"cannot be used: {error.strerror}.")  # fmt: skip
            raise ConfigError([problem]) from error
    return sockets


def _bind(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_socket():
            _remove_left_over(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(path))
        path.chmod(SOCKET_MODE)
        return sock
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host.strip("[]"), int(port)))
    return sock


def _remove_left_over(path: Path) -> None:
    """Remove a socket that an unclean stop left; refuse when somebody still answers there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
