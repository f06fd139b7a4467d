"""How long the station's event loop stands still while cards run, seen from outside, against the same loop idle.

Another process asks for /healthz every 2 ms; the longest it waits is the stall, plus what the machine adds. What the machine
adds shows in a bare loop that is asked in turn with the station, and in how late the asking process itself wakes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bench_rig import issue, rig, submit_all
from benchmarks.figures import Aim, Figure, Section
from benchmarks.records import records
from tools.rig import Rig

RUNS = (("max", "full speed", 10), ("20", "speed 20", 6))
CARD_LIMIT_S = 10.0
IDLE_S = 5.0
START_LIMIT_S = 10.0
AIM = Aim(at_most=20)


def measure() -> list[Section]:
    """One section for each speed."""
    return [_run(*run) for run in RUNS]


def _run(speed: str, name: str, count: int) -> Section:
    with rig(f"stalls-{speed}", speed) as station, _bare_loop(station.folder / "bare.sock") as bare:
        station.start()
        submit_all(station, records(count, f"STALLS-{speed.upper()}"))
        time.sleep(1.0)  # the first card is drawn; then nothing is left to do without blanks
        idle = _probed(station, bare, lambda: time.sleep(IDLE_S))
        busy = _probed(station, bare, lambda: issue(station, count, CARD_LIMIT_S * count))
        station.stop_station()
        station.stop_sim()
    idle_ms, busy_ms = idle["station"]["worst_ms"][0], busy["station"]["worst_ms"][0]
    figures = [
        Figure("longest stall during cards, above the idle loop", busy_ms - idle_ms, "ms", AIM),
        Figure("longest round trip, idle", idle_ms, "ms"),
        Figure("longest round trip, cards running", busy_ms, "ms"),
        Figure("  of them above 20 ms", busy["station"]["slow"], "", note=f"of {busy['station']['asked']:,}"),
        Figure("  p99, cards running", busy["station"]["p99_ms"], "ms"),
        Figure("  p50, cards running", busy["station"]["p50_ms"], "ms"),
        Figure("bare loop at the same time: longest", busy["bare"]["worst_ms"][0], "ms", note="the machine's share"),
        Figure("prober's own lateness at the same time: longest", busy["own_lateness"]["worst_ms"][0], "ms"),
    ]
    return Section(f"Event loop at {name}, {count} cards", figures, {"idle": idle, "busy": busy})


def _probed(station: Rig, bare: Path, meanwhile: Callable[[], object]) -> Any:
    command = [sys.executable, "-m", "benchmarks.prober", station.address.removeprefix("unix:"), str(bare)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as prober:
        try:
            meanwhile()
            answer, _ = prober.communicate(timeout=START_LIMIT_S)
        finally:
            prober.kill()
    return json.loads(answer)


@contextmanager
def _bare_loop(path: Path) -> Iterator[Path]:
    with subprocess.Popen([sys.executable, "-m", "benchmarks.bare_loop", str(path)]) as process:
        try:
            end_s = time.monotonic() + START_LIMIT_S
            while not path.exists() and time.monotonic() < end_s:
                time.sleep(0.01)
            yield path
        finally:
            process.kill()
