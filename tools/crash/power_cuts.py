"""Power cuts under the real store and spool: run, cut anywhere, start on what is left; 0 of what was promised may be lost.

Each run is recorded once (tools/powercut/writer.py under recorder.c) and cut a thousand times: every cut leaves its own subset of
the sectors and names that were not synced, and the real start-up code has to find every acknowledged commit and payload in it.
The mistakes in `CONTROLS` must be caught, or the test itself is broken. Facts: reliability.md 4.4.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tools.crash import report
from tools.powercut.cuts import CONTROLS, Tally, cut_run, works

PART = "power_cuts"
CUTS, CUTS_QUICK = 52_000, 2_000
CUTS_A_RUN = 1_000  # of some 5,000 calls
CUTS_A_CONTROL = 200  # the rarest of the mistakes loses something in one cut of three
AIM_A_MINUTE = 5_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"tools.crash.{PART}", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{CUTS_QUICK} cuts instead of {CUTS}")
    parser.add_argument("--cuts", type=int, help="so many")
    parser.add_argument("--seed", type=int, default=1, help="of the first run (default 1)")
    options = parser.parse_args(arguments)
    wanted = options.cuts or (CUTS_QUICK if options.quick else CUTS)
    begun_s = time.monotonic()
    total, runs = _cut_all(wanted, options.seed)
    caught = {control.mistake: cut_run(control.work, CUTS_A_CONTROL) for control in CONTROLS}
    promises = {
        f"{wanted:,} power cuts": total.cuts >= wanted,
        "nothing that was acknowledged is lost, every start succeeds, books and log are whole": total.lossy == 0,
        **{f"caught: {one.mistake} ({one.loss})": caught[one.mistake].kinds[one.loss] > 0 for one in CONTROLS},
    }
    figures = {**_figures(total), "runs": runs, "controls": {mistake: _figures(tally) for mistake, tally in caught.items()}}
    return report.write(PART, figures, promises, time.monotonic() - begun_s)


def _cut_all(wanted: int, seed: int) -> tuple[Tally, int]:
    total = Tally()
    for runs, work in enumerate(works(seed), start=1):
        tally = cut_run(work, min(CUTS_A_RUN, wanted - total.cuts))
        total.join(tally)
        print(f"{work}: {tally.commits} commits, {tally.cuts} cuts, {tally.lossy} with losses", flush=True)
        for example in tally.examples:
            print(f"  {example}", flush=True)
        if total.cuts >= wanted:
            return total, runs
    raise AssertionError("works() has no end")


def _figures(tally: Tally) -> Mapping[str, Any]:
    return {
        "cuts": tally.cuts,
        "commits_acknowledged": tally.commits,
        "cuts_with_losses": tally.lossy,
        "losses": dict(tally.kinds),
        "cuts_per_minute": round(60 * tally.cuts / tally.seconds),
        "cuts_per_minute_of_one_processor": round(60 * tally.cuts / tally.processor_s),
        "aim_per_minute": AIM_A_MINUTE,
        "examples": tally.examples,
    }


if __name__ == "__main__":
    sys.exit(main())
