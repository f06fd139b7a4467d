"""Cuts the power of one recorded run again and again, and counts what is lost."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from tools.powercut import recorder
from tools.powercut.disk import Disk
from tools.powercut.image_folder import ImageFolder
from tools.powercut.start_up import Promised, losses
from tools.powercut.trace import Call, Op, TraceError, read_trace

ROOT = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made there; images are written and read thousands of times a minute
CHANCES = (1.0, 0.5, 0.1, 0.0)  # that an unsynced change is on the disk, one for each image
WRITER_LIMIT_S = 120.0  # a run takes about a second
LOG_VERIFIED = 20  # the log is verified after one cut in so many
EXAMPLES_KEPT = 5  # of losses, with where they happened


@dataclass(frozen=True, slots=True)
class Work:
    """One run of the writer. The same work is the same run."""

    seed: int
    lives: int = 2
    jobs: int = 6  # of each life
    variant: str = "safe"  # or one of writer.UNSAFE
    deaf: str | None = None  # a folder below the root whose fsync is left out


@dataclass(frozen=True, slots=True)
class Control:
    """A mistake that must be caught, and the kind of loss that it leads to."""

    mistake: str
    work: Work
    loss: str


CONTROLS = (
    Control("WAL with synchronous NORMAL", Work(seed=101, variant="normal"), "commits lost"),
    Control("journal DELETE with synchronous FULL, Python's default", Work(seed=102, variant="delete"), "commits lost"),
    Control("no fsync of the spool's folder", Work(seed=103, deaf="state/spool"), "payload lost"),
    Control("no fsync of the state folder", Work(seed=104, deaf="state"), "no start"),
)


@dataclass(slots=True)
class Tally:
    """What came of many cuts."""

    cuts: int = 0
    commits: int = 0  # acknowledged in the run
    lossy: int = 0  # cuts after which anything was lost
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0  # for cutting and starting, without the run itself
    processor_s: float = 0.0  # the same, of this process

    def add(self, place: str, found: Sequence[str]) -> None:
        """Count one cut."""
        self.cuts += 1
        self.lossy += bool(found)
        self.kinds.update({loss.partition(":")[0] for loss in found})
        if found and len(self.examples) < EXAMPLES_KEPT:
            self.examples.append(f"{place}: {'; '.join(found[:3])}")

    def join(self, other: Tally) -> None:
        """Add the cuts of another run."""
        self.cuts += other.cuts
        self.commits += other.commits
        self.lossy += other.lossy
        self.kinds.update(other.kinds)
        self.examples += other.examples[: EXAMPLES_KEPT - len(self.examples)]
        self.seconds += other.seconds
        self.processor_s += other.processor_s


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of our own for traces and images: in memory where there is room for that, below build/ otherwise."""
    base = SHARED_MEMORY if SHARED_MEMORY.is_dir() else ROOT / "build" / "powercut"
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="print-station-cuts-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def works(first_seed: int) -> Iterator[Work]:
    """Runs without end, no two alike: one to three lives, of a few jobs or of enough to fill the WAL."""
    for seed in count(first_seed):
        yield Work(seed, lives=1 + seed % 3, jobs=(4, 6, 14)[seed // 3 % 3])


def cut_run(work: Work, cuts: int) -> Tally:
    """Record a run and cut the power in it so often. Raises TraceError."""
    with scratch() as folder:
        return cut(record(work, folder), cuts, work.seed, folder / "image")


def record(work: Work, folder: Path) -> Sequence[Call]:
    """Run the writer under the recorder in `folder`. Raises TraceError when it failed, or when the trace does not tell all."""
    root, trace = folder / "root", folder / "trace"
    root.mkdir(parents=True)
    deaf = None if work.deaf is None else root / work.deaf
    command = [sys.executable, "-m", "tools.powercut.writer", str(root), "--seed", str(work.seed), "--lives", str(work.lives),
               "--jobs", str(work.jobs), "--variant", work.variant]  # fmt: skip
    ended = subprocess.run(command, cwd=ROOT, env=recorder.environment(root, trace, deaf), capture_output=True, text=True,
                           timeout=WRITER_LIMIT_S, check=False)  # fmt: skip
    if ended.returncode != 0:
        raise TraceError(f"the writer failed: {ended.stderr[-2000:]}")
    calls = read_trace(trace)
    prove_complete(calls, root)
    return calls


def prove_complete(calls: Sequence[Call], root: Path) -> None:
    """Raises TraceError unless the replayed trace ends with exactly the folder that the program left."""
    disk = Disk()
    for call in calls:
        disk.apply(call)
    told = {
        path: None if content is None else bytes(content.data).ljust(content.size, b"\0")
        for path, content in disk.whole().items()
    }
    real = {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
            for path in root.rglob("*") if not path.name.endswith("-shm")}  # fmt: skip
    differing = sorted(path for path in told.keys() | real.keys() if told.get(path, ...) != real.get(path, ...))
    if differing:
        raise TraceError(f"something was written past the recorder: {', '.join(differing)}")


def cut(calls: Sequence[Call], cuts: int, seed: int, folder: Path) -> Tally:
    """Cut the power `cuts` times anywhere in the run; each time start on what is left."""
    rng = Random(seed)  # noqa: S311 - chosen again by the same seed
    return asyncio.run(_cut(calls, cuts, rng, ImageFolder(folder, settled=["state/spool", "state/snapshots"])))


async def _cut(calls: Sequence[Call], cuts: int, rng: Random, image: ImageFolder) -> Tally:
    places = Counter(rng.randrange(1, len(calls) + 1) for _ in range(cuts))
    disk, said, tally = Disk(), _Said(), Tally()
    begun_s, processor_s = time.monotonic(), time.process_time()
    for place, call in enumerate(calls, start=1):
        disk.apply(call)
        said.hear(call)
        for _ in range(places[place]):
            chance = rng.choice(CHANCES)
            image.lay(disk.image(chance, rng))
            found = await losses(
                image.folder, Promised(said.states, said.acknowledged, said.snapshots), verify_log=tally.cuts % LOG_VERIFIED == 0
            )
            tally.add(f"call {place} ({call.op.name} {Path(call.path).name}), chance {chance:g}", found)
    tally.commits = said.acknowledged
    tally.seconds, tally.processor_s = time.monotonic() - begun_s, time.process_time() - processor_s
    image.remove()
    return tally


class _Said:
    """What the writer's marks say so far."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.acknowledged = 0
        self.snapshots: list[str] = []
        self._before = 0  # commits of earlier lives

    def hear(self, call: Call) -> None:
        """Take in one call; only marks say anything."""
        if call.op is not Op.MARK:
            return
        word, _, rest = call.data.decode().partition(" ")
        if word == "life":
            self._before = len(self.states)
        elif word == "will":
            self.states.append(rest)
        elif word == "snapshot":
            self.snapshots.append(rest)
        else:
            self.acknowledged = max(self.acknowledged, self._before + int(rest))
