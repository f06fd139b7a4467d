"""The figures of a soak: joined, as a table for the screen and as build/soak/report.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "soak" / "report.json"
LIMIT_S = 600.0  # for the full run on 2 cores
FULL = 100_000
ROWS_PROVEN_FROM = 50_000  # cards; a shorter run need not meet every row of the verdict table
JOINED = ("verdicts", "faults", "rows", "questions")

PROMISES = (  # what Books compares after each card, and at the end
    "no job has two good cards, and no job is made again after it was issued",
    "no job is lost: each one that was accepted is issued in the end",
    "each good card lies in the output bin, with its face printed once and whole, its chip whole, both of its own job",
    "the ledger is the world: hoppers, passages, reject bins, issued; a day count finds exactly what is known to differ",
    "at most one open question per lane, and at most one per card",
    "the event log grows without a gap and is intact to the last row",
)


def crashed(seed: int, wanted: int, why: str) -> dict[str, Any]:
    """The figures of a process that gave none."""
    return {"seed": seed, "wanted": wanted, "issued": 0, "broken": why, "last_events": []}


def merge(processes: Sequence[Mapping[str, Any]], seconds: float, wanted: int) -> dict[str, Any]:
    """The content of report.json."""
    joined: dict[str, dict[str, int]] = {}
    for name in JOINED:
        total: Counter[str] = Counter()
        for process in processes:
            total.update(process.get(name, {}))
        joined[name] = dict(total)
    issued = sum(process["issued"] for process in processes)
    sound = all(process["broken"] is None for process in processes)
    promises = dict.fromkeys(PROMISES, sound)
    if wanted >= ROWS_PROVEN_FROM:
        promises["every row of the verdict table was met"] = all(joined["rows"].values())
    if wanted >= FULL:
        promises[f"{FULL:,} cards in {LIMIT_S / 60:g} minutes"] = issued >= FULL and seconds <= LIMIT_S
    return {
        "passed": sound and all(promises.values()), "seconds": round(seconds, 1), "cards": issued,
        "cards_a_second": round(issued / seconds, 1), "checks": sum(process.get("checks", 0) for process in processes),
        **joined, "promises": [{"text": text, "kept": kept} for text, kept in promises.items()],
        "processes": [dict(process) for process in processes],
    }  # fmt: skip


def write(result: Mapping[str, Any], path: Path) -> None:
    """Leave report.json."""
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The result for a screen."""
    for name in JOINED:
        yield f"\n{name}"
        yield from (f"  {count:>9,}  {what}" for what, count in result[name].items())
    yield ""
    for process in result["processes"]:
        yield _one(process)
        if process["broken"] is not None:
            yield "  last events:"
            yield from (f"    {event}" for event in process["last_events"])
            yield f"  BROKEN: {process['broken']}"
            yield f"  again: make soak ARGS='--processes 1 --seed {process['seed']} --cards {process.get('wanted')}'"
    for promise in result["promises"]:
        yield f"  {'kept  ' if promise['kept'] else 'BROKEN'}  {promise['text']}"
    verdict = "PASSED" if result["passed"] else "FAILED"
    yield f"{verdict}: {result['cards']:,} cards in {result['seconds']:,} s, {result['checks']:,} comparisons"


def _one(process: Mapping[str, Any]) -> str:
    if "lives" not in process:
        return f"seed {process['seed']}: {process['issued']:,} cards"
    made = f"{process['issued']:,} cards, {process['cards_a_second']} a second, {process['cpu_seconds']} s of CPU"
    counted = f"{process['counts']} counts, {process['counts_off']} of them found the difference that was there"
    return f"seed {process['seed']}: {made}, {process['lives']} lives of the station, {counted}"
