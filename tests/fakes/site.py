"""The HTTP interface with everything behind it, served for real on a Unix socket and asked by the station's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from controller.client import Answer, StationClient
from controller.errors import Problem, RenderError
from controller.http import api as http_api
from controller.http.api import Backend
from controller.http.server import HttpServer, listen
from controller.intake import Intake
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.metrics import Metrics
from controller.records.seal import load_public_key
from controller.setup import read_setup
from controller.station import Station

ROOT = Path(__file__).parents[2]
KEYS = {"contoh-2026": load_public_key((ROOT / "examples/keys/contoh-2026.pub.pem").read_text())}
SIGNATURE = read_setup(ROOT / "examples/station.toml").signature
SIZES = {0x6FF1: 1024, 0x6FF2: 4096, 0x6FF3: 1024, 0x6FF4: 1024, 0x6FF5: 1024, 0x6FF6: 78}


class Eyes:
    """Stands in for the rendering child: finds fault with pictures when told to."""

    problem: Problem | None = None

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        if self.problem is not None:
            raise RenderError(self.problem)


class Site:
    """A served interface with everything behind it."""

    def __init__(self, store: Store, spool: Spool, path: Path) -> None:
        self.station = Station("Contoh", ["1"])
        self.store = store
        self.spool = spool
        self.eyes = Eyes()
        self.changes = 0
        self.pressed: list[tuple[str, bool]] = []  # HOLD (True) and GO, and who
        self.alive = True
        self.path = path
        self.address = f"unix:{path}"
        metrics = Metrics(lambda: self.station.snapshot)
        intake = Intake(store, spool, self.eyes, KEYS, SIZES, self._changed, SIGNATURE)
        self.backend = Backend(store, intake, metrics, lambda: self.station.snapshot, ("1",), 1, self._hold_or_go, self._changed,
                               self._health, {"1": 200})  # fmt: skip

    def _changed(self) -> None:
        self.changes += 1

    async def _hold_or_go(self, who: str, *, held: bool) -> None:
        self.pressed.append((who, held))

    def _health(self) -> dict[str, bool]:
        return {"lane 1": self.alive}

    async def get(self, path: str, **query: object) -> Answer:
        return await asyncio.to_thread(lambda: self._ask("get", path, query))

    async def post(self, path: str, body: Any) -> Answer:
        return await asyncio.to_thread(lambda: self._ask("post", path, body))

    def _ask(self, verb: str, path: str, what: Any) -> Answer:
        with StationClient(self.address) as client:
            return client.get(path, what) if verb == "get" else client.post(path, what)


@asynccontextmanager
async def served(store: Store, spool: Spool, path: Path) -> AsyncIterator[Site]:
    """A site that answers until the end of the block."""
    site = Site(store, spool, path)
    server = HttpServer(http_api.build(site.backend), listen([site.address]))
    serving = asyncio.create_task(server.serve())
    await server.started()
    try:
        yield site
    finally:
        server.stop()
        await serving
