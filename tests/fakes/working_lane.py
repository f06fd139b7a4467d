"""A lane at work in memory, over `FakeLane`: store, spool and an artist that draws nothing, for the tests of the lane worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.errors import DeviceError, DeviceRefused, Problem, RendererFailed, RenderError
from controller.jobs import queue
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.model import ChipFile, JobState, LaneStatus, Panel, Verdict
from tests.fakes.lane import FILES, PANELS, FakeLane
from tests.fakes.stock import fill

LIMIT_S = 20.0  # generous: only a broken test waits so long


class Artist:
    """Draws nothing; finds fault with the records whose content is named, and breaks when told to."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []
        self.undrawable = b""
        self.crashes_on: set[bytes] = set()
        self.on_render: Callable[[], None] = lambda: None

    async def render(self, record_path: Path, out_path: Path) -> None:
        content = record_path.read_bytes()
        self.on_render()
        if content == self.undrawable:
            raise RenderError(Problem("face.too_long", "person.name", "Nama terlalu panjang.", "The name is too long."))
        if content in self.crashes_on:
            raise RendererFailed(Problem("render.crashed", "", "Penggambar mati.", "The renderer died."))
        self.drawn.append(content)
        out_path.write_bytes(content)


@dataclass(frozen=True)
class Ribbon:
    """A ribbon type, as far as the lane looks at it."""

    panels: tuple[str, ...]
    back_panels: tuple[str, ...] = ()


@dataclass(kw_only=True)
class AtWork:
    """A lane's worker, and what it told."""

    results: list[Result] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    worker: LaneWorker = field(init=False)

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not seen():
                self.news.clear()
                await self.news.wait()

    async def until_waiting_for(self, condition: str) -> None:
        await self.until(lambda: self.worker.status.condition == condition)

    def over(self, result: Result) -> None:
        self.results.append(result)
        self.news.set()

    def ruled(self, ruling: Ruling) -> None:
        self.rulings.append(ruling)
        self.news.set()


@dataclass
class Site(AtWork):
    """One lane at work."""

    store: Store
    spool: Spool
    lane: FakeLane
    artist: Artist
    taken: set[int] = field(default_factory=set)
    held: bool = False
    panel_up: bool = True
    statuses: list[LaneStatus] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=lambda: PANELS)
    contents: Callable[[bytes], Sequence[ChipFile]] = lambda _record: FILES
    workshop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        folder = self.spool.folder.parent / "rendered"
        self.workshop = Workshop(
            self.store,
            self.spool,
            self.artist,
            folder,
            lambda _path: self.panels,
            lambda record: self.contents(record),
            self.taken,
        )
        self.worker = self.build()

    def build(self, **changes: Any) -> LaneWorker:
        """A worker with this policy; the devices are those of the lane as they are now."""
        links = LaneLinks(
            is_held=lambda: self.held,
            panel_up=lambda: self.panel_up,
            status=self._status,
            stage_took=lambda _stage, _seconds: None,
            passage_over=self.over,
            ruled=self.ruled,
        )
        policy = LanePolicy("held", ejects_at_power_on=False, reader="reader 1", max_remakes=1, max_rejects_in_row=3)
        worker = LaneWorker("1", self.lane.devices, self.store, self.spool, self.workshop, replace(policy, **changes), links)
        self.lane.sensors.on_change(lambda: self.worker.wake())
        return worker

    async def submit(self, *names: bytes) -> None:
        for name in names:
            await self.store.transact(queue.accept, self.spool, f"digest-{name!r}", name.decode(), name)
        self.worker.wake()

    async def load(self, count: int) -> None:
        self.lane.load(count)
        await self.store.transact(fill, "1", count)
        self.worker.wake()

    async def states(self) -> dict[JobState, int]:
        return {state: count for state, count in (await self.store.read(queue.counts)).items() if count}

    @property
    def verdicts(self) -> list[Verdict | None]:
        return [result.verdict for result in self.results]

    def _status(self, status: LaneStatus) -> None:
        self.statuses.append(status)
        self.news.set()


@asynccontextmanager
async def working(site: AtWork) -> AsyncIterator[None]:
    """The worker runs while the block does, then is told to stop and must end by itself."""
    running = asyncio.create_task(site.worker.run())
    try:
        yield
    finally:
        site.worker.stop()
        await asyncio.wait_for(running, LIMIT_S)


def raising(error: DeviceError) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


def once(site: Site, act: str, trouble: Callable[[], None]) -> None:
    """The trouble strikes the first such act only."""

    def strike() -> None:
        del site.lane.before[act]
        trouble()

    site.lane.before[act] = strike


@dataclass
class Counted:
    """A trouble that strikes each time, and how often it did."""

    trouble: Callable[[], None]
    news: asyncio.Event
    times: int = 0

    def __call__(self) -> None:
        self.times += 1
        self.news.set()
        self.trouble()


def refusing(condition: str, detail: str) -> Callable[[], None]:
    def fail() -> None:
        raise DeviceRefused(condition, detail)

    return fail


async def asked_for_nothing(site: Site, looks: list[str]) -> None:
    """The worker had every chance to look, and did not."""
    seen = len(looks)
    for _ in range(20):
        site.worker.wake()  # as a sensor does, or another card's answer
        await site.store.read(lambda _db: None)
    assert len(looks) == seen
