"""The program whose power is cut: the real store, spool, intake, runner and ledger at work on a lane in memory.

`python -m tools.powercut.writer ROOT --seed N` runs under the recorder. Each life is a process of its own that starts as the daemon
does, works for a while, and ends in order or by _exit. The same seed gives the same work.

Marks in the trace, one line each: `life` (a start), `will DIGEST` (a commit that leaves the database in this state comes next),
`did N` (the caller of this life's Nth commit has been told that it is durable).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

from controller.errors import DeviceRefused, DeviceUnknown
from controller.intake import Intake
from controller.jobs import batches, journal, ledger, queue, stock
from controller.jobs.journal import Claim
from controller.jobs.passage import PLANS
from controller.jobs.runner import Hooks, PassageRunner
from controller.jobs.spool import Spool
from controller.jobs.state_folder import write_marker
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from controller.model import JobState, Verdict
from tests.fakes.lane import FakeLane
from tests.unit.records.samples import CENTRE_KEYS, CHIP_MAX_BYTES
from tools.powercut.digest import digest
from tools.powercut.records import small_records
from tools.powercut.recorder import mark

P = ParamSpec("P")
T = TypeVar("T")

LANE, WHO = "1", "ani"
LIFE_LIMIT_S = 60  # a life takes about a second; one that hangs must not stay behind
ACTS = ("feed", "print", "to_chip_station", "deliver", "print_and_deliver")
# What makes the commits unsafe, set on the real store's own connection: the controls.
UNSAFE = {"normal": "PRAGMA synchronous = NORMAL", "delete": "PRAGMA journal_mode = DELETE"}


class ToldStore(Store):
    """The real store, which marks each commit in the trace: the state it leaves before it, that it was acknowledged after it."""

    commits = 0

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As Store.transact."""

        def told(db: sqlite3.Connection) -> tuple[T, int]:
            result = work(db, *args, **kwargs)
            mark(f"will {digest(db)}")
            self.commits += 1
            return result, self.commits

        result, number = await super().transact(told)
        mark(f"did {number}")
        return result


class AnyImages:
    """Pictures are looked at elsewhere; here they pass."""

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """All is well."""


