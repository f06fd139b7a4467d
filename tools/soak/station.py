"""One life of the station: the real store, journal, workers and log over the lanes of a town, until it is stopped or killed.

A kill is what a process sees of it: from that instant no call reaches the database, no task goes on, nothing is closed in good
order. The next life starts on the same folder.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from controller.errors import Problem, RendererFailed
from controller.jobs import journal
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.stages import LaneDevices
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.log_keeper import LogKeeper
from controller.model import LaneStatus
from tests.fakes.fast_chip import FastChipStation
from tests.fakes.fast_printer import FastPrinter
from tests.fakes.pins import FakeLaneSensors
from tests.fakes.virtual_time import TurnConnection
from tools.soak.contents import Artist
from tools.soak.town import SoakLane, Town

P = ParamSpec("P")
T = TypeVar("T")

MAX_REMAKES = 1
MAX_REJECTS_IN_ROW = 3
BURIED_S = 60.0  # a cancelled task has nothing to wait for
ASKED = "asked"  # a task whose failure is the asker's


class StationGoneError(Exception):
    """The station died before it answered."""


class Life:
    """One run of the station."""

    def __init__(self, town: Town, folder: Path, over: Callable[[SoakLane, Result], None], seen: Callable[[SoakLane], None],
                 fail: Callable[[BaseException], None]) -> None:  # fmt: skip
        self._town = town
        self._folder = folder
        self._over = over
        self._seen = seen
        self._fail = fail
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._store: Store | None = None
        self._keeper: LogKeeper | None = None
        self._taken: set[int] = set()
        self._calls_left: int | None = None  # store calls until the kill
        self._kill_after_call = False
        self.workers: dict[str, LaneWorker] = {}
        self.held = self._stopping = False
        self.up = False
        self.dead = False
        self.died = asyncio.Event()
        TurnConnection.on_turn = self._on_turn

    async def start(self) -> None:
        """Come up, as controller.app does."""
        await self._on_task(self._start())

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For people: a change through this station. StationGoneError when it dies before it says that it was done."""
        return await self._on_task(self._need_store().transact(work, *args, **kwargs))

    async def read(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For people: a look."""
        return await self._on_task(self._need_store().read(work, *args, **kwargs))

    def kill(self) -> None:
        """At this instant."""
        if not self.dead:
            self.dead, self.up = True, False
            for task in self._tasks:
                task.cancel()
            for lane in self._town.lanes.values():
                lane.sensors = None
            self.died.set()

    def kill_at_call(self, calls: int, *, after: bool) -> None:
        """Before or right after the n-th store call from now."""
        self._calls_left, self._kill_after_call = calls, after

    async def stop(self) -> None:
        """In good order: the cards in hand are finished first. It may be killed meanwhile."""
        self.up = False
        if self._stopping:
            await self.died.wait()
            return
        self._stopping = True
        for worker in self.workers.values():
            worker.stop()
        lanes = [task for task in self._tasks if task.get_name().startswith("lane")]
        if lanes:
            await asyncio.wait(lanes)
        with suppress(StationGoneError):
            await self._on_task(self._need_keeper().finish())
            await self._on_task(self._need_store().close())
        self.kill()

    async def bury(self) -> None:
        """Wait until nothing of it moves, and let go of its files as a dead process does."""
        if self._tasks:
            _, alive = await asyncio.wait(list(self._tasks), timeout=BURIED_S)
            if alive:
                self._fail(RuntimeError(f"tasks that cannot be cancelled: {[task.get_name() for task in alive]}"))
        store = self._store
        if store is not None:
            connection: Any = store._connection  # noqa: SLF001 - a dead process has no public way to end
            if connection._db is not None:  # noqa: SLF001 - as above
                connection.drop()
                os.close(store._lock_fd)  # noqa: SLF001 - as above

    def changed(self) -> None:
        """Somebody did something."""
        for worker in self.workers.values():
            worker.wake()

    def job_arrived(self) -> None:
        """A job was accepted."""
        for worker in self.workers.values():
            worker.job_arrived()

    def go(self, *, held: bool) -> None:
        """HOLD or GO was pressed."""
        self.held = held
        for worker in self.workers.values():
            worker.wake() if held else worker.forgive()

    async def _start(self) -> None:
        store = self._store = await Store.open(self._folder)
        self._spool = Spool(self._folder / "spool", 0)
        self._keeper = LogKeeper(store, "soak", lambda _size: False, lambda: None)
        await self._keeper.begin()
        self.workers = {lane.name: self._worker(store, lane) for lane in self._town.lanes.values()}
        await store.transact(journal.suspect_all)
        self.held = await store.read(journal.held_flag)
        self._run("log", self._keeper.run())
        for name, worker in self.workers.items():
            self._run(f"lane {name}", worker.run())
        self.up = True

    def _worker(self, store: Store, lane: SoakLane) -> LaneWorker:
        contents = self._town.contents
        workshop = Workshop(store, self._spool, Artist(self._maybe_fail), self._folder / "rendered" / lane.name,
                            contents.read_panels, contents.files, self._taken)  # fmt: skip
        policy = LanePolicy(lane.plan, lane.ejects, lane.reader_name, MAX_REMAKES, MAX_REJECTS_IN_ROW)
        lane.sensors, lane.reader = FakeLaneSensors(), self._reader(lane)
        lane.show_levels()
        devices = LaneDevices(FastPrinter(lane), lane.reader, lane.sensors)
        worker = LaneWorker(lane.name, devices, store, self._spool, workshop, policy, self._links(lane))
        lane.sensors.on_change(worker.wake)
        return worker

    def _reader(self, lane: SoakLane) -> FastChipStation:
        reader = FastChipStation(self._town.chip, lane.card_at_reader, self._town.air_s)
        reader.trouble = "" if lane.reader is None else lane.reader.trouble
        return reader

    def _links(self, lane: SoakLane) -> LaneLinks:
        return LaneLinks(
            is_held=lambda: self.held,
            panel_up=lambda: True,
            status=lambda status: self._status(lane, status),
            stage_took=lambda _stage, _seconds: None,
            passage_over=lambda result: self._passage_over(lane, result),
            ruled=self._ruled,
        )

    def _status(self, lane: SoakLane, status: LaneStatus) -> None:
        if not self.dead:
            lane.status = status
            self._seen(lane)

    def _passage_over(self, lane: SoakLane, result: Result) -> None:
        if not self.dead:
            self._need_keeper().passage_over()
            self._over(lane, result)

    def _ruled(self, ruling: Ruling) -> None:
        self._town.rulings[ruling.row] += 1

    def _maybe_fail(self) -> None:
        if self._town.rng.random() < 0.0005:
            self._town.faults["renderer crashed"] += 1
            raise RendererFailed(Problem("render.crashed", "", "Penggambar mati.", "The renderer died."))

    def _run(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and task.get_name() != ASKED:
            self._fail(error)

    async def _on_task(self, work: Coroutine[Any, Any, T]) -> T:
        """So that a kill ends the work and not whoever asked for it."""
        if self.dead:
            work.close()
            raise StationGoneError
        task = self._run(ASKED, work)
        await asyncio.wait([task])
        if task.cancelled():
            raise StationGoneError
        result: T = task.result()
        return result

    def _on_turn(self, call: Callable[[], None]) -> None:
        if self.dead:
            return
        if self._calls_left is not None:
            self._calls_left -= 1
            if self._calls_left <= 0:
                if self._kill_after_call:
                    call()
                self.kill()
                return
        call()

    def _need_store(self) -> Store:
        if self._store is None:
            raise StationGoneError
        return self._store

    def _need_keeper(self) -> LogKeeper:
        if self._keeper is None:
            raise StationGoneError
        return self._keeper
