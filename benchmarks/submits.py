"""Durable submits per second: sealed records, each answered only when photo, signature and row are synced.

Held against raw SQLite commits on the same disk in the same run. The split says where one submit's time goes, each part
measured alone in this process; what is left of a submit is HTTP and the way through the loop.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from benchmarks.bench_rig import RUN, rig, submit_all
from benchmarks.disk import commits_per_s, commits_with_files_per_s
from benchmarks.figures import Aim, Figure, Section
from benchmarks.proc import children_cpu_s, cpu_s
from benchmarks.records import records
from controller.cards.renderer import Renderer
from controller.jobs import queue
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.records.intake import read_record
from controller.setup import Setup, read_setup
from tools.rig import Rig

ROUNDS = 3
CLIENTS = (1, 4)
PER_ROUND = 80
RAW_COMMITS, RAW_FILES = 500, 200
SPLIT = 60
PARTS = ("parse and verify", "image check", "disk")
NONE_LOST = Aim(at_most=0, binding=True)


def measure() -> list[Section]:
    """One section."""
    wanted = PER_ROUND * ROUNDS * len(CLIENTS) + 1
    bodies = records(wanted + SPLIT, "SUBMIT")
    with rig("submits") as station:
        station.start()
        submit_all(station, bodies[:1])  # starts the rendering child
        pid = station.station_pid
        before_s = cpu_s(pid), children_cpu_s(pid)
        rates = _rounds(station, bodies[1:wanted])
        after_s = cpu_s(pid), children_cpu_s(pid)
        lost = wanted - sum(station.states().values())
        setup = read_setup(station.folder / "station.toml")
        station.stop_station()
    parts = asyncio.run(_split(setup, bodies[wanted:]))
    figures = [
        *_compared({clients: statistics.median(values) for clients, values in rates.items()}),
        *(Figure(f"one submit alone: {name}, median", value, "ms") for name, value in parts.items()),
        Figure("CPU of the daemon a submit", (after_s[0] - before_s[0]) / (wanted - 1) * 1000, "ms"),
        Figure("CPU of the rendering child a submit", (after_s[1] - before_s[1]) / (wanted - 1) * 1000, "ms"),
        Figure("accepted records without a job", lost, "", NONE_LOST),
    ]
    return [Section("Durable submits", figures, {"rates_per_s": rates, "body_bytes": len(bodies[0])})]


def _rounds(station: Rig, bodies: Sequence[bytes]) -> dict[int, list[float]]:
    rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    rest = list(bodies)
    for _ in range(ROUNDS):
        for clients in CLIENTS:
            batch, rest = rest[:PER_ROUND], rest[PER_ROUND:]
            rates[clients].append(_rate(station, batch, clients))
    return rates


def _rate(station: Rig, bodies: Sequence[bytes], clients: int) -> float:
    begun_s = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(submit_all, station, bodies[first::clients]) for first in range(clients)]:
            done.result()
    return len(bodies) / (time.monotonic() - begun_s)


def _compared(rates: dict[int, float]) -> list[Figure]:
    raw = statistics.median(commits_per_s(RUN / f"raw-{turn}", RAW_COMMITS) for turn in range(ROUNDS))
    size_bytes = len(records(1, "SIZE")[0])
    filed = statistics.median(commits_with_files_per_s(RUN / f"filed-{turn}", RAW_FILES, size_bytes) for turn in range(ROUNDS))
    ours = [
        figure
        for clients, rate in rates.items()
        for figure in (
            Figure(f"submits, {clients} client{'s' if clients > 1 else ''}", rate, "/s"),
            Figure("  share of raw commits with a synced file", rate / filed * 100, "%"),
            Figure("  share of raw commits", rate / raw * 100, "%"),
        )
    ]
    return [*ours, Figure("peer: raw SQLite commits, 600-byte rows", raw, "/s"),
            Figure("peer: raw SQLite commits, each with a synced file of a record's size", filed, "/s")]  # fmt: skip


async def _split(setup: Setup, bodies: Sequence[bytes]) -> dict[str, float]:
    """Medians in ms of the three parts of a submit."""
    folder = RUN / "split"
    renderer, store = Renderer(setup.lanes[0].printer.raster), await Store.open(folder)
    spool = Spool(folder / "spool", 0)
    rows = []
    try:
        for body in bodies:
            marks_s = [time.monotonic()]
            record = read_record(body, setup.centre_keys, chip_max_bytes=setup.chip_max_bytes)
            marks_s.append(time.monotonic())
            await renderer.check_images(record.photo, record.signature)
            marks_s.append(time.monotonic())
            await store.transact(queue.accept, spool, record.digest, record.record.record_id, record.canonical)
            marks_s.append(time.monotonic())
            rows.append([(end_s - start_s) * 1000 for start_s, end_s in pairwise(marks_s)])
    finally:
        await renderer.close()
        await store.close()
    return dict(zip(PARTS, (statistics.median(column) for column in zip(*rows, strict=True)), strict=True))
