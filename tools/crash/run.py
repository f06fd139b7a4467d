"""`make crash`: every part of the crash tests in full, each in a sandbox of its own, side by side, within an hour.

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
from tools.crash.report import OUT, ROOT, SHARE_VARIABLE, PartReport
from tools.crash.side_by_side import Ended, Program, SideBySide

TOTAL_S = 60 * 60.0
CORES = 2
LOG_LINES = 20  # shown of a part that failed
LINE_CHARACTERS = 400
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the plan."""

    minutes: float  # most that it may take
    cores: float = 1.0
    lanes: int | None = 1  # readers of its sandbox; None: it needs no sandbox
    shares: int = 1  # of a full run: programs with a seed each that do `kills` together
    kills: int = 0


# The longest first: the short ones fill the cores when they become free. Parts on real wires mostly wait for simulated motion.
PARTS: Mapping[str, Part] = {
    "random_kills": Part(minutes=55, cores=0.5, lanes=6, shares=3, kills=1000),
    "kill_points": Part(minutes=55, cores=0.5),
    "power_cuts": Part(minutes=25, lanes=None),
    "apdu_points": Part(minutes=35, lanes=None),
    "in_process": Part(minutes=20, lanes=None),
    "cups": Part(minutes=15, cores=0.5),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    options = _parse(arguments)
    names = list(PARTS) if options.only is None else options.only
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    absent = [name for name in names if not _program(name).exists()]
    programs = [one for name in names if name not in absent for one in _plan(name, PARTS[name], quick=options.quick)]
    missing = [PartReport(name, problem=f"there is no {_program(name).relative_to(ROOT)}") for name in absent]
    return run(programs, missing)


def run(programs: Sequence[Program], missing: Sequence[PartReport] = (), out: Path = OUT, total_s: float = TOTAL_S) -> int:
    """Run the programs, join what they wrote, say it; returns the exit code. ``missing`` are parts that cannot be run."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").unlink(missing_ok=True)
    for old in (old for program in programs for kind in ("json", "log") for old in _files(program.name, out, kind)):
        old.unlink(missing_ok=True)  # what an earlier run proved is no proof of this one
    started_s = time.monotonic()
    try:
        with SideBySide(out, CORES, say=_say) as side_by_side:
            ended = side_by_side.run(programs, total_s)
    except KeyboardInterrupt:
        _say("interrupted; nothing is left running")
        return INTERRUPTED
    order = [program.name for program in programs]
    parts = [*_results(sorted(ended, key=lambda one: order.index(one.name)), out), *missing]
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


def _plan(name: str, part: Part, *, quick: bool) -> list[Program]:
    sandbox = [] if part.lanes is None else [str(ROOT / "tools" / "sandbox"), "--lanes", str(part.lanes), "--"]
    command = [*sandbox, sys.executable, "-m", f"tools.crash.{name}"]
    if quick or part.shares == 1:
        return [Program(name, [*command, *(["--quick"] if quick else [])], part.minutes * 60, part.cores)]
    kills = -(-part.kills // part.shares)
    return [
        Program(f"{name}.{share}", [*command, "--kills", str(kills), "--seed", str(share)], part.minutes * 60, part.cores,
                {SHARE_VARIABLE: str(share)})
        for share in range(1, part.shares + 1)
    ]  # fmt: skip


def _results(ended: Sequence[Ended], out: Path) -> list[PartReport]:
    """What each part left, its shares joined."""
    found: dict[str, list[PartReport]] = {}
    for one in ended:
        left = report.read(one.name, one.exit_code, out)
        left = replace(left, seconds=one.seconds, problem=one.problem or left.problem)
        found.setdefault(one.name.partition(".")[0], []).append(left)
    return [report.join(part, shares) for part, shares in found.items()]


def _files(name: str, out: Path, kind: str) -> list[Path]:
    """Those of a program's part and of all its shares."""
    part = name.partition(".")[0]
    return sorted([*out.glob(f"{part}.{kind}"), *out.glob(f"{part}.*.{kind}")])


def _show(parts: Sequence[PartReport], seconds: float, out: Path) -> None:
    for log in (log for part in parts if not part.passed for log in _files(part.part, out, "log")):
        _say(f"\n--- end of {log.relative_to(ROOT) if log.is_relative_to(ROOT) else log}")
        for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:]:
            _say(line[:LINE_CHARACTERS])
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
