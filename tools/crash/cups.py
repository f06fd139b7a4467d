"""The same kill test on a CUPS of its own: jobs accepted, cupsd killed while it prints, started again, run to the end, counted.

A job counts as printed when the backend's mark is on disk, half-way through the print: then the ink is on the card. So a job
with no mark was lost and a job with two marks was printed twice. What CUPS loses is a figure, no promise of ours; the promises
are that the test really ran: nothing is lost or doubled without a kill, and kills fell while jobs were unfinished. Facts:
reliability.md 3.4.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.crash import report
from tools.crash.ipp import IppClient
from tools.crash.private_cupsd import DEBIAN, PRINT_S, SAFEST, CupsError, PrivateCupsd, Settings, missing, version

SETTINGS: Mapping[str, Settings] = {"Debian's defaults": DEBIAN, "safest settings": SAFEST}
JOBS = 20  # for each kill: about 3 s
KILLS, KILLS_QUICK = 50, 4  # for each setting
SIDE_BY_SIDE = 2  # a backend takes 25 ms of processor time for each print
DATA = b"%" * 700  # as in reliability.md 3.4
NEARLY_ALL = 0.9  # a machine that is held up for 0.1 s may kill too late
POLL_S = 0.005
PRINTED_LIMIT_S = 60.0  # for all jobs of one run; normally 3 s


@dataclass(frozen=True, slots=True)
class Run:
    """One cupsd from its first job to its last."""

    accepted: int
    printed_before: int | None  # when it was killed, None when it was not
    lost: int
    printed_twice: int
    printing_s: float  # from the last acknowledgement to the last print, without a kill


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: this many prints, then this long."""

    prints: int
    wait_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools.crash.cups", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"for each of two settings (default {KILLS})")
    parser.add_argument("--quick", action="store_true", help=f"{KILLS_QUICK} kills for each setting")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    kills = KILLS_QUICK if options.quick else options.kills
    problem = missing()
    if problem is not None:
        print(f"cups: {problem}", file=sys.stderr)
        return 1
    started_s = time.monotonic()
    results = {name: measure(settings, f"{options.seed} {name}", kills) for name, settings in SETTINGS.items()}
    figures: dict[str, Any] = {"cups_version": version(), **{name: summed(runs) for name, (_, runs) in results.items()}}
    return report.write("cups", figures, _promises(results, kills), time.monotonic() - started_s)


def measure(settings: Settings, seed: str, kills: int, jobs: int = JOBS) -> tuple[Run, list[Run]]:
    """One run without a kill, then ``kills`` runs with one each.

    ``seed`` spreads the moments evenly: any print but the last ones, and any part of the time from one to the next.
    """
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    control = run(settings, jobs, None)
    moments = [Moment(chance.randrange(jobs - 2), chance.uniform(0.0, control.printing_s / jobs)) for _ in range(kills)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs = list(pool.map(lambda moment: run(settings, jobs, moment), moments))
    return control, runs


def run(settings: Settings, jobs: int, moment: Moment | None, print_s: float = PRINT_S) -> Run:
    """Submit, kill at the moment (or never), start again, wait for the end. `CupsError`, `IppError` when cupsd does not play."""
    titles = [f"job-{number}" for number in range(jobs)]
    with tempfile.TemporaryDirectory(prefix="cups-") as folder, PrivateCupsd(Path(folder) / "c", settings, print_s) as cupsd:
        cupsd.start()
        with IppClient(cupsd.socket) as client:
            for title in titles:
                client.submit(title, DATA)
        accepted_s = time.monotonic()
        printed_before = None if moment is None else _kill(cupsd, moment)
        _print_all(cupsd)
        printing_s = time.monotonic() - accepted_s
        cupsd.stop()
        prints = Counter(cupsd.prints())
    lost, twice = sum(prints[title] == 0 for title in titles), sum(count > 1 for count in prints.values())
    return Run(jobs, printed_before, lost, twice, printing_s)


def summed(runs: Sequence[Run]) -> dict[str, int]:
    """The figures of one setting."""
    return {
        "jobs": sum(one.accepted for one in runs),
        "kills": len(runs),
        "lost": sum(one.lost for one in runs),
        "printed_twice": sum(one.printed_twice for one in runs),
        "kills_that_lost": sum(one.lost > 0 for one in runs),
        "kills_that_printed_twice": sum(one.printed_twice > 0 for one in runs),
    }


def _kill(cupsd: PrivateCupsd, moment: Moment) -> int:
    _until(lambda: len(cupsd.prints()) >= moment.prints, cupsd)
    time.sleep(moment.wait_s)
    cupsd.kill()
    printed = len(cupsd.prints())
    cupsd.start()
    return printed


def _print_all(cupsd: PrivateCupsd) -> None:
    with IppClient(cupsd.socket) as client:
        _until(lambda: client.unfinished() == 0, cupsd)


def _until(true: Callable[[], bool], cupsd: PrivateCupsd) -> None:
    deadline = time.monotonic() + PRINTED_LIMIT_S
    while not true():
        if time.monotonic() > deadline:
            raise CupsError(f"cupsd did not print within {PRINTED_LIMIT_S} s: {cupsd.log()}")
        time.sleep(POLL_S)


def _promises(results: Mapping[str, tuple[Run, list[Run]]], kills: int) -> dict[str, bool]:
    controls = [control for control, _ in results.values()]
    killed = [one for _, runs in results.values() for one in runs]
    before = [one.printed_before for one in killed if one.printed_before is not None]
    return {
        "without a kill every job is printed once, at both settings": all(one.lost == one.printed_twice == 0 for one in controls),
        f"cupsd was killed {kills} times at each setting": all(len(runs) == kills > 0 for _, runs in results.values()),
        "nearly every kill fell before the last print": sum(count < JOBS for count in before) >= NEARLY_ALL * len(killed),
        "jobs were printed before kills": any(count > 0 for count in before),
    }


if __name__ == "__main__":
    sys.exit(main())
