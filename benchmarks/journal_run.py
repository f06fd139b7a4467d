"""Issues cards on a lane in memory with the real store, runner, books and log, and says what the journal cost.

`python -m benchmarks.journal_run FOLDER CARDS` prints one line of JSON. With --marked it runs under the power cuts' recorder
(tools/powercut/recorder.c), which counts the flushes and slows it down: then its times mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from controller.jobs import batches, queue, stock
from controller.jobs.journal import Claim
from controller.jobs.runner import Hooks, PassageRunner
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from controller.model import Verdict
from tests.fakes.lane import FakeLane
from tools.powercut.recorder import mark

P = ParamSpec("P")
T = TypeVar("T")

LANE, PLAN = "1", "held"  # the plan with the most stages
CARDS, END = "cards", "end"  # marks around the passages


class CountedStore(Store):
    """The real store, which counts its commits and the time that callers waited for them."""

    commits = 0
    waited_s = 0.0

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As Store.transact."""
        begun_s = time.perf_counter()
        try:
            return await super().transact(work, *args, **kwargs)
        finally:
            self.commits += 1
            self.waited_s += time.perf_counter() - begun_s


async def run(folder: Path, cards: int, told: Callable[[str], None]) -> dict[str, Any]:
    """Issue so many cards; returns commits, milliseconds of each card, and sizes before and after in bytes."""
    store = await CountedStore.open(folder)
    assert isinstance(store, CountedStore)
    spool = Spool(folder / "spool", reserve_bytes=0)
    log = LogKeeper(store, "bench", spool.has_room, lambda: None)
    await log.begin()
    await store.keep_room()
    await store.transact(batches.receive, "B-1", cards, "SJ 1", "bench", "bench")
    for begin in range(0, cards, stock.MAX_LOAD):
        await store.transact(stock.load, LANE, min(stock.MAX_LOAD, cards - begin), "bench", "bench")
    for number in range(cards):
        await store.transact(queue.accept, spool, f"digest {number}", f"record {number}", b"%d" % number)
    before, commits, card_ms = await store.read(_sizes), store.commits, []
    told(CARDS)
    for number in range(cards):
        begun_s = store.waited_s
        await _issue(store, number)
        await log.sign()
        card_ms.append((store.waited_s - begun_s) * 1000)
    told(END)
    commits = store.commits - commits
    after = await store.read(_sizes)
    await store.close()
    return {"cards": cards, "commits": commits, "card_ms": card_ms, "before": before, "after": after}


async def _issue(store: Store, number: int) -> None:
    lane = FakeLane()
    lane.load(1)[0].chip.uid = f"04{number:012X}"
    job = await store.read(queue.next_ready)
    assert job is not None
    hooks = Hooks(lambda _stage, _passage: None, lambda _stage, _seconds: None, _give_up)
    result = await PassageRunner(store, lane.trip(), 1, hooks).run(Claim(job.id, LANE, PLAN, "SN1", "reader"))
    assert result.verdict is Verdict.GOOD, result


async def _give_up(_trouble: Exception) -> bool:
    return False


def _sizes(db: sqlite3.Connection) -> dict[str, int]:
    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return {
        "database": db.execute("PRAGMA page_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0],
        "log": db.execute("SELECT coalesce(sum(length(body) + length(hash)), 0) FROM event").fetchone()[0],
        "events": db.execute("SELECT count(*) FROM event").fetchone()[0],
    }


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("cards", type=int)
    parser.add_argument("--marked", action="store_true")
    options = parser.parse_args(arguments)
    print(json.dumps(asyncio.run(run(options.folder, options.cards, mark if options.marked else lambda _text: None))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
