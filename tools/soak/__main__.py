"""`make soak`: at least 100,000 cards on six lanes each, in two seeded processes on virtual time, with random faults.

Real are the passage table, recovery and verdict, questions, ledger, lane workers, workshop, event log and the store: WAL with
synchronous=FULL in a folder in memory. Stand-ins are the ports (tests/fakes/fast_printer.py, fast_chip.py, pins.py), the clock
and the threads (tests/fakes/virtual_time.py). After each card what the station wrote is compared with the world (books.py); at
the end the tables are, and the log is verified. Figures go to build/soak/report.json. Exit 1 when a promise was broken, with the
seed that shows it again; the same seed, cards and code give the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.soak import report
from tools.soak.process import Order

MEMORY = Path("/dev/shm")  # noqa: S108 - nobody is to wait for a disk, and a folder of our own is made in it
SAY_EVERY = 10_000  # cards, where there is no screen
LINE_BYTES = 4 * 1024 * 1024  # the figures are one line, with the last events of a broken promise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    options = _parse(arguments)
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="print-station-soak-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        shares = _shares(options.cards, options.processes)
        orders = [Order(options.seed + number, cards, Path(folder) / str(number)) for number, cards in enumerate(shares)]
        figures = asyncio.run(_run_all(orders))
    result = report.merge(figures, time.perf_counter() - started_s, wanted=options.cards)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    report.write(result, options.report)
    for line in report.lines(result):
        print(line)
    return 0 if result["passed"] else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Cards on virtual time, with random faults.")
    parser.add_argument("--cards", type=int, default=100_000, help="good cards in all (100,000)")
    parser.add_argument("--processes", type=int, default=2, help="each with a station of its own (2)")
    parser.add_argument("--seed", type=int, default=20261121, help="of the first process; the next one has the next number")
    parser.add_argument("--report", type=Path, default=report.OUT, help="where the figures go")
    options = parser.parse_args(arguments)
    if options.cards < 1 or not 1 <= options.processes <= 16:
        parser.error("there must be cards, and 1 to 16 processes")
    return options


def _shares(cards: int, processes: int) -> list[int]:
    return [cards // processes + (number < cards % processes) for number in range(processes)]


async def _run_all(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Each order in a process of its own: its time is virtual."""
    progress = Progress(sum(order.cards for order in orders))
    return await asyncio.gather(*(_run_one(number, order, progress) for number, order in enumerate(orders)))


async def _run_one(number: int, order: Order, progress: Progress) -> dict[str, Any]:
    """Start a process and hear it to its end; it says how many cards it has made, line by line, and then its figures."""
    order.folder.mkdir()
    command = [sys.executable, "-m", "tools.soak.process", str(order.seed), str(order.cards), str(order.folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # sets of text keep their order from run to run
    process = await asyncio.create_subprocess_exec(
        *command, cwd=report.ROOT, env=environment, stdout=subprocess.PIPE, limit=LINE_BYTES
    )
    assert process.stdout is not None
    figures: dict[str, Any] | None = None
    async for line in process.stdout:
        told = json.loads(line)
        if isinstance(told, int):
            progress.tell(number, told)
        else:
            figures = told
    code = await process.wait()
    if figures is None:
        return report.crashed(order.seed, order.cards, f"the process ended with {code} and told nothing; what it said is above")
    return figures


class Progress:
    """One line on the screen."""

    def __init__(self, cards: int) -> None:
        self._cards = cards
        self._issued: dict[int, int] = {}
        self._started_s = time.perf_counter()
        self._said = 0

    def tell(self, number: int, issued: int) -> None:
        """Process `number` has made so many cards."""
        self._issued[number] = issued
        made = sum(self._issued.values())
        text = f"{made:,} of {self._cards:,} cards, {made / (time.perf_counter() - self._started_s):.0f} a second"
        if sys.stdout.isatty():
            print(f"\r{text}", end="", flush=True)
        elif made - self._said >= SAY_EVERY:
            self._said = made
            print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
