"""What a part of `make crash` writes, what is read back, and the table that joins the parts.

A part writes build/crash/PART.json: {"part", "figures": {...}, "promises": [{"text", "kept"}], "seconds"}; a share of a part that
runs as several programs writes PART.SHARE.json, and the shares are joined. Figures that hold all of `COMPARED`, directly or one
name below ("defaults": {...}), become a row of the table, ours and CUPS's one below the other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "crash"
COMPARED = ("jobs", "kills", "lost", "printed_twice")
SHARE_VARIABLE = "PRINT_STATION_CRASH_SHARE"  # set by tools.crash.run: which share of a part this process is
_PEER = "cups"
_FIGURE_LIMIT_CHARACTERS = 90  # a figure that is longer is for the file, not for the screen


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part that ended, or why there is nothing of it."""

    part: str
    problem: str | None = None  # it did not run, did not end, or wrote nothing that can be read
    figures: Mapping[str, Any] = field(default_factory=dict)
    promises: Sequence[Mapping[str, Any]] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it ran and kept every promise; a part that promises nothing proves nothing."""
        return self.problem is None and bool(self.promises) and all(promise["kept"] is True for promise in self.promises)


def write(part: str, figures: Mapping[str, Any], promises: Mapping[str, bool], seconds: float, out: Path = OUT) -> int:
    """Write a part's file, say its broken promises; returns its exit code."""
    kept = [{"text": text, "kept": kept} for text, kept in promises.items()]
    out.mkdir(parents=True, exist_ok=True)
    content = {"part": part, "figures": figures, "promises": kept, "seconds": round(seconds, 2)}
    (out / f"{'.'.join([part, *_share()])}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for text in (text for text, kept in promises.items() if not kept):
        print(f"{part}: BROKEN: {text}", flush=True)
    return 0 if promises and all(promises.values()) else 1


def read(name: str, exit_code: int, out: Path = OUT) -> PartReport:
    """What a program left when it ended with ``exit_code``. Never raises for what stands in the file."""
    path = out / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        report = PartReport(
            part=name,
            figures=dict(content["figures"]),
            promises=[{"text": str(promise["text"]), "kept": promise["kept"] is True} for promise in content["promises"]],
            seconds=float(content["seconds"]),
        )
    except FileNotFoundError:
        return PartReport(name, problem=f"ended with {exit_code} and wrote no {path.name}")
    except (ValueError, KeyError, TypeError) as error:
        return PartReport(name, problem=f"{path.name} cannot be read: {error!r}")
    if exit_code != 0 and report.passed:
        return replace(report, problem=f"ended with {exit_code} although it says that every promise was kept")
    return report if report.promises else replace(report, problem="promises nothing")


def join(part: str, shares: Sequence[PartReport]) -> PartReport:
    """The shares of one part as one: figures added up, a promise kept when every share kept it."""
    if len(shares) == 1:
        return replace(shares[0], part=part)
    kept = {text: True for share in shares for text in (promise["text"] for promise in share.promises)}
    for promise in (promise for share in shares for promise in share.promises):
        kept[promise["text"]] &= promise["kept"]
    return PartReport(
        part=part,
        problem="; ".join(f"{share.part} {share.problem}" for share in shares if share.problem is not None) or None,
        figures=_added([share.figures for share in shares]),
        promises=[{"text": f"{text} (each of {len(shares)} shares)", "kept": value} for text, value in kept.items()],
        seconds=max(share.seconds for share in shares),
    )


def merge(parts: Sequence[PartReport], seconds: float) -> dict[str, Any]:
    """The content of report.json."""
    return {
        "passed": bool(parts) and all(part.passed for part in parts),
        "seconds": round(seconds, 2),
        "compared": [{"who": who, **dict(zip(COMPARED, numbers, strict=True))} for who, numbers in compared(parts)],
        "parts": {
            part.part: {
                "passed": part.passed,
                "problem": part.problem,
                "figures": dict(part.figures),
                "promises": [dict(promise) for promise in part.promises],
                "seconds": part.seconds,
            }
            for part in parts
        },
    }


def compared(parts: Iterable[PartReport]) -> list[tuple[str, tuple[int, ...]]]:
    """The rows of the table: ours first."""
    rows = [(part.part, name, numbers) for part in parts for name, numbers in _rows(part.figures)]
    rows.sort(key=lambda row: row[0] == _PEER)
    return [(f"{'CUPS' if part == _PEER else 'print-station'}, {name or part}", numbers) for part, name, numbers in rows]


def lines(parts: Sequence[PartReport]) -> Iterator[str]:
    """The whole result for a screen."""
    for part in parts:
        verdict = "kept every promise" if part.passed else part.problem or "BROKE A PROMISE"
        yield f"\n{part.part}: {verdict} ({part.seconds:.0f} s)"
        yield from (f"  {'kept  ' if promise['kept'] else 'BROKEN'}  {promise['text']}" for promise in part.promises)
        yield from (f"          {name} = {text}" for name, text in _short(part.figures))
    rows = compared(parts)
    if rows:
        width = max(len(who) for who, _ in rows)
        yield f"\n{'kill -9 at work':{width}}  {'jobs':>8} {'kills':>8} {'lost':>8} {'printed twice':>14}"
        for who, (jobs, kills, lost, twice) in rows:
            yield f"{who:{width}}  {jobs:>8,} {kills:>8,} {lost:>8,} {twice:>14,}"


def _share() -> list[str]:
    share = os.environ.get(SHARE_VARIABLE)
    return [] if share is None else [share]


def _added(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Numbers and lists are added, tables likewise, of anything else the first is taken."""
    total: dict[str, Any] = {}
    for name, value in (item for one in figures for item in one.items()):
        before = total.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            total[name] = _added([before, value])
        elif before is None or not isinstance(value, int | float | list):
            total[name] = value if before is None else before
        else:
            total[name] = before + value
    return total


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, values in [("", figures), *figures.items()]:
        if isinstance(values, Mapping) and all(isinstance(values.get(key), int) for key in COMPARED):
            yield name, tuple(values[key] for key in COMPARED)


def _short(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
        if len(text) <= _FIGURE_LIMIT_CHARACTERS and not isinstance(value, Mapping):
            yield name, text
