"""Every APDU of a card, and what can happen at it, in process: lost, torn, hung, swapped, wrong, and the daemon killed with it.

Real lane worker, journal, chip station, script and PC/SC link over hw-sim's chips and SAM card (tests/crash/apdu_points.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.crash.apdu_points import PLANS, PROFILES, Case, Way, double_cases, play, points, quicken, sample, single_cases
from tests.fakes.apdu_faults import KINDS, SAM_KINDS
from tools.crash import report

PART = "apdu_points"
DOUBLES, DOUBLES_QUICK = 1_000, 20  # for each profile
SHOWN = 20  # broken cases that are said; more are counted


@dataclass(slots=True)
class Tally:
    """What came of many cases."""

    cases: int = 0
    broken: int = 0
    missed: int = 0  # faults that never came to pass
    questions: int = 0
    spoiled: int = 0
    wasted: int = 0  # ribbon sets on a chip that was not good
    conditions: Counter[str] = field(default_factory=Counter)

    def play(self, cases: Iterable[Case]) -> None:
        """Play them and count."""
        for case in cases:
            station = play(case)
            self.cases += 1
            self.missed += not station.struck
            self.questions += len(station.person.answered)
            self.spoiled += len(station.lane.rejected)
            self.wasted += len(station.bench.spoiled_ribbon)
            self.conditions.update(result.condition for result in station.results if result.condition)
            if station.broken:
                self.broken += 1
                if self.broken <= SHOWN:
                    print(f"{case}: {'; '.join(station.broken)}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"tools.crash.{PART}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the sample that the tests play, and few double cases")
    parser.add_argument("--seed", type=int, default=1, help="of the double cases (default 1)")
    options = parser.parse_args(arguments)
    begun_s = time.monotonic()
    quicken()
    single, double = Tally(), Tally()
    others = [] if options.quick else [Way(profile, whole_size=True) for profile in PROFILES]
    for way in [*(Way(profile, plan) for profile in PROFILES for plan in PLANS), *others]:
        all_of_it = not (options.quick or way.whole_size) and way.plan == PLANS[0]
        single.play(single_cases(way) if all_of_it else sample(way))
        print(f"{Case(way)}: {single.cases} cases, {single.broken} broken", flush=True)
    for profile in PROFILES:
        double.play(double_cases(Way(profile), DOUBLES_QUICK if options.quick else DOUBLES, options.seed))
    print(f"{double.cases} cases with two faults, {double.broken} broken", flush=True)
    promises = {
        f"{single.cases:,} faults at every APDU, one at a time: every verdict is right": single.broken == 0
        and single.missed == 0,
        f"{double.cases:,} second faults at the recovery: the same": double.broken == 0,
        "no ribbon was spent on a chip that is dead or not good": single.wasted + double.wasted == 0,
    }
    return report.write(PART, _figures(single, double), promises, time.monotonic() - begun_s)


def _figures(single: Tally, double: Tally) -> dict[str, object]:
    return {
        "apdus": {profile: len(points(Way(profile))) for profile in PROFILES},
        "kinds_of_faults": len(KINDS) + len(SAM_KINDS),
        "cases": single.cases,
        "double_cases": double.cases,
        "broken": single.broken + double.broken,
        "answers_of_people": single.questions + double.questions,
        "blanks_rejected": single.spoiled + double.spoiled,
        "conditions": dict((single.conditions + double.conditions).most_common()),
    }


if __name__ == "__main__":
    sys.exit(main())
