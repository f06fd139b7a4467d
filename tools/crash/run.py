"""`make crash`: every part of the crash tests in full, each in a sandbox of its own, two side by side, within an hour.

Prints one table, ours and CUPS's figures one below the other, and writes build/crash/report.json. Exit 0 only when every part
that was asked for ran to its end and kept every promise. A part is one program, tools/crash/PART.py; `tools.crash.report` says
what it writes. What a part says goes to build/crash/PART.log. Whatever happens, nothing is left running.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.crash import report
from tools.crash.report import OUT, ROOT, PartReport
from tools.crash.side_by_side import Ended, Program, SideBySide

TOTAL_S = 60 * 60.0
CORES = 2
LOG_LINES = 20  # shown of a part that failed
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the plan."""

    minutes: float  # most that it may take
    cores: int = 1
    lanes: int | None = 1  # readers of its sandbox; None: it needs no sandbox
    full: Sequence[str] = ()  # what it is given in a full run ...
    quick: Sequence[str] = ("--quick",)  # ... and in a short one


# The longest first: the short ones fill the second core when it becomes free.
PARTS: Mapping[str, Part] = {
    "random_kills": Part(minutes=50, lanes=6),
    "kill_points": Part(minutes=40),
    "power_cuts": Part(minutes=15, lanes=None),
    "cups": Part(minutes=10),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    options = _parse(arguments)
    names = list(PARTS) if options.only is None else options.only
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    absent = [name for name in names if not _program(name).exists()]
    programs = [_plan(name, PARTS[name], quick=options.quick) for name in names if name not in absent]
    missing = [PartReport(name, problem=f"there is no {_program(name).relative_to(ROOT)}") for name in absent]
    return run(programs, missing)


def run(programs: Sequence[Program], missing: Sequence[PartReport] = (), out: Path = OUT, total_s: float = TOTAL_S) -> int:
    """Run the programs, join what they wrote, say it; returns the exit code. ``missing`` are parts that cannot be run."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [out / "report.json", *(out / f"{program.name}.json" for program in programs)]:
        old.unlink(missing_ok=True)  # what an earlier run proved is no proof of this one
    started_s = time.monotonic()
    try:
        with SideBySide(out, CORES, say=_say) as side_by_side:
            ended = {one.name: one for one in side_by_side.run(programs, total_s)}
    except KeyboardInterrupt:
        _say("interrupted; nothing is left running")
        return INTERRUPTED
    parts = [*(_result(ended[program.name], out) for program in programs), *missing]
    merged = report.merge(parts, time.monotonic() - started_s)
    (out / "report.json").write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")
    _show(parts, merged["seconds"], out)
    return 0 if merged["passed"] else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make crash", description="Kill, cut and unplug, and count what was lost.")
    parser.add_argument("--only", type=_names, metavar="PART,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of an hour: shows that the parts work")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown part {', '.join(map(repr, unknown))}; there are {', '.join(PARTS)}")
    return names


def _program(name: str) -> Path:
    return ROOT / "tools" / "crash" / f"{name}.py"


def _plan(name: str, part: Part, *, quick: bool) -> Program:
    command = [sys.executable, "-m", f"tools.crash.{name}", *(part.quick if quick else part.full)]
    if part.lanes is not None:
        command = [str(ROOT / "tools" / "sandbox"), "--lanes", str(part.lanes), "--", *command]
    return Program(name, command, limit_s=part.minutes * 60, cores=part.cores)


def _result(ended: Ended, out: Path) -> PartReport:
    found = report.read(ended.name, ended.exit_code, out)
    return replace(found, seconds=ended.seconds, problem=ended.problem or found.problem)


def _show(parts: Sequence[PartReport], seconds: float, out: Path) -> None:
    for part in parts:
        log = out / f"{part.part}.log"
        if not part.passed and log.exists():
            _say(f"\n--- end of {log.relative_to(ROOT) if log.is_relative_to(ROOT) else log}")
            _say("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:]))
    for line in report.lines(parts):
        _say(line)
    failed = [part.part for part in parts if not part.passed]
    verdict = f"FAILED ({', '.join(failed)})" if failed else "PASSED"
    _say(f"\n{verdict} in {seconds / 60:.1f} minutes   figures: build/crash/report.json")


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)  # the way out is short and is not left twice
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
