"""The HTTP interface, for loopback and Unix sockets: jobs in and out, acts of staff, the station now, metrics, health.

Every refusal is JSON `{"problems": [{"code", "place", "id", "en"}, ...]}` with the status that fits. Bodies are bounded while
they arrive, so a 100 MB body costs no memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.clock import wall_text
from controller.conditions import CONDITIONS
from controller.errors import Problem, RecordRefused, RendererFailed, RequestRefused, StoreBroken, StoreError, StoreFull
from controller.http import care as care_api
from controller.http import questions as question_api
from controller.http import stock as stock_api
from controller.http.care import CareParts
from controller.http.guard import HttpGuard
from controller.http.input import read_body, read_command, read_number, wrong
from controller.http.stock import StockParts
from controller.intake import Intake
from controller.jobs import events, journal, queue
from controller.jobs.queue import Job
from controller.jobs.store import Store
from controller.metrics import CONTENT_TYPE, Metrics
from controller.model import Balance, JobState, LaneStatus, StationSnapshot
from controller.panel import page
from controller.records.canonical import MAX_BYTES

_STATUS = {"body.too_long": 413, "request.wrong": 400, "request.socket": 403}  # of refused requests; others are conflicts

Handler = Callable[[Request], Awaitable[Response]]


class HoldOrGo(Protocol):
    """Presses HOLD or GO for somebody who cannot."""

    async def __call__(self, who: str, *, held: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """What the routes act on."""

    store: Store
    intake: Intake
    metrics: Metrics
    snapshot: Callable[[], StationSnapshot]
    lanes: tuple[str, ...]
    max_remakes: int
    hold_or_go: HoldOrGo
    changed: Callable[[], None]  # wakes lanes and counts again after an act of staff
    healthy: Callable[[], Mapping[str, bool]]
    ribbon_sets: Mapping[str, int]  # on a new roll of each lane, by its printer's profile

    @property
    def stock(self) -> StockParts:
        """What the routes of the ledger act on."""
        return StockParts(self.store, self.snapshot, self.lanes, self.ribbon_sets, self.changed)

    @property
    def care(self) -> CareParts:
        """What the routes of printer care act on."""
        return CareParts(self.store, self.snapshot, self.lanes, self.changed)


def build(backend: Backend) -> HttpGuard:
    """The application with all routes, guarded against web pages."""
    api = _Api(backend)
    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/api/v1/jobs", api.submit),
        ("GET", "/api/v1/jobs", api.jobs),
        ("GET", "/api/v1/jobs/{job}", api.job),
        ("POST", "/api/v1/jobs/{job}/cancel", api.cancel),
        ("POST", "/api/v1/jobs/{job}/retry", api.retry),
        ("POST", "/api/v1/hold", api.hold),
        ("POST", "/api/v1/go", api.go),
        ("GET", "/api/v1/station", api.station),
        ("GET", "/api/v1/log/head", api.log_head),
        ("GET", "/", api.panel),
        ("GET", "/panel.css", api.panel_style),
        ("GET", "/metrics", api.metrics),
        ("GET", "/healthz", api.healthz),
    ]
    return HttpGuard(
        Starlette(
            routes=[
                *(Route(path, handler, methods=[method]) for method, path, handler in routes),
                *question_api.routes(backend.store, backend.max_remakes, backend.changed),
                *stock_api.routes(backend.stock),
                *care_api.routes(backend.care),
            ],
            exception_handlers={
                RecordRefused: _refused_record,
                RequestRefused: _refused_request,
                RendererFailed: _renderer_failed,
                StoreFull: _store_full,
                StoreError: _store_failed,
                ClientDisconnect: _gone,
                HTTPException: _not_served,
            },
        )
    )


class _Api:
    def __init__(self, backend: Backend) -> None:
        self._b = backend

    async def submit(self, request: Request) -> Response:
        body = await read_body(request, MAX_BYTES)
        try:
            accepted = await self._b.intake.submit(body)
        except RecordRefused:
            self._b.metrics.record_refused()
            raise
        return JSONResponse({"job": _job(accepted.job), "created": accepted.created}, 201 if accepted.created else 200)

    async def jobs(self, request: Request) -> Response:
        query = request.query_params
        wanted = query.get("state")
        if wanted is not None and wanted not in list(JobState):
            known = ", ".join(JobState)
            raise wrong("state", f"state harus salah satu dari {known}.", f"state must be one of {known}.")
        state = None if wanted is None else JobState(wanted)
        after, limit = read_number(query.get("after", "0"), "after"), read_number(query.get("limit", "100"), "limit")
        rows = await self._b.store.read(queue.page, state, after, limit)
        return JSONResponse({"jobs": [_job(job) for job in rows]})

    async def job(self, request: Request) -> Response:
        number = read_number(request.path_params["job"], "job")
        job = await self._b.store.read(queue.find, number)
        return JSONResponse({"job": _job(job), "passages": await self._b.store.read(journal.of_job, number)})

    async def cancel(self, request: Request) -> Response:
        return await self._change_job(request, queue.cancel)

    async def retry(self, request: Request) -> Response:
        return await self._change_job(request, queue.retry)

    async def hold(self, request: Request) -> Response:
        return await self._hold_or_go(request, held=True)

    async def go(self, request: Request) -> Response:
        return await self._hold_or_go(request, held=False)

    async def _hold_or_go(self, request: Request, *, held: bool) -> Response:
        """The buttons as a command, for when they answer a question, or are broken."""
        command = await read_command(request, {"who": str})
        await self._b.hold_or_go(command["who"], held=held)
        return JSONResponse({"held": held})

    async def _change_job(self, request: Request, change: Callable[[sqlite3.Connection, int, str, str], Job]) -> Response:
        number, command = read_number(request.path_params["job"], "job"), await read_command(request, {"who": str, "reason": str})
        job = await self._b.store.transact(change, number, command["who"], command["reason"])
        self._b.changed()
        return JSONResponse({"job": _job(job)})

    async def station(self, _request: Request) -> Response:
        now = self._b.snapshot()
        lanes = [_lane(lane, now.blanks[lane.name]) for lane in now.lanes]
        facts = {name: value for name, value in asdict(now).items() if name not in ("lanes", "outcomes", "blanks")}
        return JSONResponse({**facts, "cards": now.outcomes, "lanes": lanes})

    async def log_head(self, _request: Request) -> Response:
        """The event log's newest row, and whose log it is: what an auditor notes down. 404 while there is no log."""
        genesis, head = await self._b.store.read(lambda db: (events.genesis(db), events.head(db)))
        if genesis is None or head is None:
            raise RequestRefused(Problem("log.empty", "log", "Log masih kosong.", "The log is empty."), found=False)
        return JSONResponse({**asdict(head), "anchor": head.anchor, **asdict(genesis)})

    async def panel(self, _request: Request) -> Response:
        return Response(page.page(self._b.snapshot()), media_type="text/html", headers=page.HEADERS)

    async def panel_style(self, _request: Request) -> Response:
        return Response(page.STYLE, media_type="text/css", headers=page.HEADERS)

    async def metrics(self, _request: Request) -> Response:
        return Response(self._b.metrics.page(), media_type=CONTENT_TYPE)

    async def healthz(self, _request: Request) -> Response:
        parts = dict(self._b.healthy())
        return JSONResponse({"healthy": all(parts.values()), "parts": parts}, 200 if all(parts.values()) else 503)


