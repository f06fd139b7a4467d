"""The routes of printer care: what is told, who may ask and when, and what a refusal says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.client import Answer, StationClient
from controller.http import api as http_api
from controller.http import care as care_api
from controller.http.server import HttpServer, listen
from controller.jobs import care_acts, printer_settings
from controller.jobs.care_acts import End, Outcome
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import CardPosition, JobState, LaneStatus, PrinterIdentity, PrinterWitness, Verdict
from tests.fakes.site import Site, served
from tests.fakes.stock import fill, passage

WHO = {"who": "ani", "reason": "test"}
PRINTER = PrinterIdentity("Fake", "1", "SN1")
HELD = LaneStatus("1", activity="waiting", condition="held_by_operator", printer=PRINTER, printer_up=True)
BEFORE, AFTER = PrinterWitness(CardPosition.NONE, 100, 500, 50), PrinterWitness(CardPosition.NONE, 101, 501, 49)


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(care_api, "LOOK_S", 0.01)  # constants: no test should wait
    monkeypatch.setattr(care_api, "WAIT_S", 0.2)
    async with served(store, spool, tmp_path / "http.sock") as site:
        site.station.lane_changed(HELD)
        await store.transact(fill, "1", 5)
        yield site


@asynccontextmanager
async def lane(site: Site, how: End) -> AsyncIterator[None]:
    """Stands in for the lane's task: ends each act that is asked for like this."""

    async def work() -> None:
        while True:
            act = await site.store.read(care_acts.open_in, "1")
            if act is not None and how.outcome is Outcome.REFUSED:
                await site.store.transact(care_acts.end, act, how)
            elif act is not None:
                begun = await site.store.transact(care_acts.begin, act, "SN1", BEFORE)
                await site.store.transact(care_acts.end, begun, how)
            await asyncio.sleep(0.01)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _act(site: Site, verb: str, **values: Any) -> Answer:
    return await site.post(f"/api/v1/printers/1/{verb}", WHO | values)


async def _printer(site: Site) -> Any:
    (printer,) = (await site.get("/api/v1/printers")).body["printers"]
    return printer


async def test_the_answer_to_an_act_tells_how_it_ended(site: Site) -> None:
    async with lane(site, End(Outcome.DONE, after=AFTER, passed=1)):
        test_card, clean = await _act(site, "test-card"), await _act(site, "clean")
    assert (test_card.status, test_card.body["outcome"], test_card.body["counted"]) == (200, "done", 1)
    assert (clean.body["kind"], clean.body["who"]) == ("clean", "ani")
    told = await _printer(site)
    assert (told["cleaned"]["who"], [act["kind"] for act in told["care"]]) == ("ani", ["clean", "test_card"])


async def test_what_was_in_the_way_is_said_in_both_languages(site: Site) -> None:
    async with lane(site, End(Outcome.REFUSED, "cover_open")):
        body = (await _act(site, "clean")).body
    assert (body["outcome"], body["condition"]) == ("refused", "cover_open")
    assert body["condition_id"]
    assert body["condition_en"]


async def test_an_act_that_takes_long_is_answered_as_under_way(site: Site) -> None:
    answer = await _act(site, "clean")
    assert (answer.status, answer.body["outcome"], answer.body["ended"]) == (200, "", None)
    again = await _act(site, "clean")
    assert (again.status, again.problems[0].code) == (409, "care.open")


async def test_an_act_sent_again_with_its_key_is_done_once(site: Site) -> None:
    async with lane(site, End(Outcome.DONE, after=AFTER, passed=1)):
        first = await _act(site, "test-card", key="first-try")
        site.station.lane_changed(LaneStatus("1", activity="print"))
        assert (await _act(site, "test-card", key="first-try")).body == first.body
    assert len((await _printer(site))["care"]) == 1


