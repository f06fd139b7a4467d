"""What the journal costs: commits, flushes and milliseconds of a card, bytes of a thousand, and the start with a long past.

The lane is one in memory, so that nothing but the journal is measured; store, runner, books and log are the real ones. A flush is
an fsync or fdatasync that the recorder of the power cuts saw. On an SD card a flush takes 50 to 500 times longer than here: the
counts are what to go by (reliability.md, head).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench_rig import rig
from benchmarks.figures import Aim, Figure, Section, percentile
from benchmarks.journal_run import CARDS, END
from benchmarks.start import first_answer_s
from controller.jobs import journal, queue
from controller.jobs.storage_faults import DATABASE, SPOOL
from controller.jobs.store import Store
from tools.powercut import recorder
from tools.powercut.trace import Op, read_trace

FOLDER = Path("build/bench/journal")
TIMED_CARDS, COUNTED_CARDS = 1000, 100
JOBS = 100_000
STARTS = 3
MIB = 1024 * 1024


def measure() -> list[Section]:
    """Two sections."""
    return [_cost(), _start()]


def _cost() -> Section:
    with _folder() as folder:
        timed = _run(folder / "timed", TIMED_CARDS)
        counted = _run(folder / "counted", COUNTED_CARDS, folder / "trace")
        flushes = _flushes(folder / "trace")
    before, after = timed["before"], timed["after"]
    per_thousand = 1000 / TIMED_CARDS / MIB
    figures = [
        Figure("commits a card", timed["commits"] / TIMED_CARDS, "", Aim(at_most=16, binding=True)),
        Figure("flushes a commit", flushes / counted["commits"], "", Aim(at_most=1.2, binding=True)),
        Figure("flushes a card", flushes / COUNTED_CARDS, ""),
        Figure("waiting for the journal a card, p50", statistics.median(timed["card_ms"]), "ms", Aim(at_most=20)),
        Figure("waiting for the journal a card, p99", percentile(timed["card_ms"], 99), "ms"),
        Figure("database of 1,000 cards", (after["database"] - before["database"]) * per_thousand, "MiB"),
        Figure("event log of 1,000 cards, within the database", (after["log"] - before["log"]) * per_thousand, "MiB"),
        Figure("events a card", (after["events"] - before["events"]) / TIMED_CARDS, ""),
    ]
    return Section(f"Journal, {TIMED_CARDS} cards", figures, {"flushes": flushes, "counted_commits": counted["commits"]})


def _run(state: Path, cards: int, trace: Path | None = None) -> dict[str, Any]:
    state.mkdir()
    command = [sys.executable, "-m", "benchmarks.journal_run", str(state), str(cards), *([] if trace is None else ["--marked"])]
    environment = None if trace is None else recorder.environment(state, trace.resolve())
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def _flushes(trace: Path) -> int:
    """Between the marks."""
    calls = read_trace(trace)
    marks = {call.data.decode(): place for place, call in enumerate(calls) if call.op is Op.MARK}
    return sum(call.op in (Op.FSYNC, Op.FDATASYNC) for call in calls[marks[CARDS] : marks[END]])


def _start() -> Section:
    """The daemon's start, and within it the store's, with jobs that wait and one passage that was interrupted."""
    with rig("long-past") as station:
        station.start()
        station.stop_station()
        state = station.folder / "state"
        _fill(state)
        store_s = [asyncio.run(_open_store(state)) for _ in range(STARTS)]
        answers_s = []
        for _ in range(STARTS):
            answers_s.append(first_answer_s(station))
            station.stop_station()
        station.stop_sim()
    figures = [
        Figure("start to first answer, median", statistics.median(answers_s), "s", Aim(at_most=0.5)),
        Figure("of that: opening the store and what is read at the start", statistics.median(store_s), "s"),
    ]
    title = f"Start with {JOBS:,} waiting jobs and one open passage, {STARTS} warm starts"
    return Section(title, figures, {"start_s": answers_s, "store_s": store_s})


def _fill(state: Path) -> None:
    """Rows and payload files as if so many records had come in, and the power had gone while the first was at the feed."""
    for number in range(1, JOBS + 1):
        (state / SPOOL / f"{number:064x}.json").touch()
    with closing(sqlite3.connect(state / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN")
        db.execute(
            """WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
               INSERT INTO job (record_digest, record_id, payload, payload_bytes, state, received_us, changed_us)
               SELECT 'digest ' || n, 'record ' || n, printf('%064x', n), 0, iif(n = 1, 'active', 'ready'), n, n FROM number""",
            (JOBS,),
        )
        db.execute(
            """INSERT INTO passage (job_id, lane, plan, printer_serial, state, started_us)
               SELECT min(id), '1', 'held', 'another printer', 'live', 1 FROM job"""
        )
        db.execute("INSERT INTO stage (passage_id, seq, name, intent_us, intent) SELECT id, 1, 'feed', 1, '{}' FROM passage")
        db.execute("COMMIT")


async def _open_store(state: Path) -> float:
    begun_s = time.perf_counter()
    store = await Store.open(state)
    await store.transact(journal.suspect_all)
    await store.read(journal.held_flag)
    await store.read(queue.counts)
    took_s = time.perf_counter() - begun_s
    await store.close()
    return took_s


@contextmanager
def _folder() -> Iterator[Path]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        yield FOLDER
    finally:
        shutil.rmtree(FOLDER)