def _job(job: Job) -> dict[str, Any]:
    facts = {"id": job.id, "record_id": job.record_id, "state": job.state, "reason": "", "remakes": job.remakes,
             "received": wall_text(job.received_us), "changed": wall_text(job.changed_us)}  # fmt: skip
    return facts if job.why is None else facts | {"reason": job.why.code, "reason_id": job.why.id, "reason_en": job.why.en}


def _lane(lane: LaneStatus, blanks: Balance) -> dict[str, Any]:
    facts = asdict(lane) | {"hopper": blanks.hopper, "in_passage": blanks.passage, "rejected": blanks.reject}
    if lane.condition is None:
        return facts
    condition = CONDITIONS[lane.condition]
    return facts | {"condition_id": condition.id, "condition_en": condition.en, "severity": condition.severity,
                    "clears": condition.clears, "card_inside": condition.card_inside}  # fmt: skip


def _problems(problems: list[Problem], status: int) -> Response:
    return JSONResponse({"problems": [asdict(problem) for problem in problems]}, status)


async def _refused_record(_request: Request, error: Exception) -> Response:
    return _problems(error.problems if isinstance(error, RecordRefused) else [], 422)


async def _refused_request(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestRefused):
        raise error
    status = 404 if not error.found else _STATUS.get(error.problem.code, 409)
    return _problems([error.problem], status)


async def _renderer_failed(_request: Request, _error: Exception) -> Response:
    condition = CONDITIONS["renderer_failed"]
    return _problems([Problem(condition.code, "", condition.id, condition.en)], 503)


async def _store_full(_request: Request, _error: Exception) -> Response:
    condition = CONDITIONS["disk_full"]
    return _problems([Problem("store.full", "", condition.id, condition.en)], 507)


async def _store_failed(_request: Request, error: Exception) -> Response:
    condition = CONDITIONS["store_failed"]
    problem = error.problem if isinstance(error, StoreBroken) else Problem("store.failed", "", condition.id, condition.en)
    return _problems([problem], 503)


async def _not_served(_request: Request, error: Exception) -> Response:
    """No such address, or another method."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    problem = Problem("request.address", "", "Alamat atau metode ini tidak ada di stasiun; periksa penulisannya.",
                      "The station has no such address or method; check how it is written.")  # fmt: skip
    return _problems([problem], status)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)