@pytest.mark.parametrize(
    ("activity", "ready", "status"), [("print", 0, 409), ("idle", 1, 409), ("idle", 0, 200), ("waiting", 1, 200)]
)
async def test_a_lane_that_may_feed_a_blank_any_moment_is_left_alone(site: Site, activity: str, ready: int, status: int) -> None:
    site.station.lane_changed(LaneStatus("1", activity=activity, printer=PRINTER))
    jobs = dict.fromkeys(JobState, 0) | {JobState.READY: ready}
    now = site.station.snapshot
    site.station.counted(jobs, dict.fromkeys(Verdict, 0), now.blanks, now.stock, now.incidents)
    answer = await _act(site, "clean")
    assert answer.status == status
    assert status == 200 or (answer.problems[0].code, "press HOLD" in answer.problems[0].en) == ("care.busy", True)


async def test_a_card_in_work_keeps_everybody_from_the_printer(site: Site) -> None:
    await site.store.transact(passage)
    answer = await _act(site, "test-card")
    assert (answer.status, answer.problems[0].code) == (409, "care.passage")
    assert answer.problems[0].id.startswith("Satu kartu masih diproses")


async def test_an_unknown_lane_and_a_command_without_a_reason_are_refused(site: Site) -> None:
    assert (await site.post("/api/v1/printers/9/clean", WHO)).status == 404
    assert (await site.post("/api/v1/printers/1/clean", {"who": "ani"})).status == 400
    wrong = await _act(site, "clean", who="station")
    assert (wrong.status, wrong.problems[0].place) == (400, "who")


async def test_acts_are_taken_over_the_unix_socket_only(site: Site) -> None:
    sockets = listen(["127.0.0.1:0"])
    server = HttpServer(http_api.build(site.backend), sockets)
    address = f"127.0.0.1:{sockets[0].getsockname()[1]}"
    serving = asyncio.create_task(server.serve())
    await server.started()
    told = [await asyncio.to_thread(_post, address, verb) for verb in ("clean", "test-card", "accept-settings")]
    server.stop()
    await serving
    assert [(answer.status, answer.problems[0].code) for answer in told] == [(403, "request.socket")] * 3


def _post(address: str, verb: str) -> Answer:
    with StationClient(address) as client:
        return client.post(f"/api/v1/printers/1/{verb}", WHO)


async def test_settings_that_changed_are_told_and_accepted_by_a_person(site: Site) -> None:
    await site.store.transact(printer_settings.note, "1", "SN1", {"contrast_black": "10"})
    nothing = await _act(site, "accept-settings")
    assert (nothing.status, nothing.problems[0].code) == (409, "care.settings")
    await site.store.transact(printer_settings.note, "1", "SN1", {"contrast_black": "12"})
    (told,) = (await _printer(site))["settings"]
    assert (told["accepted"], told["seen"], told["differs"]) == ("10", "12", True)
    accepted = await _act(site, "accept-settings")
    assert [row["name"] for row in accepted.body["accepted"]] == ["contrast_black"]
    (told,) = (await _printer(site))["settings"]
    assert (told["accepted"], told["differs"], told["accepted_by"]) == ("12", False, "ani")


async def test_a_printer_that_never_answered_has_no_settings_to_accept(site: Site) -> None:
    site.station.lane_changed(LaneStatus("1", activity="waiting", condition="printer_absent"))
    answer = await _act(site, "accept-settings")
    assert (answer.status, answer.problems[0].code) == (409, "care.unseen")
    assert (await _printer(site))["printer"] is None


async def test_what_a_lane_asks_for_while_it_works_is_told_with_what_to_do(site: Site) -> None:
    site.station.lane_changed(LaneStatus("1", activity="idle", asks=("cleaning_due",), cards_until_cleaning=-2, rest_s=15))
    told = await _printer(site)
    assert (told["asks"][0]["condition"], told["cards_until_cleaning"], told["rest_s"]) == ("cleaning_due", -2, 15)
    assert told["asks"][0]["id"]
