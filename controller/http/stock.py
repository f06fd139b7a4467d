"""The HTTP routes of the ledger: acts of staff on blanks and ribbons, and incidents. Acts are taken over the Unix socket only.

Every act may carry a `key` of the caller's own (8 to 64 characters): the same command sent again with it is answered, not done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.clock import wall_text
from controller.errors import Problem, RequestRefused
from controller.http.input import read_act, read_number, wrong
from controller.jobs import acts, batches, incidents, ledger, ribbons, stock
from controller.jobs.incidents import KINDS, Incident
from controller.jobs.store import Store
from controller.model import Balance, StationSnapshot

MAX_UID_BODY_BYTES = 512 * 1024  # MAX_UIDS of them, one by one
_WHO: Mapping[str, type] = {"who": str, "reason": str}

Handler = Callable[[Request], Awaitable[Response]]
Work = Callable[[sqlite3.Connection], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class StockParts:
    """What the routes act on."""

    store: Store
    snapshot: Callable[[], StationSnapshot]
    lanes: tuple[str, ...]
    ribbon_sets: Mapping[str, int]  # sets on a new roll of each lane, by its printer's profile
    changed: Callable[[], None]


def routes(parts: StockParts) -> list[Route]:
    """Reading is open to all who may read the station; acts are not."""
    api = _StockApi(parts)
    rows: list[tuple[str, str, Handler]] = [
        ("GET", "/api/v1/stock", api.show),
        ("POST", "/api/v1/stock/receive", api.receive),
        ("POST", "/api/v1/stock/load", api.load),
        ("POST", "/api/v1/stock/unload", api.unload),
        ("POST", "/api/v1/stock/count", api.count),
        ("POST", "/api/v1/stock/destroy", api.destroy),
        ("POST", "/api/v1/stock/return", api.give_back),
        ("GET", "/api/v1/incidents", api.incidents),
        ("POST", "/api/v1/incidents/{incident}/explain", api.explain),
    ]
    return [Route(path, handler, methods=[method]) for method, path, handler in rows]


class _StockApi:
    def __init__(self, parts: StockParts) -> None:
        self._p = parts

    async def show(self, _request: Request) -> Response:
        return JSONResponse(await self._p.store.read(_show))

    async def receive(self, request: Request) -> Response:
        shape = {"number": str, "quantity": int, "document": str, **_WHO}
        command = await read_act(request, shape, {"uids": list, "ribbon": bool}, MAX_UID_BODY_BYTES)
        ribbon = command.get("ribbon", False)
        if ribbon and "uids" in command:
            raise wrong("uids", "Pita tidak punya UID.", "Ribbons have no UIDs.")

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            item, place = (ledger.RIBBON, ledger.RIBBON_STORE) if ribbon else (ledger.BLANK, ledger.STORE)
            batch = batches.receive(db, command["number"], command["quantity"], command["document"], command["who"],
                                    command["reason"], command.get("uids"), item)  # fmt: skip
            return {"batch": batch.number, "item": item, "quantity": batch.quantity, "store": ledger.held(db, place)}

        return await self._do(request, command, work)

    async def load(self, request: Request) -> Response:
        command = await read_act(request, {"lane": str, **_WHO}, {"quantity": int, "ribbon": bool})
        lane = self._lane(command["lane"])
        if command.get("ribbon", False):
            return await self._do(request, command, partial(_fit, lane, self._sets(command, lane), command))
        if "quantity" not in command:
            raise wrong("quantity", "Jumlah blangko harus disebut.", "The number of blanks must be said.")

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            return {"lane": lane, "hopper": stock.load(db, lane, command["quantity"], command["who"], command["reason"])}

        return await self._do(request, command, work)

    async def unload(self, request: Request) -> Response:
        command = await read_act(request, {"lane": str, "quantity": int, **_WHO})

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            lane = self._quiet_lane(db, command["lane"])
            return {"lane": lane, "hopper": stock.unload(db, lane, command["quantity"], command["who"], command["reason"])}

        return await self._do(request, command, work)

    async def count(self, request: Request) -> Response:
        command = await read_act(request, {"place": str, "counted": int, **_WHO}, {"lane": str})

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            account, lane = self._place(db, command, (ledger.STORE, "hopper", "reject", "ribbon"))
            if lane is not None:
                self._quiet_lane(db, lane)
            result = stock.count(db, account, command["counted"], command["who"], command["reason"], lane)
            return {**asdict(result), "difference": result.difference}

        return await self._do(request, command, work)

    async def destroy(self, request: Request) -> Response:
        shape = {"place": str, "quantity": int, "document": str, **_WHO}
        command = await read_act(request, shape, {"lane": str, "uids": list}, MAX_UID_BODY_BYTES)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            account, _ = self._place(db, command, (ledger.STORE, "reject"))
            left = stock.destroy(db, account, command["quantity"], command["document"], command["who"], command["reason"],
                                 command.get("uids"))  # fmt: skip
            return {"account": account, "destroyed": command["quantity"], "left": left}

        return await self._do(request, command, work)

    async def give_back(self, request: Request) -> Response:
        command = await read_act(request, {"quantity": int, "document": str, **_WHO})

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            left = stock.give_back(db, command["quantity"], command["document"], command["who"], command["reason"])
            return {"returned": command["quantity"], "store": left}

        return await self._do(request, command, work)

    async def incidents(self, _request: Request) -> Response:
        rows = await self._p.store.read(incidents.open_incidents)
        return JSONResponse({"incidents": [_incident(row) for row in rows]})

    async def explain(self, request: Request) -> Response:
        number, command = read_number(request.path_params["incident"], "incident"), await read_act(request, _WHO)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            return {"incident": _incident(incidents.explain(db, number, command["who"], command["reason"]))}

        return await self._do(request, command, work)

    async def _do(self, request: Request, command: Mapping[str, Any], work: Work) -> Response:
        asked = {name: value for name, value in command.items() if name != "key"} | {"path": request.url.path}
        answer = await self._p.store.transact(acts.once, command.get("key"), asked, work)
        self._p.changed()
        return JSONResponse(dict(answer))

    def _lane(self, name: str) -> str:
        if name not in self._p.lanes:
            problem = Problem("lane.unknown", "lane", f"Jalur {name} tidak ada; yang ada: {', '.join(self._p.lanes)}.",
                              f"There is no lane {name}; there are: {', '.join(self._p.lanes)}.")  # fmt: skip
            raise RequestRefused(problem, found=False)
        return name

    def _stocked_lane(self, db: sqlite3.Connection, name: str) -> str:
        """A lane of the configuration, or one that was taken out of it and still has blanks."""
        return name if ledger.of_lane(db, name) != Balance() else self._lane(name)

    def _quiet_lane(self, db: sqlite3.Connection, name: str) -> str:
        """The lane, if it cannot take a blank while a person counts them.

        Asked within the act, so that one that was done already is answered whatever the lane does now.
        """
        now = self._p.snapshot()  # immutable, so that the database's thread may read it
        works = any(lane.name == name and lane.activity != "waiting" for lane in now.lanes)
        if works and not now.held:
            raise batches.refused("stock.busy", "lane", f"Jalur {name} sedang bekerja; tekan HOLD, lalu hitung dan ulangi.",
                                  f"Lane {name} is working; press HOLD, then count and try again.")  # fmt: skip
        return self._stocked_lane(db, name)

    def _place(self, db: sqlite3.Connection, command: Mapping[str, Any], known: tuple[str, ...]) -> tuple[str, str | None]:
        """The account that `place` and `lane` name, and the lane if there is one."""
        place, lane = command["place"], command.get("lane")
        if place not in known:
            raise wrong("place", f"place harus salah satu dari {', '.join(known)}.", f"place must be one of {', '.join(known)}.")
        of_lane = {"hopper": ledger.hopper, "reject": ledger.reject_bin}.get(place)
        if (of_lane is None) != (lane is None):
            raise wrong("lane", "Sebut jalur untuk hopper dan kotak tolak, dan hanya untuk itu.",
                        "Name the lane of a hopper or reject box, and of nothing else.")  # fmt: skip
        if of_lane is None or lane is None:
            return {"ribbon": ledger.RIBBON_STORE}.get(place, place), None
        return of_lane(self._stocked_lane(db, lane)), lane

    def _sets(self, command: Mapping[str, Any], lane: str) -> int:
        sets = command.get("quantity", self._p.ribbon_sets.get(lane))
        if sets is None:
            raise wrong("quantity", "Jumlah set pada pita harus disebut.", "The number of sets on the roll must be said.")
        return int(sets)


def _fit(lane: str, sets: int, command: Mapping[str, Any], db: sqlite3.Connection) -> Mapping[str, Any]:
    old = ribbons.fit(db, lane, sets, command["who"], command["reason"])
    return {"lane": lane, "sets": sets, "old_roll": None if old is None else {"sets": old.sets, "used": old.used}}


def _show(db: sqlite3.Connection) -> dict[str, Any]:
    return {
        "accounts": {**ledger.places(db), **ledger.balances(db)},
        "batches": [asdict(batch) | {"received": wall_text(batch.received_us)} for batch in batches.newest(db)],
        "incidents": [_incident(row) for row in incidents.open_incidents(db)],
        "rolls": [asdict(roll) | {"fitted": wall_text(roll.fitted_us)} for roll in ribbons.newest(db)],
    }


def _incident(row: Incident) -> dict[str, Any]:
    kind = KINDS[row.kind]
    return asdict(row) | {"raised": wall_text(row.raised_us), "text_id": kind.id, "text_en": kind.en}
