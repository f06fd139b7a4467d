"""`make bench`: prints every figure with its aim and writes build/bench/report.json.

Figures of time depend on what else the machine does: an aim that such a figure misses is said, and nothing more. The exit code
is 1 only when a promise is broken that holds on any machine: memory, and that no card or record is lost. Run on a quiet machine.
`ARGS="--only start,rss"` measures only these.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import cards, cards_cpu, chip, journal_cost, rss, stalls, start, submits
from benchmarks.figures import Section, as_json, lines
from benchmarks.proc import load_average, machine, versions
from tools.rig import RigError

OUT = Path("build/bench")
MEASUREMENTS: Mapping[str, Callable[[], list[Section]]] = {
    "start": start.measure,
    "rss": rss.measure,
    "submits": submits.measure,
    "stalls": stalls.measure,
    "cards": cards.measure,
    "cards-cpu": cards_cpu.measure,
    "chip": chip.measure,
    "journal": journal_cost.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the station on simulated hardware.")
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help=f"some of {','.join(MEASUREMENTS)}")
    chosen = parser.parse_args(arguments).only.split(",")
    unknown = sorted(set(chosen) - set(MEASUREMENTS))
    if unknown:
        parser.error(f"there is no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    _warm()
    try:
        return _measure(chosen)
    except RigError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _warm() -> None:
    """Have the bytecode of daemon and rendering child written: compiling costs a start a second and 4 MiB."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-c", "import controller.commands.run, controller.cards.render_child"], check=True)


def _measure(chosen: Sequence[str]) -> int:
    begun_s, sections = time.monotonic(), []
    facts = {"machine": machine(), "versions": versions(), "load_average_before": load_average()}
    for name in chosen:
        busy = load_average()
        for section in MEASUREMENTS[name]():
            print("\n".join(lines(section)), flush=True)
            sections.append({"measurement": name, "load_average_before": busy, **as_json(section)})
    broken = [row["name"] for section in sections for row in section["figures"] if row.get("binding") and not row["met"]]
    report = {**facts, "elapsed_s": round(time.monotonic() - begun_s, 1), "broken_promises": broken, "sections": sections}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{len(broken)} promises broken; {report['elapsed_s']:.0f} s; figures: build/bench/report.json")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
