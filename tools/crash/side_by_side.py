"""Runs programs in the order given, as many at a time as the cores allow, each within its time; leaves nothing of them running.

Each program gets a session of its own, so that all of it can be ended: asked first, killed when it does not follow. When this
process is killed outright the programs are too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

POLL_S = 0.05
GRACE_S = 15.0  # after SIGTERM: a sandbox ends its daemon and removes its folder
OVER_TIME = "took longer than {limit_s:.0f} s and was stopped"
NO_TIME = "was not started: the time for all parts had run out"


@dataclass(frozen=True, slots=True)
class Program:
    """One program to run."""

    name: str
    command: Sequence[str]
    limit_s: float  # after that it is stopped
    cores: float = 1  # how many it keeps busy: programs that would disturb each other do not fit side by side
    environment: Mapping[str, str] = field(default_factory=dict)  # besides ours


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    name: str
    exit_code: int
    seconds: float
    problem: str | None = None  # it was stopped, or never started


class SideBySide:
    """The programs that run now. A context manager: on the way out, every one that still runs is ended."""

    def __init__(self, logs: Path, cores: float, say: Callable[[str], None] = print) -> None:
        """``logs`` receives NAME.log, all that a program says."""
        self._logs = logs
        self._cores = cores
        self._say = say
        self._running: list[_Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end([one.process for one in self._running])
        self._running.clear()

    def run(self, programs: Sequence[Program], total_s: float) -> list[Ended]:
        """Run them all, returns how each ended, in the order of ending. After ``total_s`` what still runs is stopped."""
        deadline = time.monotonic() + total_s
        waiting, ended = list(programs), list[Ended]()
        while waiting or self._running:
            if time.monotonic() < deadline:
                self._start_what_fits(waiting)
            else:
                ended += [Ended(program.name, -1, 0.0, NO_TIME) for program in waiting]
                waiting.clear()
            time.sleep(POLL_S)
            ended += self._collect(deadline)
        return ended

    def _start_what_fits(self, waiting: list[Program]) -> None:
        for program in list(waiting):
            busy = sum(one.program.cores for one in self._running)
            if self._running and busy + program.cores > self._cores:
                continue
            waiting.remove(program)
            self._running.append(_Running(program, _start(program, self._logs / f"{program.name}.log"), time.monotonic()))
            self._say(f"{program.name}: started")

    def _collect(self, deadline: float) -> list[Ended]:
        found = []
        for one in list(self._running):
            seconds, problem = time.monotonic() - one.started_s, None
            if not _has_ended(one.process):
                if seconds < one.program.limit_s and time.monotonic() < deadline:
                    continue
                problem = OVER_TIME.format(limit_s=seconds)
            _end([one.process])
            self._running.remove(one)
            found.append(Ended(one.program.name, one.process.returncode, seconds, problem))
            self._say(f"{one.program.name}: {problem or f'ended with {one.process.returncode}'} after {seconds:.0f} s")
        return found


@dataclass(frozen=True, slots=True)
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    started_s: float


def _start(program: Program, log: Path) -> subprocess.Popen[bytes]:
    command = ["setpriv", "--pdeathsig", "TERM", *program.command]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                                env={**os.environ, **program.environment})  # fmt: skip


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End them and what they left in their group, also when they have ended by themselves."""
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)  # a program that has ended is not collected yet and takes no notice
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and not all(map(_has_ended, processes)):
        time.sleep(POLL_S)
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without collecting it: until it is collected its number is that of its group and of nobody else's."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
