"""Memory of the daemon without its rendering child: idle, and with 10,000 jobs waiting.

The 10,000 jobs are put into a state folder by the store's own code before the daemon starts, because sealing and checking so
many records would take minutes; the first is a real record, the others are never read, as no lane gets that far. A hundred
more come in by the real intake.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from hashlib import sha256
from pathlib import Path

from benchmarks.bench_rig import count_jobs, rig, submit_all
from benchmarks.figures import Aim, Figure, Section
from benchmarks.proc import children, memory_mb, threads
from benchmarks.records import records
from controller.jobs import queue
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.log_keeper import LogKeeper
from controller.records.intake import read_record
from controller.setup import read_setup

SETTLE_S = 3.0
JOBS = 10_000
REAL_JOBS = 100
CHUNK = 500  # rows a commit
IDLE_AIM, FULL_AIM = Aim(at_most=64, binding=True), Aim(at_most=80, binding=True)


def measure() -> list[Section]:
    """Two sections: idle, and with a long queue."""
    return [_idle(), _full()]


def _idle() -> Section:
    with rig("rss-idle") as station:
        station.start()
        time.sleep(SETTLE_S)
        memory, count = memory_mb(station.station_pid), threads(station.station_pid)
        station.stop_station()
    figures = [
        Figure(f"RSS, {SETTLE_S:g} s after the start", memory["rss"], "MiB", IDLE_AIM, "without the rendering child"),
        Figure("  of it anonymous", memory["anon"], "MiB"),
        Figure("  of it files, shared with other processes", memory["file"], "MiB"),
        Figure("highest RSS so far", memory["peak"], "MiB"),
        Figure("threads", count, ""),
    ]
    return Section("Memory, idle", figures)


def _full() -> Section:
    with rig("rss-full") as station:
        asyncio.run(_fill(station.folder))
        station.start()
        time.sleep(SETTLE_S)
        pid = station.station_pid
        steps = {"3 s after the start": memory_mb(pid)["rss"]}
        listed = count_jobs(station)
        steps["after listing every job"] = memory_mb(pid)["rss"]
        station.get("/metrics")
        steps["after a scrape of /metrics"] = memory_mb(pid)["rss"]
        submit_all(station, records(REAL_JOBS, "RSS"))
        steps[f"after {REAL_JOBS} submits"] = memory_mb(pid)["rss"]
        child = sum(memory_mb(child)["rss"] for child in children(pid))
        station.stop_station()
    figures = [
        *(Figure(f"RSS, {step}", value, "MiB", FULL_AIM) for step, value in steps.items()),
        Figure("rendering child, beside it", child, "MiB"),
        Figure("jobs not listed", JOBS - listed, "", Aim(at_most=0, binding=True)),
    ]
    return Section(f"Memory, {JOBS:,} jobs waiting", figures)


async def _fill(folder: Path) -> None:
    setup = read_setup(folder / "station.toml")
    first = read_record(records(1, "FIRST")[0], setup.centre_keys, chip_max_bytes=setup.chip_max_bytes)
    state_dir = setup.config.station.state_dir
    store, spool = await Store.open(state_dir), Spool(state_dir / "spool", 0)
    log = LogKeeper(store, setup.config.station.name, spool.has_room, lambda: None)
    try:
        await log.begin()  # a state whose log has no beginning is a damaged one
        await store.transact(queue.accept, spool, first.digest, first.record.record_id, first.canonical)
        for start in range(1, JOBS, CHUNK):
            await store.transact(_add, spool, range(start, min(start + CHUNK, JOBS)))
        await log.finish()
    finally:
        await store.close()


def _add(db: sqlite3.Connection, spool: Spool, numbers: range) -> None:
    for number in numbers:
        text = f"BENCH-FILL-{number:06}"
        queue.accept(db, spool, sha256(text.encode()).hexdigest(), text, text.encode())
