"""Every point of a passage in process: a kill, a lost device or both, at every commit and every exchange, in every combination.

Real store, journal, worker, verdict and recovery over a lane in memory (tests/crash/every_point.py); and second blows that fall
on the recovery from a first one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.crash.every_point import EVENTS, PLANS, Case, Lane, double_cases, play, points, quicken, sample, single_cases
from tools.crash import report

PART = "in_process"
DOUBLES, DOUBLES_QUICK = 3_000, 100
EVERY_QUICK = 29
SHOWN = 20  # broken cases that are said; more are counted


@dataclass(slots=True)
class Tally:
    """What came of many cases."""

    cases: int = 0
    broken: int = 0
    questions: int = 0
    remakes: int = 0
    rows: Counter[str] = field(default_factory=Counter)

    def play(self, cases: Iterable[Case]) -> None:
        """Play them and count."""
        for case in cases:
            station = play(case)
            self.cases += 1
            self.questions += len(station.person.answered)
            self.remakes += len(station.lane.rejected)
            self.rows.update(ruling.row for ruling in station.rulings)
            if station.broken:
                self.broken += 1
                if self.broken <= SHOWN:
                    print(f"{case}: {'; '.join(station.broken)}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"tools.crash.{PART}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"each {EVERY_QUICK}th case, {DOUBLES_QUICK} double ones")
    parser.add_argument("--seed", type=int, default=1, help="of the double cases (default 1)")
    options = parser.parse_args(arguments)
    begun_s = time.monotonic()
    quicken()
    single, double = Tally(), Tally()
    single.play(sample(single_cases(), EVERY_QUICK) if options.quick else single_cases())
    print(f"{single.cases} cases with one blow, {single.broken} broken", flush=True)
    double.play(double_cases(DOUBLES_QUICK if options.quick else DOUBLES, options.seed))
    print(f"{double.cases} cases with two blows, {double.broken} broken", flush=True)
    promises = {
        f"{single.cases:,} blows at every point, one at a time: nothing lost, doubled or unaccounted for": single.broken == 0,
        f"{double.cases:,} second blows at the recovery: the same": double.broken == 0,
    }
    return report.write(PART, _figures(single, double), promises, time.monotonic() - begun_s)


def _figures(single: Tally, double: Tally) -> dict[str, object]:
    return {
        "points": sum(len(points(Lane(plan))) for plan in PLANS),
        "events": len(EVENTS) - 1,
        "cases": single.cases,
        "double_cases": double.cases,
        "broken": single.broken + double.broken,
        "answers_of_people": single.questions + double.questions,
        "blanks_rejected": single.remakes + double.remakes,
        "rows_met": len(set(single.rows) | set(double.rows)),
        "rows": dict((single.rows + double.rows).most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
