"""The program whose power is cut: `python -m tools.powercut.writer ROOT --seed N`, run under the recorder.

Each life is a process of its own that starts as the daemon does, works for a while (tools/powercut/work.py), and ends in order or
in the middle of a print, as by kill -9. The same seed gives the same work, if not in the same order: lanes and intake run side by
side.

Marks in the trace, one line each: `life` (a start), `will DIGEST` (a commit that leaves the database in this state comes next),
`did N` (the caller of this life's Nth commit has been told that it is durable), `snapshot NAME` (it was taken).
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

from controller.jobs.spool import Spool
from controller.jobs.state_folder import write_marker
from controller.jobs.store import Store
from tools.powercut.digest import digest
from tools.powercut.recorder import mark
from tools.powercut.records import small_records
from tools.powercut.work import Life

P = ParamSpec("P")
T = TypeVar("T")

LIFE_LIMIT_S = 60  # a life takes about a second; one that hangs must not stay behind
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


async def live(root: Path, records: Sequence[bytes], variant: str, rng: Random, *, orderly: bool) -> None:
    """One life. Ends with the store closed, or by _exit as after kill -9."""
    mark("life")
    store = await ToldStore.open(root / "state")
    assert isinstance(store, ToldStore)
    await store.keep_room()
    await store.transact(lambda _db: None)  # what was found is promised as well
    if variant in UNSAFE:
        await _make_unsafe(store, variant)
    life = Life(store, Spool(root / "state" / "spool", reserve_bytes=0), rng)
    await life.start_up()
    await life.work(records[1:])
    await (life.finish() if orderly else life.die_at_work(records[0]))


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
        rng = Random(f"{options.seed} {number}")  # noqa: S311 - chosen again by the same seed
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
    code = 1
    try:
        asyncio.run(life)
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
