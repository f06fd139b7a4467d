"""The HTTP interface, served for real on a Unix socket and asked by the station's own client."""

from __future__ import annotations

import argparse
import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.requests import Request

from controller.client import StationClient, StationUnreachable
from controller.commands import go, hold
from controller.errors import Problem, RequestRefused
from controller.http.input import read_command
from controller.jobs import events, journal
from controller.jobs.journal import Claim
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import broken
from controller.jobs.store import Store
from tests.fakes.site import ROOT, Site, served
from tests.unit.records.samples import sample, sealed

RECORD = (ROOT / "examples/records/01.json").read_bytes()


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    async with served(store, spool, tmp_path / "http.sock") as site:
        yield site


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


async def test_chip_contents_that_the_centre_did_not_sign_are_refused_and_nothing_is_stored(site: Site) -> None:
    record = sample()
    record["chip"]["6FF3"] = record["chip"]["6FF4"]
    answer = await site.post("/api/v1/jobs", sealed(record))
    assert [(problem.code, problem.place) for problem in answer.problems] == [("chip.signature", "chip.6FF6")]
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


async def test_storage_that_is_not_trusted_takes_no_record_and_names_file_and_command(site: Site) -> None:
    site.store.distrust(broken("corrupt", site.store.state_dir, "station.db", "page 7"))
    answer = await site.post("/api/v1/jobs", RECORD)
    assert (answer.status, answer.problems[0].code) == (503, "store.corrupt")
    assert "station.db rusak" in answer.problems[0].id
    assert "'print-station store restore" in answer.problems[0].en
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
    head = b"POST /api/v1/stock/load HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    assert b" 415 " in await asyncio.to_thread(_post_raw, site.path, head, 0)
    assert site.changes == 0


async def test_a_job_shows_its_passages(site: Site) -> None:
    number = (await site.post("/api/v1/jobs", RECORD)).body["job"]["id"]
    await site.store.transact(journal.begin, Claim(number, "1", "held", "SN", "reader"), "feed", {})
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


@pytest.mark.parametrize(
    ("path", "command", "status"),
    [
        ("/api/v1/questions/7/answer", {"answer": "spoiled", "who": "a", "reason": "b"}, 404),
        ("/api/v1/questions/7/answer", {"answer": "good", "who": "a", "reason": "b"}, 400),
        ("/api/v1/jobs/9/cancel", {"who": "a", "reason": "b"}, 404),
        ("/api/v1/jobs/9/cancel", {"who": "a"}, 400),
        ("/api/v1/jobs/9/cancel", {"who": "", "reason": "b"}, 400),
        ("/api/v1/jobs/9/cancel", {"who": "a", "reason": True}, 400),
        ("/api/v1/jobs/9/cancel", {"who": "a", "reason": "b", "key": "12345678"}, 400),
        ("/api/v1/jobs/9/cancel", {"who": "a", "reason": "b" * 501}, 400),
        ("/api/v1/hold", {"who": "a", "reason": "b"}, 400),
        ("/api/v1/hold", {"who": ""}, 400),
        ("/api/v1/go", {}, 400),
        ("/api/v1/go", {"who": "Front  Panel"}, 400),  # a name under which the station writes itself
    ],
)
async def test_acts_of_staff_with_a_mistake_change_nothing(site: Site, path: str, command: dict[str, Any], status: int) -> None:
    answer = await site.post(path, command)
    assert (answer.status, bool(answer.problems[0].id), bool(answer.problems[0].en)) == (status, True, True)
    assert (site.changes, site.pressed) == (0, [])


async def test_hold_and_go_can_be_pressed_from_afar_with_a_name(site: Site) -> None:
    command = {"who": "ani"}
    answers = [await site.post(f"/api/v1/{word}", command) for word in ("hold", "go")]
    assert [(answer.status, answer.body) for answer in answers] == [(200, {"held": True}), (200, {"held": False})]
    assert site.pressed == [("ani", True), ("ani", False)]
    assert (await site.get("/api/v1/hold")).status == 405
    assert len(site.pressed) == 2


@pytest.mark.parametrize(
    ("verb", "held", "said"),
    [(hold, True, "the station is held: the cards in hand are finished\n"), (go, False, "the station goes on\n")],
)
async def test_the_commands_hold_and_go_press_for_whoever_calls(
    site: Site, capsys: pytest.CaptureFixture[str], verb: ModuleType, held: bool, said: str
) -> None:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    for who, status in (("ani", 0), ("station", 1)):
        arguments = parser.parse_args(["--who", who, "--station", site.address])
        assert await asyncio.to_thread(verb.run, arguments) == status
    shown = capsys.readouterr()
    assert (shown.out, site.pressed) == (said, [("ani", held)])
    assert "give the name of a person" in shown.err


async def test_health_follows_the_lanes(site: Site) -> None:
    assert (await site.get("/healthz")).status == 200
    site.alive = False
    assert (await site.get("/healthz")).status == 503


async def test_the_station_and_its_metrics_are_shown(site: Site) -> None:
    assert (await site.get("/api/v1/station")).body["lanes"][0]["name"] == "1"
    assert "print_station_jobs" in (await site.get("/metrics")).body


async def test_the_head_of_the_log_is_given_with_whose_log_it_is(site: Site, store: Store) -> None:
    assert (await site.get("/api/v1/log/head")).status == 404
    await store.transact(events.append, "genesis", {"station": "ab", "name": "Contoh", "key": "cd"})
    head = await store.read(events.head)
    assert head is not None
    told = (await site.get("/api/v1/log/head")).body
    assert told == {"seq": 1, "hash": head.hash, "anchor": f"1:{head.hash}", "station": "ab", "key": "cd"}


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
