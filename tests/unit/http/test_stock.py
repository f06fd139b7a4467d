"""The routes of the ledger: acts over the Unix socket, blind counts, keys, and nonsense that changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.client import Answer
from controller.jobs import incidents, ledger
from controller.jobs.batches import MAX_UIDS
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import LaneStatus
from tests.fakes.site import Site, served
from tests.fakes.stock import passage

WHO = {"who": "ani", "reason": "test"}


@pytest.fixture
async def site(store: Store, spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    async with served(store, spool, tmp_path / "http.sock") as site:
        site.station.lane_changed(LaneStatus("1", activity="waiting"))
        yield site


async def _act(site: Site, verb: str, **values: Any) -> Answer:
    return await site.post(f"/api/v1/stock/{verb}", WHO | values)


async def _receive(site: Site, quantity: int = 100, **values: Any) -> Answer:
    return await _act(site, "receive", **{"number": "B-1", "quantity": quantity, "document": "BAST 1"} | values)


async def _held(site: Site) -> dict[str, int]:
    return {name: held for name, held in (await site.get("/api/v1/stock")).body["accounts"].items() if held}


async def test_a_day_of_the_store(site: Site) -> None:
    assert (await _receive(site)).body == {"batch": "B-1", "item": "blank", "quantity": 100, "store": 100}
    assert (await _act(site, "load", lane="1", quantity=40)).body == {"lane": "1", "hopper": 40}
    assert (await _act(site, "unload", lane="1", quantity=10)).body == {"lane": "1", "hopper": 30}
    assert (await _act(site, "return", quantity=5, document="S 1")).body == {"returned": 5, "store": 65}
    destroyed = await _act(site, "destroy", place="store", quantity=1, document="BA 1", uids=["04A10000000000"])
    assert destroyed.body == {"account": "store", "destroyed": 1, "left": 64}
    assert await _held(site) == {"supplier": -100, "store": 64, "hopper:1": 30, "returned": 5, "destroyed": 1}
    assert site.changes == 5


async def test_the_answer_to_a_count_tells_the_ledgers_number_and_opens_an_incident(site: Site) -> None:
    await _receive(site)
    await _act(site, "load", lane="1", quantity=40)
    answer = await _act(site, "count", place="hopper", lane="1", counted=39)
    assert answer.body == {"account": "hopper:1", "counted": 39, "ledger": 40, "difference": -1}
    (incident,) = (await site.get("/api/v1/incidents")).body["incidents"]
    assert (incident["kind"], incident["place"]) == ("count_short", "hopper:1")
    explained = await site.post(f"/api/v1/incidents/{incident['id']}/explain", WHO)
    assert explained.body["incident"]["explained_by"] == "ani"
    assert (await site.get("/api/v1/incidents")).body["incidents"] == []


async def test_a_hopper_is_counted_only_while_its_lane_takes_nothing(site: Site) -> None:
    await _receive(site)
    await _act(site, "load", lane="1", quantity=40)
    site.station.lane_changed(LaneStatus("1", activity="idle"))
    for verb, values in (("count", {"place": "hopper", "counted": 40}), ("count", {"place": "reject", "counted": 0}),
                         ("unload", {"quantity": 1})):  # fmt: skip
        answer = await _act(site, verb, lane="1", **values)
        assert (answer.status, answer.problems[0].code) == (409, "stock.busy")
    assert (await _act(site, "count", place="store", counted=60)).status == 200
    site.station.set_held(held=True)
    assert (await _act(site, "count", place="hopper", lane="1", counted=40)).body["difference"] == 0


async def test_a_held_lane_with_a_card_in_work_is_not_counted(site: Site) -> None:
    await _receive(site)
    await site.store.transact(passage)
    answer = await _act(site, "count", place="hopper", lane="1", counted=0)
    assert (answer.status, answer.problems[0].code) == (409, "stock.passage")


async def test_an_act_whose_answer_was_lost_is_not_done_twice(site: Site) -> None:
    await _receive(site)
    first = await _act(site, "load", lane="1", quantity=40, key="0123-abcd")
    assert (await _act(site, "load", lane="1", quantity=40, key="0123-abcd")).body == first.body
    other = await _act(site, "load", lane="1", quantity=41, key="0123-abcd")
    assert (other.status, other.problems[0].code) == (409, "act.key")
    assert (await _held(site))["hopper:1"] == 40


async def test_a_count_that_was_booked_is_answered_again_while_the_lane_works(site: Site) -> None:
    await _receive(site)
    await _act(site, "load", lane="1", quantity=40)
    acts: list[tuple[str, dict[str, Any]]] = [("count", {"place": "hopper", "counted": 40}), ("unload", {"quantity": 1})]
    first = [await _act(site, verb, lane="1", key=f"key-{verb}", **values) for verb, values in acts]
    site.station.lane_changed(LaneStatus("1", activity="idle"))
    again = [await _act(site, verb, lane="1", key=f"key-{verb}", **values) for verb, values in acts]
    assert [(answer.status, answer.body) for answer in again] == [(200, answer.body) for answer in first]
    assert (await _held(site))["hopper:1"] == 39


def _leave_blanks_in_lane_2(db: sqlite3.Connection) -> None:
    ledger.post(db, ledger.STORE, ledger.hopper("2"), 9, who="ani", reason="before the lane was removed")
    ledger.post(db, ledger.STORE, ledger.reject_bin("2"), 1, who="ani", reason="before the lane was removed")


async def test_the_blanks_of_a_lane_that_was_removed_can_be_counted_unloaded_and_destroyed(site: Site) -> None:
    await _receive(site)
    await site.store.transact(_leave_blanks_in_lane_2)
    assert (await _act(site, "load", lane="2", quantity=1)).status == 404
    assert (await _act(site, "count", place="hopper", lane="2", counted=8)).body["difference"] == -1
    assert (await _act(site, "unload", lane="2", quantity=8)).body == {"lane": "2", "hopper": 0}
    assert (await _act(site, "destroy", place="reject", lane="2", quantity=1, document="BA 1")).body["left"] == 0
    assert (await _act(site, "count", place="reject", lane="2", counted=0)).status == 404  # nothing is left to look after


async def test_nobody_acts_in_the_name_of_the_station(site: Site) -> None:
    await _receive(site)
    for name in ("station", " Station ", "STATION", "front panel", "Front  Panel", "desk reader"):
        for path in ("stock/load", "questions/1/answer", "jobs/1/cancel", "incidents/1/explain"):
            extra: dict[str, Any] = {"stock/load": {"lane": "1", "quantity": 1}, "questions/1/answer": {"answer": "spoiled"}}
            answer = await site.post(f"/api/v1/{path}", {"who": name, "reason": "BUDI 3174..."} | extra.get(path, {}))
            assert (answer.status, answer.problems[0].place) == (400, "who")
    assert (await _held(site))["store"] == 100


async def test_a_batch_with_all_its_chips_fits_in_one_request(site: Site) -> None:
    uids = [f"{2 * number:016X}" for number in range(MAX_UIDS)]
    assert (await _receive(site, MAX_UIDS, uids=uids)).status == 200
    batch = (await site.get("/api/v1/stock")).body["batches"][0]
    assert (batch["number"], batch["quantity"], batch["uids"]) == ("B-1", MAX_UIDS, MAX_UIDS)


async def test_a_new_ribbon_is_full_unless_said_otherwise(site: Site) -> None:
    await _receive(site, 1000, ribbon=True)
    assert (await _act(site, "load", lane="1", ribbon=True)).body == {"lane": "1", "sets": 200, "old_roll": None}
    fitted = await _act(site, "load", lane="1", ribbon=True, quantity=100)
    assert fitted.body == {"lane": "1", "sets": 100, "old_roll": {"sets": 200, "used": 0}}
    assert [roll["sets"] for roll in (await site.get("/api/v1/stock")).body["rolls"]] == [100, 200]
    short = await _act(site, "count", place="ribbon", counted=699)
    assert short.body["difference"] == -1
    assert (await _held(site))["ribbon_missing"] == 1


NONSENSE: list[tuple[str, dict[str, Any], int, str]] = [
    ("receive", {"number": "B-2", "quantity": 0, "document": "d"}, 409, "stock.quantity"),
    ("receive", {"number": "B-2", "quantity": True, "document": "d"}, 400, "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 5.0, "document": "d"}, 400, "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 10**40, "document": "d"}, 409, "stock.quantity"),
    ("receive", {"number": "B-2", "quantity": 5, "document": ""}, 400, "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 5}, 400, "request.wrong"),
    ("receive", {"number": "B-1", "quantity": 5, "document": "d"}, 409, "batch.twice"),
    ("receive", {"number": "B-2", "quantity": 1, "document": "d", "uids": [7]}, 400, "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 1, "document": "d", "uids": "04A10000000000"}, 400, "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 1, "document": "d", "uids": ["x"]}, 409, "uid.wrong"),
    ("receive", {"number": "B-2", "quantity": 1, "document": "d", "uids": ["04A10000000000"], "ribbon": True}, 400,
     "request.wrong"),
    ("receive", {"number": "B-2", "quantity": 5, "document": "d", "uids": []}, 409, "uid.none"),
    ("receive", {"number": "B-2", "quantity": 5, "document": "d", "uids": [], "ribbon": True}, 400, "request.wrong"),
    ("receive", {"number": "b-1 ", "quantity": 5, "document": "d"}, 409, "batch.twice"),
    ("destroy", {"place": "store", "quantity": 1, "document": "d", "uids": []}, 409, "uid.none"),
    ("load", {"lane": "1", "quantity": -5}, 409, "stock.quantity"),
    ("load", {"lane": "1", "quantity": "5"}, 400, "request.wrong"),
    ("load", {"lane": "1", "quantity": 101}, 409, "stock.short"),
    ("load", {"lane": "1"}, 400, "request.wrong"),
    ("load", {"lane": "9", "quantity": 5}, 404, "lane.unknown"),
    ("load", {"lane": "1", "quantity": 5, "key": "short"}, 400, "request.wrong"),
    ("load", {"lane": "1", "quantity": 5, "key": "with space"}, 400, "request.wrong"),
    ("load", {"lane": "1", "quantity": 5, "extra": 1}, 400, "request.wrong"),
    ("load", {"lane": "1", "ribbon": True}, 409, "stock.short"),
    ("unload", {"lane": "9", "quantity": 5}, 404, "lane.unknown"),
    ("count", {"place": "store", "counted": -1}, 409, "stock.quantity"),
    ("count", {"place": "store", "counted": 10**15}, 409, "stock.quantity"),
    ("count", {"place": "store", "counted": "many"}, 400, "request.wrong"),
    ("count", {"place": "issued", "counted": 1}, 400, "request.wrong"),
    ("count", {"place": "hopper", "counted": 1}, 400, "request.wrong"),
    ("count", {"place": "store", "lane": "1", "counted": 1}, 400, "request.wrong"),
    ("count", {"place": "hopper", "lane": "9", "counted": 1}, 404, "lane.unknown"),
    ("destroy", {"place": "hopper", "lane": "1", "quantity": 1, "document": "d"}, 400, "request.wrong"),
    ("destroy", {"place": "reject", "lane": "1", "quantity": 1, "document": "d"}, 409, "stock.short"),
    ("return", {"quantity": 101, "document": "d"}, 409, "stock.short"),
]  # fmt: skip


async def test_nonsense_is_refused_in_both_languages_and_changes_nothing(site: Site) -> None:
    await _receive(site)
    for verb, values, status, code in NONSENSE:
        answer = await _act(site, verb, **values)
        assert (verb, values, answer.status, answer.problems[0].code) == (verb, values, status, code)
        assert answer.problems[0].id
        assert answer.problems[0].en
    assert (await _held(site), site.changes) == ({"supplier": -100, "store": 100}, 1)
    assert await site.store.read(incidents.open_incidents) == []


async def test_an_incident_that_does_not_exist_cannot_be_explained(site: Site) -> None:
    for number, status in (("7", 404), ("x", 400), ("9" * 30, 400)):
        assert (await site.post(f"/api/v1/incidents/{number}/explain", WHO)).status == status
    assert site.changes == 0


async def test_what_the_books_hold_is_what_the_database_holds(site: Site) -> None:
    await _receive(site)
    await _act(site, "load", lane="1", quantity=40)
    assert await site.store.read(ledger.faults) == []
