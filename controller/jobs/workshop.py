"""Gets the next job ready before a blank is fed: face rendered, chip files read, everything in memory.

Bad artwork must never cost a blank, and the printer must never wait for a renderer: while one card is printed the next one
is prepared here. A fault of the record holds its job; a fault of the machinery leaves the job ready and is told to the lane.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from controller.errors import PayloadLost, Problem, RecordRefused, RendererFailed, RenderError, StoreError, StoreFull
from controller.jobs import queue
from controller.jobs.queue import Job
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import ChipFile, Panel

_LOST = Problem(
    queue.PAYLOAD_LOST, "", "Data kartu ini hilang atau berubah di disk; serahkan lagi datanya dengan 'print-station submit'.",
    "This card's data is missing or changed on disk; hand the same record in again with 'print-station submit'.",
)  # fmt: skip


class Artist(Protocol):
    """Draws a stored record's face as panels. Raises RenderError when it cannot be drawn, RendererFailed, StoreError."""

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Draw the record and leave the panel file at `out_path`."""


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job with everything a passage needs."""

    job: Job
    panels: Sequence[Panel]
    files: Sequence[ChipFile]


@dataclass(frozen=True, slots=True)
class Setback:
    """No job could be prepared, and it was no job's fault."""

    condition: str  # key of CONDITIONS
    detail: str


class Nothing(Enum):
    """Nothing came of it, and that is no setback."""

    READY = auto()  # there is no ready job
    LEFT = auto()  # the job looked at was put aside: look again


Outcome = PreparedJob | Setback | Nothing


def _storage_setback(error: StoreError | OSError) -> Setback:
    return Setback("disk_full" if isinstance(error, StoreFull) else "store_failed", str(error))


class Workshop:
    """Prepares one job ahead for one lane. `taken` is shared by the lanes of a station so that no two prepare the same job."""

    def __init__(self, store: Store, spool: Spool, artist: Artist, folder: Path, read_panels: Callable[[Path], Sequence[Panel]],
                 read_chip: Callable[[bytes], Sequence[ChipFile]], taken: set[int]) -> None:  # fmt: skip
        self._store = store
        self._spool = spool
        self._artist = artist
        self._folder = folder
        self._read_panels = read_panels
        self._read_chip = read_chip
        self._taken = taken
        self._ahead: asyncio.Task[Outcome] | None = None
        self._abandoned = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left_over in folder.iterdir():  # a drawn face is a person's data: none outlives the run that drew it
            left_over.unlink()

    def start_ahead(self, group: asyncio.TaskGroup) -> None:
        """Begin to prepare the next job, unless one is prepared or being prepared already."""
        if self._abandoned:
            return
        if self._ahead is None or (self._ahead.done() and not isinstance(self._ahead.result(), PreparedJob)):
            self._ahead = group.create_task(self._prepare_next(), name="prepare next job")

    @property
    def at_hand(self) -> bool:
        """Whether a job is prepared and may be taken."""
        ahead = self._ahead
        return ahead is not None and ahead.done() and not ahead.cancelled() and isinstance(ahead.result(), PreparedJob)

    def take(self) -> PreparedJob | None:
        """The job at hand; None when none is. The caller must say `done` to it."""
        if self._ahead is None or not self._ahead.done() or self._ahead.cancelled():
            return None
        found, self._ahead = self._ahead.result(), None
        return found if isinstance(found, PreparedJob) else None

    async def wait(self, group: asyncio.TaskGroup) -> Outcome:
        """Prepare until a job is at hand (then `take` it), or nothing came of it."""
        self.start_ahead(group)
        ahead = self._ahead
        if ahead is None:
            return Nothing.READY
        await asyncio.wait([ahead])
        return Nothing.READY if ahead.cancelled() else ahead.result()

    def give_back(self) -> None:
        """The lane cannot work now: another may have the job."""
        prepared = self.take()
        if prepared is not None:
            self.done(prepared)

    def abandon(self) -> None:
        """The lane stops: do not finish what is being prepared, and prepare no more."""
        self._abandoned = True
        if self._ahead is not None:
            self._ahead.cancel()

    def done(self, prepared: PreparedJob) -> None:
        """The job was fed, or is no longer wanted."""
        self._taken.discard(prepared.job.id)

    async def _prepare_next(self) -> Outcome:
        """Prepare the oldest ready job. A fault of the storage is a setback: the card in hand must not suffer for it."""
        mine: set[int] = set()
        found: Outcome = Nothing.READY
        try:
            found = await self._prepare_one(mine)
        except (StoreError, OSError) as error:
            found = _storage_setback(error)
        finally:
            self._taken -= mine - ({found.job.id} if isinstance(found, PreparedJob) else set())
        return found

    async def _prepare_one(self, mine: set[int]) -> Outcome:
        """When the machinery fails, another job tells whether it is the machinery or the record: what fails twice where
        another succeeds in between is the record's own fault."""
        job = await self._next(mine)
        if job is None:
            return Nothing.READY
        found = await self._try(job)
        if isinstance(found, PreparedJob):
            return found
        if not isinstance(found, RendererFailed):
            await self._store.transact(queue.hold, job.id, found.problem)
            return Nothing.LEFT
        other = await self._next(mine)
        second = found if other is None else await self._try(other)
        if isinstance(second, RendererFailed):
            return Setback("renderer_failed", str(found))
        again = await self._try(job) if isinstance(second, PreparedJob) else None
        for suspect, fault in ((job, again), (other, second)):
            if suspect is not None and isinstance(fault, RenderError):
                await self._store.transact(queue.hold, suspect.id, fault.problem)
        return second if isinstance(second, PreparedJob) else Nothing.LEFT

    async def again(self, job_id: int) -> PreparedJob | RenderError | Setback:
        """Prepare the job of a passage that goes on after an interruption. Returns why it cannot be prepared now, or ever."""
        job = await self._store.read(queue.find, job_id)
        try:
            found = await self._try(job)
        except (StoreError, OSError) as error:
            return _storage_setback(error)
        return Setback("renderer_failed", str(found)) if isinstance(found, RendererFailed) else found

    async def _next(self, mine: set[int]) -> Job | None:
        """The oldest ready job that no lane has taken; taken by us from here on."""
        while (job := await self._store.read(queue.next_ready, frozenset(self._taken))) is not None:
            if job.id not in self._taken:  # another lane may have been quicker while we asked
                self._taken.add(job.id)
                mine.add(job.id)
                return job
        return None

    async def _try(self, job: Job) -> PreparedJob | RenderError:
        path = self._folder / f"{job.id}.panels"
        try:
            canonical = await asyncio.to_thread(self._spool.get, job.payload)
            await self._artist.render(self._spool.path(job.payload), path)
            panels = await asyncio.to_thread(self._take_in, path)
            return PreparedJob(job, panels, await asyncio.to_thread(self._read_chip, canonical))
        except RenderError as error:
            return error
        except RecordRefused as error:  # accepted by an older program, refused by this one
            return RenderError(error.problems[0])
        except PayloadLost:
            return RenderError(_LOST)

    def _take_in(self, path: Path) -> list[Panel]:
        panels = [replace(panel, sha256=hashlib.sha256(panel.data).hexdigest()) for panel in self._read_panels(path)]
        path.unlink(missing_ok=True)
        return panels
