"""The HTTP routes of printer care: what each printer says of its upkeep, cleaning, test card, accepted settings.

Acts are taken over the Unix socket only. Cleaning and test card are done by the lane's own task between passages; the answer
comes when they are over, or after WAIT_S with `outcome` empty: then `GET /api/v1/printers` tells how it ended. An act may carry
a `key` of the caller's own: the same command sent again with it is answered, not done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.clock import Deadline, wall_text
from controller.conditions import CONDITIONS
from controller.errors import Problem, RequestRefused
from controller.http.input import read_act
from controller.jobs import acts, care_acts, printer_settings
from controller.jobs.care_acts import CareAct, Kind
from controller.jobs.printer_settings import Setting
from controller.jobs.store import Store
from controller.model import JobState, LaneStatus, RollYield, StationSnapshot

WAIT_S = 45.0  # less than the command waits for an answer
LOOK_S = 0.25  # how often it is looked whether the act is over; a person asks for one a day
_WHO: Mapping[str, type] = {"who": str, "reason": str}

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class CareParts:
    """What the routes act on."""

    store: Store
    snapshot: Callable[[], StationSnapshot]
    lanes: tuple[str, ...]
    changed: Callable[[], None]


def routes(parts: CareParts) -> list[Route]:
    """Reading is open to all who may read the station; acts are not."""
    api = _CareApi(parts)
    rows: list[tuple[str, str, Handler]] = [
        ("GET", "/api/v1/printers", api.show),
        ("POST", "/api/v1/printers/{lane}/clean", partial(api.do, Kind.CLEAN)),
        ("POST", "/api/v1/printers/{lane}/test-card", partial(api.do, Kind.TEST_CARD)),
        ("POST", "/api/v1/printers/{lane}/accept-settings", api.accept),
    ]
    return [Route(path, handler, methods=[method]) for method, path, handler in rows]


class _CareApi:
    def __init__(self, parts: CareParts) -> None:
        self._p = parts

    async def show(self, _request: Request) -> Response:
        now = self._p.snapshot()
        return JSONResponse({"printers": [await self._printer(lane, now.ribbons.get(lane.name)) for lane in now.lanes]})

    async def do(self, kind: Kind, request: Request) -> Response:
        """Ask for an act and wait until it is over."""
        lane, command = self._lane(request), await read_act(request, _WHO)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            self._must_be_quiet(lane)
            return {"care": care_acts.ask(db, lane, kind, command["who"], command["reason"])}

        asked = await self._act(request, command, work)
        limit = Deadline.after(WAIT_S)
        act = await self._p.store.read(care_acts.find, asked["care"])
        while act.ended_us is None and not limit.passed and not self._p.snapshot().stopping:
            await asyncio.sleep(LOOK_S)
            act = await self._p.store.read(care_acts.find, act.id)
        return JSONResponse(_told(act))

    async def accept(self, request: Request) -> Response:
        """Take what the printer says of its settings now as what it should say."""
        lane, command = self._lane(request), await read_act(request, _WHO)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            accepted = printer_settings.accept(db, lane, self._serial(lane), command["who"], command["reason"])
            return {"lane": lane, "accepted": [_setting(setting) for setting in accepted]}

        return JSONResponse(dict(await self._act(request, command, work)))

    async def _act(self, request: Request, command: Mapping[str, Any],
                   work: Callable[[sqlite3.Connection], Mapping[str, Any]]) -> Mapping[str, Any]:  # fmt: skip
        asked = {name: value for name, value in command.items() if name != "key"} | {"path": request.url.path}
        answer = await self._p.store.transact(acts.once, command.get("key"), asked, work)
        self._p.changed()
        return answer

    async def _printer(self, lane: LaneStatus, roll: RollYield | None) -> dict[str, Any]:
        serial = None if lane.printer is None else lane.printer.serial
        settings = [] if serial is None else await self._p.store.read(printer_settings.known, serial)
        cleaned = await self._p.store.read(care_acts.last_cleaned, lane.name)
        done = await self._p.store.read(care_acts.newest, lane.name)
        condition = None if lane.condition is None else CONDITIONS[lane.condition]
        return {
            "lane": lane.name, "printer": None if lane.printer is None else asdict(lane.printer), "up": lane.printer_up,
            "condition": lane.condition, "condition_id": "" if condition is None else condition.id,
            "condition_en": "" if condition is None else condition.en, "detail": lane.detail,
            "asks": [{"condition": code, "id": CONDITIONS[code].id, "en": CONDITIONS[code].en} for code in lane.asks],
            "cards_until_cleaning": lane.cards_until_cleaning, "rest_s": lane.rest_s,
            "ribbon_remaining": lane.ribbon_remaining, "roll": None if roll is None else asdict(roll),
            "cleaned": None if cleaned is None else _told(cleaned), "care": [_told(act) for act in done],
            "settings": [_setting(setting) for setting in settings],
        }  # fmt: skip

    def _lane(self, request: Request) -> str:
        name = str(request.path_params["lane"])
        if name not in self._p.lanes:
            problem = Problem("lane.unknown", "lane", f"Jalur ini tidak ada; yang ada: {', '.join(self._p.lanes)}.",
                              f"There is no such lane; there are: {', '.join(self._p.lanes)}.")  # fmt: skip
            raise RequestRefused(problem, found=False)
        return name

    def _must_be_quiet(self, lane: str) -> None:
        """Raises RequestRefused while the lane may feed a blank any moment. Asked within the act, so that one that was done
        already is answered whatever the lane does now; the snapshot is immutable, so the database's thread may read it."""
        now = self._p.snapshot()
        activity = next(status.activity for status in now.lanes if status.name == lane)
        idle = activity == "idle" and now.jobs[JobState.READY] + now.jobs[JobState.ACTIVE] == 0
        if not (now.held or idle or activity == "waiting"):
            raise RequestRefused(
                Problem("care.busy", "lane", f"Jalur {lane} sedang bekerja; tekan HOLD, tunggu kartunya selesai, lalu ulangi.",
                        f"Lane {lane} is working; press HOLD, wait until its card is finished, then try again.")
            )  # fmt: skip

    def _serial(self, lane: str) -> str:
        status = next(status for status in self._p.snapshot().lanes if status.name == lane)
        if status.printer is None:
            raise RequestRefused(
                Problem("care.unseen", "lane", f"Printer jalur {lane} belum pernah menjawab; periksa daya dan kabel USB.",
                        f"The printer of lane {lane} has not answered yet; check its power and USB cable.")
            )  # fmt: skip
        return status.printer.serial


def _told(act: CareAct) -> dict[str, Any]:
    """An act as its caller reads it; why it was not done in both languages."""
    condition = CONDITIONS.get(act.condition)
    return {
        "care": act.id, "lane": act.lane, "kind": act.kind, "who": act.who, "asked": wall_text(act.asked_us),
        "ended": None if act.ended_us is None else wall_text(act.ended_us), "outcome": act.outcome, "condition": act.condition,
        "condition_id": "" if condition is None else condition.id, "condition_en": "" if condition is None else condition.en,
        "detail": act.detail, "counted": act.counted,
    }  # fmt: skip


def _setting(setting: Setting) -> dict[str, Any]:
    facts = {"name": setting.name, "accepted": setting.accepted, "seen": setting.seen, "differs": setting.differs}
    return facts | {"accepted_by": setting.accepted_by, "accepted_at": wall_text(setting.accepted_us)}
