"""Gets the next job ready before a blank is fed: face rendered, chip files read, everything in memory.

Bad artwork must never cost a blank, and the printer must never wait for a renderer: while one card is printed the next one
is prepared here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from controller.errors import RenderError, StoreError, StoreFull
from controller.jobs import queue
from controller.jobs.queue import Job
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import ChipFile, Panel


class Artist(Protocol):
    """Draws a stored record's face as panels. Raises RenderError when it cannot be drawn."""

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Draw the record and leave the panel file at `out_path`."""


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job with everything a passage needs."""

    job: Job
    panels: Sequence[Panel]
    files: Sequence[ChipFile]


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
        self._ahead: asyncio.Task[PreparedJob | None] | None = None
        self._kept: PreparedJob | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def start_ahead(self, group: asyncio.TaskGroup) -> None:
        """Begin to prepare the next job, unless one is prepared or being prepared already."""
        found_nothing = self._ahead is not None and self._ahead.done() and self._ahead.result() is None
        if self._ahead is None or found_nothing:
            self._ahead = group.create_task(self._prepare_next(), name="prepare next job")

    async def take(self, group: asyncio.TaskGroup) -> PreparedJob | None:
        """The next job, prepared; None when nothing is ready. The caller must `done` or `keep` it."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        self.start_ahead(group)
        ahead, self._ahead = self._ahead, None
        return None if ahead is None else await ahead

    def keep(self, prepared: PreparedJob) -> None:
        """It cannot be fed now: give it out again first."""
        self._kept = prepared

    def done(self, prepared: PreparedJob) -> None:
        """The job was fed or is no longer ready: forget it and its picture."""
        self._taken.discard(prepared.job.id)
        self._panel_path(prepared.job).unlink(missing_ok=True)

    async def _prepare_next(self) -> PreparedJob | None:
        while (job := await self._store.read(queue.next_ready, frozenset(self._taken))) is not None:
            self._taken.add(job.id)
            try:
                return await self._prepare(job)
            except RenderError as error:
                await self._put_aside(job, error.problem.code)
            except StoreFull:  # no fault of the job; the lane says that the disk is full, and asks again
                self._taken.discard(job.id)
                return None
            except StoreError:
                await self._put_aside(job, "payload_missing")
        return None

    async def _prepare(self, job: Job) -> PreparedJob:
        path = self._panel_path(job)
        canonical = await asyncio.to_thread(self._spool.get, job.payload)
        await self._artist.render(self._spool.path(job.payload), path)
        panels = await asyncio.to_thread(lambda: [_with_hash(panel) for panel in self._read_panels(path)])
        return PreparedJob(job, panels, await asyncio.to_thread(self._read_chip, canonical))

    async def _put_aside(self, job: Job, reason: str) -> None:
        self._taken.discard(job.id)
        current = await self._store.read(queue.find, job.id)
        if current.state is job.state:
            await self._store.transact(queue.hold, job.id, reason)

    def _panel_path(self, job: Job) -> Path:
        return self._folder / f"{job.id}.panels"


def _with_hash(panel: Panel) -> Panel:
    return replace(panel, sha256=hashlib.sha256(panel.data).hexdigest())
