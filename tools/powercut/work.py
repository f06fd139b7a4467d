"""The station at work on lanes in memory: the real store, spool, intake, runner, books and log, and staff who do their part."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from random import Random
from typing import NoReturn

from controller.errors import DeviceRefused, DeviceUnknown
from controller.intake import Intake
from controller.jobs import batches, journal, ledger, queue, snapshot, stock
from controller.jobs.journal import Claim
from controller.jobs.passage import FEED, PLANS
from controller.jobs.runner import Hooks, PassageRunner, Result
from controller.jobs.spool import Spool
from controller.jobs.storage_faults import SNAPSHOTS
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from controller.model import JobState, Verdict
from tests.fakes.lane import FakeLane
from tests.unit.records.samples import CENTRE_KEYS, CHIP_MAX_BYTES
from tools.powercut.recorder import mark

LANES, WHO = ("1", "2"), "ani"
MAX_REMAKES = 1
TROUBLE_CHANCE = 0.2  # that a card meets trouble
FEEDING_PLANS = [name for name, plan in PLANS.items() if plan[0] is FEED]  # the lanes here have no hands
ACTS = ("feed", "print", "to_chip_station", "deliver", "print_and_deliver")


class AnyImages:
    """Pictures are looked at elsewhere; here they pass."""

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """All is well."""


class Life:
    """One start of the station and what it does until its end."""

    def __init__(self, store: Store, spool: Spool, rng: Random) -> None:
        self._store = store
        self._log = LogKeeper(store, "cut station", spool.has_room, lambda: None)
        self._spool = spool
        self._intake = Intake(store, spool, AnyImages(), CENTRE_KEYS, CHIP_MAX_BYTES, lambda: None)
        self._rng = rng
        self._rngs = {lane: Random(f"{rng.random()} {lane}") for lane in LANES}  # noqa: S311 - chosen again by the same seed
        self._taken: set[int] = set()

    async def start_up(self) -> None:
        """What the daemon does before it takes work, and what staff do at the first start."""
        await self._log.begin()
        if not await self._store.read(ledger.held, ledger.STORE):
            await self._store.transact(batches.receive, "B-1", 2000, "SJ 1", WHO, "delivered")
            for lane in LANES:
                await self._store.transact(stock.load, lane, 500, WHO, "filled")
        for passage in await self._store.transact(journal.suspect_all):
            await self._settle(passage.id)
        await self._store.read(lambda db: self._spool.sweep(queue.payloads(db)))

    async def work(self, records: Sequence[bytes]) -> None:
        """Take the records in and issue cards meanwhile; now and then somebody does something else."""
        waiting = list(records)
        while waiting:
            taken, waiting = waiting[: len(LANES)], waiting[len(LANES) :]
            await asyncio.gather(*map(self._intake.submit, taken), *map(self._issue, LANES))
            await self._something_else(taken[0])
        while any(await asyncio.gather(*map(self._issue, LANES))):
            pass

    async def finish(self) -> None:
        """What the daemon does when it is told to stop."""
        await self._log.finish()
        await self._store.close()

    async def die_at_work(self, record: bytes) -> NoReturn:
        """The process ends while a card is printed; its passage stays open."""
        await self._intake.submit(record)
        lane = FakeLane()
        lane.load(1)[0].chip.uid = self._new_uid(LANES[0])
        lane.before["print"] = lane.before["print_and_deliver"] = lambda: os._exit(0)
        await self._run_passage(LANES[0], lane)
        raise RuntimeError("there was nothing to print")

    async def _issue(self, lane: str) -> bool:
        """Issue a card in this lane; False when there is no job for it."""
        result = await self._run_passage(lane, self._lane_with_one_blank(lane))
        if result is None:
            return False
        if result.verdict is None and result.passage_id is not None:
            await self._settle(result.passage_id)
        await self._log.sign()
        return True

    async def _run_passage(self, lane: str, devices: FakeLane) -> Result | None:
        job = await self._store.read(queue.next_ready, frozenset(self._taken))
        if job is None:
            return None
        self._taken.add(job.id)
        claim = Claim(job.id, lane, self._rngs[lane].choice(FEEDING_PLANS), "SN1", "reader")
        hooks = Hooks(lambda _stage, _passage: None, lambda _stage, _seconds: None, _give_up)
        result = await PassageRunner(self._store, devices.trip(), MAX_REMAKES, hooks).run(claim)
        self._taken.discard(job.id)
        return result

    def _lane_with_one_blank(self, lane: str) -> FakeLane:
        """Now and then some act of the printer meets trouble."""
        devices, rng = FakeLane(), self._rngs[lane]
        devices.load(1)[0].chip.uid = self._new_uid(lane)
        if rng.random() < TROUBLE_CHANCE:
            trouble = rng.choice([DeviceUnknown("interrupted", "no answer"), DeviceRefused("card_jam", "jam")])
            rng.choice([devices.before, devices.after])[rng.choice(ACTS)] = _raiser(trouble)
        return devices

    def _new_uid(self, lane: str) -> str:
        return f"04{self._rngs[lane].getrandbits(48):012X}"

    async def _settle(self, passage_id: int) -> None:
        def spoiled(db: sqlite3.Connection) -> None:
            passage = journal.find(db, passage_id)
            journal.end(db, passage, Verdict.SPOILED, passage.reason, MAX_REMAKES, WHO, "seen in the reject bin")

        await self._store.transact(spoiled)

    async def _something_else(self, record: bytes) -> None:
        acts = (
            self._take_snapshot,
            self._hold_and_go,
            self._cancel_and_submit_again,
            self._count_hopper,
            self._leave_an_orphan,
            self._checkpoint,
        )
        await self._rng.choice(acts)(record)

    async def _hold_and_go(self, _record: bytes) -> None:
        for held in (True, False):
            await self._store.transact(journal.set_held_flag, "ani", held=held)

    async def _cancel_and_submit_again(self, record: bytes) -> None:
        ready = await self._store.read(queue.page, JobState.READY, 0, 1)
        if ready:
            await self._store.transact(queue.cancel, ready[0].id, WHO, "asked for")
            await self._intake.submit(record)

    async def _count_hopper(self, _record: bytes) -> None:
        counted = await self._store.read(ledger.held, ledger.hopper(LANES[0])) + self._rng.choice([-1, 0, 1])
        await self._store.transact(stock.count, ledger.hopper(LANES[0]), counted, WHO, "day count")

    async def _leave_an_orphan(self, _record: bytes) -> None:
        """A submit that ended between payload and row, and what cleans up after it."""
        payload = await asyncio.to_thread(self._spool.put, self._rng.randbytes(700))
        if self._rng.random() < 0.5:
            await self._store.read(queue.drop_unowned, self._spool, payload)

    async def _take_snapshot(self, _record: bytes) -> None:
        name = f"{self._rng.getrandbits(32):08x}"
        out = self._store.state_dir / SNAPSHOTS / name
        await asyncio.gather(asyncio.to_thread(snapshot.take, self._store.state_dir, out), self._issue(LANES[0]))
        mark(f"snapshot {name}")

    async def _checkpoint(self, _record: bytes) -> None:
        mode = self._rng.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
        await self._store.read(lambda db: db.execute(f"PRAGMA wal_checkpoint({mode})").fetchall())


def _raiser(trouble: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise trouble

    return raise_it


async def _give_up(_trouble: Exception) -> bool:
    return False
