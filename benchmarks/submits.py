"""Durable submits per second: sealed records, each answered only when photo, signature and row are synced.

Held against raw SQLite commits on the same disk in the same run. The split says where one submit's time goes, each part
measured alone in this process; what is left of a submit is HTTP and the way through the loop.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from benchmarks.bench_rig import RUN, count_jobs, rig, submit_all
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
CLIENTS = {"1 client": 1, "4 clients": 4}
RAW, FILED = "raw SQLite commits of 600 bytes", "the same, each after a synced file"
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
        lost = wanted - count_jobs(station)
        setup = read_setup(station.folder / "station.toml")
        station.stop_station()
    parts = asyncio.run(_split(setup, bodies[wanted:]))
    figures = [
        *_compared(rates),
        *(Figure(f"one submit alone: {name}, p50", value, "ms") for name, value in parts.items()),
        Figure("CPU of the daemon a submit", (after_s[0] - before_s[0]) / (wanted - 1) * 1000, "ms"),
        Figure("CPU of the rendering child a submit", (after_s[1] - before_s[1]) / (wanted - 1) * 1000, "ms"),
        Figure("accepted records without a job", lost, "", NONE_LOST),
    ]
    return [Section("Durable submits", figures, {"rates_per_s": rates, "body_bytes": len(bodies[0])})]


def _rounds(station: Rig, bodies: Sequence[bytes]) -> dict[str, list[float]]:
    """Rates in operations per second, ours and the peers' in turn, so that a busy spell of the disk hits all alike."""
    rates: dict[str, list[float]] = {name: [] for name in (*CLIENTS, RAW, FILED)}
    rest = list(bodies)
    for turn in range(ROUNDS):
        for name, clients in CLIENTS.items():
            batch, rest = rest[:PER_ROUND], rest[PER_ROUND:]
            rates[name].append(_rate(station, batch, clients))
        rates[RAW].append(commits_per_s(RUN / f"raw-{turn}", RAW_COMMITS))
        rates[FILED].append(commits_with_files_per_s(RUN / f"filed-{turn}", RAW_FILES, len(bodies[0])))
    return rates


def _rate(station: Rig, bodies: Sequence[bytes], clients: int) -> float:
    begun_s = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(submit_all, station, bodies[first::clients]) for first in range(clients)]:
            done.result()
    return len(bodies) / (time.monotonic() - begun_s)


def _compared(rates: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Medians; each share is the median of the rounds' own shares."""
    figures = [Figure(f"peer: {name}", statistics.median(rates[name]), "/s") for name in (RAW, FILED)]
    for name in CLIENTS:
        figures.append(Figure(f"submits, {name}", statistics.median(rates[name]), "/s"))
        for peer in (RAW, FILED):
            shares = [ours / theirs * 100 for ours, theirs in zip(rates[name], rates[peer], strict=True)]
            figures.append(Figure(f"  against {peer}", statistics.median(shares), "%"))
    return figures


async def _split(setup: Setup, bodies: Sequence[bytes]) -> dict[str, float]:
    """Medians in ms of the three parts of a submit."""
    folder = RUN / "split"
    renderer, store = Renderer(setup.lanes[0].raster), await Store.open(folder)
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
