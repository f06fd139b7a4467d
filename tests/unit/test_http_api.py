"""The HTTP interface, served for real on a Unix socket and asked by the station's own client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from controller import http_api
from controller.client import Answer, StationClient, StationUnreachable
from controller.errors import Problem, RenderError, RequestRefused
from controller.http_api import Backend
from controller.http_input import read_command
from controller.http_server import HttpServer, listen
from controller.intake import Intake
from controller.jobs import journal
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.metrics import Metrics
from controller.records.seal import load_public_key
from controller.station import Station

ROOT = Path(__file__).parents[2]
RECORD = (ROOT / "examples/records/01.json").read_bytes()
KEYS = {"contoh-2026": load_public_key((ROOT / "examples/keys/contoh-2026.pub.pem").read_text())}
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
        self.alive = True
        self.path = path
        self.address = f"unix:{path}"
        metrics = Metrics(lambda: self.station.snapshot)
        intake = Intake(store, spool, self.eyes, KEYS, SIZES, self._changed)
        self.backend = Backend(store, intake, metrics, lambda: self.station.snapshot, ("1",), 1, self._changed, self._health)

    def _changed(self) -> None:
        self.changes += 1

    def _health(self) -> dict[str, bool]:
        return {"lane 1": self.alive}

    async def get(self, path: str, **query: object) -> Answer:
        return await asyncio.to_thread(lambda: self._ask("get", path, query))

    async def post(self, path: str, body: Any) -> Answer:
        return await asyncio.to_thread(lambda: self._ask("post", path, body))

    def _ask(self, verb: str, path: str, what: Any) -> Answer:
        with StationClient(self.address) as client:
            return client.get(path, what) if verb == "get" else client.post(path, what)


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(store, spool, tmp_path / "http.sock")
    server = HttpServer(http_api.build(site.backend), listen([site.address]))
    serving = asyncio.create_task(server.serve())
    await server.started()
    yield site
    server.stop()
    await serving


async def test_a_record_becomes_a_job_once(site: Site) -> None:
    first, again = await site.post("/api/v1/jobs", RECORD), await site.post("/api/v1/jobs", RECORD)
    assert (first.status, first.body["created"], first.body["job"]["state"]) == (201, True, "ready")
    assert (again.status, again.body["created"], again.body["job"]["id"]) == (200, False, first.body["job"]["id"])
    assert site.changes == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"[1, 2]", "schema"),
        (RECORD[:1000], "json"),
        (RECORD.replace(b'"PRINT_READY_RECORD"', b'"DUPLICATE_RECORD"'), "status"),
    ],
)
async def test_a_bad_record_is_refused_with_its_reasons_and_stores_nothing(site: Site, body: bytes, code: str) -> None:
    answer = await site.post("/api/v1/jobs", body)
    assert answer.status == 422
    assert answer.problems
    assert answer.problems[0].code.startswith(code)
    assert list(site.spool.folder.iterdir()) == []


async def test_a_picture_the_child_cannot_decode_is_refused_and_stores_nothing(site: Site) -> None:
    site.eyes.problem = Problem("photo.broken", "photo", "Foto rusak.", "The photo is broken.")
    answer = await site.post("/api/v1/jobs", RECORD)
    assert (answer.status, answer.problems[0].code) == (422, "photo.broken")
    assert list(site.spool.folder.iterdir()) == []


async def test_a_full_disk_is_said_and_stores_nothing(site: Site) -> None:
    site.spool._reserve_bytes = 1 << 60
    answer = await site.post("/api/v1/jobs", RECORD)
    assert (answer.status, answer.problems[0].code) == (507, "store.full")
    assert (await site.get("/api/v1/jobs")).body["jobs"] == []


def _post_raw(path: Path, head: bytes, chunks: int) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        sock.sendall(head)
        try:
            for _ in range(chunks):
                sock.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        except OSError:
            pass  # the station hung up on us, as it should
        return sock.recv(65536)


async def test_a_100_mb_body_is_refused_by_its_announced_length(site: Site) -> None:
    head = b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
    assert b" 413 " in await asyncio.to_thread(_post_raw, site.path, head, 0)


async def test_a_body_that_hides_its_length_is_refused_while_it_arrives(site: Site) -> None:
    head = (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert b" 413 " in await asyncio.to_thread(_post_raw, site.path, head, 40)


async def test_a_page_from_elsewhere_cannot_post(site: Site) -> None:
    head = b"POST /api/v1/lanes/1/load HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    assert b" 415 " in await asyncio.to_thread(_post_raw, site.path, head, 0)
    assert site.changes == 0


async def test_a_job_shows_its_passages(site: Site) -> None:
    number = (await site.post("/api/v1/jobs", RECORD)).body["job"]["id"]
    await site.store.transact(journal.begin, number, "1", "held", "SN", "feed", {})
    answer = await site.get(f"/api/v1/jobs/{number}")
    assert answer.body["job"]["state"] == "active"
    assert answer.body["passages"][0]["stages"][0]["name"] == "feed"


async def test_listing_filters_by_state_and_refuses_nonsense(site: Site) -> None:
    await site.post("/api/v1/jobs", RECORD)
    assert len((await site.get("/api/v1/jobs", state="ready")).body["jobs"]) == 1
    assert (await site.get("/api/v1/jobs", state="issued")).body["jobs"] == []
    for query in ({"state": "lost"}, {"after": "x"}, {"limit": "-1"}):
        assert (await site.get("/api/v1/jobs", **query)).status == 400


async def test_a_ready_job_is_cancelled_once(site: Site) -> None:
    number = (await site.post("/api/v1/jobs", RECORD)).body["job"]["id"]
    command = {"who": "ani", "reason": "wrong person"}
    assert (await site.post(f"/api/v1/jobs/{number}/cancel", command)).body["job"]["state"] == "cancelled"
    assert (await site.post(f"/api/v1/jobs/{number}/cancel", command)).status == 409
    assert (await site.post("/api/v1/jobs/99/cancel", command)).status == 404


async def test_blanks_are_counted_in(site: Site) -> None:
    answer = await site.post("/api/v1/lanes/1/load", {"quantity": 25, "who": "ani", "reason": "filled"})
    assert answer.body == {"lane": "1", "hopper": 25, "passage": 0}


@pytest.mark.parametrize(
    ("path", "command", "status"),
    [
        ("/api/v1/lanes/9/load", {"quantity": 1, "who": "a", "reason": "b"}, 404),
        ("/api/v1/lanes/1/load", {"quantity": -5, "who": "a", "reason": "b"}, 409),
        ("/api/v1/lanes/1/load", {"quantity": "5", "who": "a", "reason": "b"}, 400),
        ("/api/v1/lanes/1/load", {"quantity": True, "who": "a", "reason": "b"}, 400),
        ("/api/v1/lanes/1/load", {"quantity": 5, "who": "a"}, 400),
        ("/api/v1/lanes/1/load", {"quantity": 5, "who": "", "reason": "b"}, 400),
        ("/api/v1/passages/7/resolve", {"verdict": "spoiled", "who": "a", "reason": "b"}, 404),
        ("/api/v1/passages/7/resolve", {"verdict": "good", "who": "a", "reason": "b"}, 400),
    ],
)
async def test_acts_of_staff_with_a_mistake_change_nothing(site: Site, path: str, command: dict[str, Any], status: int) -> None:
    answer = await site.post(path, command)
    assert (answer.status, bool(answer.problems[0].id), bool(answer.problems[0].en)) == (status, True, True)
    assert site.changes == 0


async def test_an_unknown_passage_is_resolved(site: Site) -> None:
    number = (await site.post("/api/v1/jobs", RECORD)).body["job"]["id"]
    passage = await site.store.transact(journal.begin, number, "1", "held", "SN", "feed", {})
    assert passage is not None
    await site.store.transact(journal.suspect_all)
    answer = await site.post(f"/api/v1/passages/{passage.id}/resolve", {"verdict": "still_blank", "who": "a", "reason": "seen"})
    assert answer.body["job"]["state"] == "ready"


async def test_health_follows_the_lanes(site: Site) -> None:
    assert (await site.get("/healthz")).status == 200
    site.alive = False
    assert (await site.get("/healthz")).status == 503


async def test_the_station_and_its_metrics_are_shown(site: Site) -> None:
    assert (await site.get("/api/v1/station")).body["lanes"][0]["name"] == "1"
    assert "print_station_jobs" in (await site.get("/metrics")).body


async def test_no_station_at_an_address_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StationUnreachable, match="is the daemon running"):
        StationClient(f"unix:{tmp_path}/none.sock").get("/healthz")


@pytest.mark.parametrize(
    ("server", "client"), [(("127.0.0.1", 8631), ("127.0.0.1", 4)), (("127.0.0.1", 8631), None), (None, None)]
)
async def test_acts_of_staff_are_refused_on_a_port(server: object, client: object) -> None:
    """Also when the caller has hung up already and nobody can say any more who it was."""
    request = Request({"type": "http", "method": "POST", "headers": [], "server": server, "client": client})
    with pytest.raises(RequestRefused, match="over the station's Unix socket only"):
        await read_command(request, {})