class Life:
    """One start of the station and what it does until its end."""

    def __init__(self, store: ToldStore, spool: Spool, rng: Random) -> None:
        self._store = store
        self._log = LogKeeper(store, "cut station", spool.has_room, lambda: None)
        self._spool = spool
        self._intake = Intake(store, spool, AnyImages(), CENTRE_KEYS, CHIP_MAX_BYTES, lambda: None)
        self._rng = rng

    async def start_up(self) -> None:
        """What the daemon does before it takes work, and what staff do at the first start."""
        await self._log.begin()
        if not await self._store.read(ledger.held, ledger.STORE):
            await self._store.transact(batches.receive, "B-1", 1000, "SJ 1", WHO, "delivered")
            await self._store.transact(stock.load, LANE, 500, WHO, "filled")
        for passage in await self._store.transact(journal.suspect_all):
            await self._settle(passage.id)
        await self._store.read(lambda db: self._spool.sweep(queue.payloads(db)))

    async def finish(self) -> None:
        """What the daemon does when it is told to stop."""
        await self._log.finish()
        await self._store.close()

    async def work(self, records: Sequence[bytes]) -> None:
        """Take the records in and issue cards meanwhile; now and then somebody does something else."""
        waiting = list(records)
        while waiting:
            taken, waiting = waiting[:2], waiting[2:]
            await asyncio.gather(*map(self._intake.submit, taken), self._issue())
            await self._something_else(taken[0])
        while await self._issue():
            pass

    async def _issue(self) -> bool:
        job = await self._store.read(queue.next_ready)
        if job is None:
            return False
        lane = self._lane_with_one_blank()
        claim = Claim(job.id, LANE, self._rng.choice(list(PLANS)), "SN1", "reader")
        hooks = Hooks(lambda _stage, _passage: None, lambda _stage, _seconds: None, _give_up)
        result = await PassageRunner(self._store, lane.trip(), 1, hooks).run(claim)
        if result.verdict is None and result.passage_id is not None:
            await self._settle(result.passage_id)
        await self._log.sign()
        return True

    def _lane_with_one_blank(self) -> FakeLane:
        """One card in five meets trouble at some act of the printer."""
        lane = FakeLane()
        lane.load(1)[0].chip.uid = f"04{self._rng.getrandbits(48):012X}"
        if self._rng.random() < 0.2:
            trouble = self._rng.choice([DeviceUnknown("interrupted", "no answer"), DeviceRefused("card_jam", "jam")])
            self._rng.choice([lane.before, lane.after])[self._rng.choice(ACTS)] = _raiser(trouble)
        return lane

    async def _settle(self, passage_id: int) -> None:
        def spoiled(db: sqlite3.Connection) -> None:
            passage = journal.find(db, passage_id)
            journal.end(db, passage, Verdict.SPOILED, passage.reason, 1, WHO, "seen in the reject bin")

        await self._store.transact(spoiled)

    async def _something_else(self, record: bytes) -> None:
        await self._rng.choice(_OTHER_ACTS)(self, record)

    async def _hold_and_go(self, _record: bytes) -> None:
        for held in (True, False):
            await self._store.transact(journal.set_held_flag, held=held)

    async def _cancel_and_submit_again(self, record: bytes) -> None:
        ready = await self._store.read(queue.page, JobState.READY, 0, 1)
        if ready:
            await self._store.transact(queue.cancel, ready[0].id, WHO, "asked for")
            await self._intake.submit(record)

    async def _count_hopper(self, _record: bytes) -> None:
        counted = await self._store.read(ledger.held, ledger.hopper(LANE)) + self._rng.choice([-1, 0, 1])
        await self._store.transact(stock.count, ledger.hopper(LANE), counted, WHO, "day count")

    async def _leave_an_orphan(self, _record: bytes) -> None:
        """A submit that ended between payload and row, and what cleans up after it."""
        payload = await asyncio.to_thread(self._spool.put, self._rng.randbytes(700))
        if self._rng.random() < 0.5:
            await self._store.read(queue.drop_unowned, self._spool, payload)

    async def _checkpoint(self, _record: bytes) -> None:
        mode = self._rng.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
        await self._store.read(lambda db: db.execute(f"PRAGMA wal_checkpoint({mode})").fetchall())


_OTHER_ACTS = (Life._hold_and_go, Life._count_hopper, Life._leave_an_orphan, Life._checkpoint)


async def live(root: Path, records: Sequence[bytes], variant: str, rng: Random, *, orderly: bool) -> None:
    """One life. Ends with the store closed, or by _exit as after kill -9."""
    mark("life")
    store = await ToldStore.open(root / "state")
    assert isinstance(store, ToldStore)
    await store.transact(lambda _db: None)  # what was found is promised as well
    if variant in UNSAFE:
        await _make_unsafe(store, variant)
    life = Life(store, Spool(root / "state" / "spool", reserve_bytes=0), rng)
    await life.start_up()
    await life.work(records)
    if orderly:
        await life.finish()


async def _make_unsafe(store: Store, variant: str) -> None:
    await store.read(lambda db: db.execute(UNSAFE[variant]).fetchall())
    if variant == "delete":  # no WAL any more: a start must not be refused for want of it
        await asyncio.to_thread(write_marker, store.state_dir, replace(store.marker, open=False))


def main(arguments: Sequence[str]) -> int:
    """Live as often as told; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--lives", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=10, help="of each life")
    parser.add_argument("--variant", choices=["safe", *UNSAFE], default="safe")
    options = parser.parse_args(arguments)
    records = small_records(options.lives * options.jobs)
    for number in range(options.lives):
        part = records[number * options.jobs : (number + 1) * options.jobs]
        rng = Random(f"{options.seed} {number}")
        child = os.fork()  # before any thread was started
        if child == 0:
            _live_and_exit(live(options.root, part, options.variant, rng, orderly=number % 2 == 1))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            return 1
    return 0


def _live_and_exit(life: Coroutine[None, None, None]) -> NoReturn:
    """End here, whatever is still open, as kill -9 would."""
    signal.alarm(LIFE_LIMIT_S)
    try:
        asyncio.run(life)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _raiser(trouble: Exception) -> Callable[[], None]:
    def raise_it() -> None:
        raise trouble

    return raise_it


async def _give_up(_trouble: Exception) -> bool:
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
