"""kill -9 of the daemon at every point of a passage, for a printer that holds and for one that ejects its card.

On the real wires. The points are learned from the running code: one passage is recorded, then each USB exchange of it, the first,
a middle and the last of each run of like APDUs, and each commit is a point. At a point the daemon dies (the simulator sends the
signal, or strace at an fdatasync), is started again, and the work goes on to its end; then the truth decides. Device losses (USB
unplugged, printer power cycled, pcscd killed, reader hung) happen in every stage, without a kill. Writes
build/crash/kill_points.json.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controller.jobs.passage import PLANS, REJECT
from tools.crash import report
from tools.crash.room import Broken, Room
from tools.pcscd import Pcscd
from tools.rig import RigError

STAGE_NAMES = frozenset(stage.name for plan in PLANS.values() for stage in (*plan, REJECT))
FEED = "> Sic"  # the first act of a passage; what the idle lane asks before it is not counted
DIE_LIMIT_S = 60.0
ROOM_POINTS = 40  # then a fresh station: the world must stay small enough to be compared quickly
SPEED = "max"
KINDS = ("holds", "ejects")
# An exchange in each stage: the wire, the label where counting begins, and how many exchanges on.
STAGES = {
    "feed": ("usb", "> Sic", 1), "probe": ("apdu", "", 1), "encode": ("apdu", "", 12), "print": ("usb", "> Db;m;128", 1),
    "deliver": ("usb", "> Pneab;A;0", 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """Where the daemon dies."""

    wire: str  # usb, apdu, or commit
    number: int  # 1 is the first exchange after the job was handed in, or the first commit
    label: str
    power: bool = False  # the printer loses its power at the same moment
    start: str = ""  # counted from the first exchange with this label

    def __str__(self) -> str:
        return f"{self.wire} {self.number} ({self.label}){' with power' if self.power else ''}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every 40th point")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th point only")
    options = parser.parse_args(arguments)
    started_s = time.monotonic()
    run = Run(40 if options.quick else options.every)
    for kind in KINDS:
        run.kills(kind)
        run.losses(kind)
        print(f"{kind}: {dict(run.figures)} {run.broken or 'all promises kept'}", flush=True)
    compared = {"jobs": run.figures["jobs"], "kills": run.figures["kills"], "lost": run.figures["lost"],
                "printed_twice": run.figures["twice"]}  # fmt: skip
    promises = {
        "the daemon died at every point": run.figures["kills"] > 0 and not run.missed,
        "every job has exactly one good card: none lost, none twice": not run.figures["lost"] and not run.figures["twice"],
        "every blank has its verdict, and belief equals the world": not run.broken,
    }
    figures = {**compared, **run.figures, "verdict rows": dict(run.rows), "missed": run.missed, "broken": run.broken}
    return report.write("kill_points", figures, promises, time.monotonic() - started_s)


class Run:
    """All points of both kinds of printer."""

    def __init__(self, every: int) -> None:
        self.figures: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.broken: list[str] = []
        self.missed: list[str] = []
        self._every = every
        self._rooms = itertools.count(1)

    def kills(self, kind: str) -> None:
        """The daemon dies at each point; at every second one the printer loses its power too."""
        with self._room(kind) as room:
            points = list(learn(room))
        self.figures[f"points {kind}"] = len(points)
        self.kill_at(kind, [replace(point, power=bool(n % 2)) for n, point in enumerate(points[:: self._every])])

    def kill_at(self, kind: str, chosen: Sequence[Point]) -> None:
        """The daemon dies at these points; each time the work goes on to its end."""
        for start in range(0, len(chosen), ROOM_POINTS):
            self._in_room(kind, [lambda room, p=p: self._die(room, p) for p in chosen[start : start + ROOM_POINTS]])  # type: ignore[misc]  # bound now

    def losses(self, kind: str) -> None:
        """Each device is lost once in each stage."""
        cases = [(stage, loss) for stage in STAGES for loss in LOSSES]
        self._in_room(kind, [lambda room, c=case: self._lose(room, *c) for case in cases[:: min(self._every, 5)]])  # type: ignore[misc]  # bound now

    def _in_room(self, kind: str, acts: Sequence[Callable[[Room], None]]) -> None:
        with self._room(kind) as room:
            try:
                for act in acts:
                    act(room)
                    room.finish()
                cards = room.cards()
                self.figures += Counter(jobs=len(cards))
                self.figures["lost"] += sum(count == 0 for count in cards.values())
                self.figures["twice"] += sum(count > 1 for count in cards.values())
                self.rows += room.verdicts()
                self.broken += [f"{kind}: {text}" for text in room.broken()]
            except (RigError, Broken) as error:
                self.broken.append(f"{kind}: {error}")

    def _room(self, kind: str) -> Room:
        return Room(Path("build/run") / f"p{next(self._rooms)}", ejects=["1"] if kind == "ejects" else [], speed=SPEED)

    def _die(self, room: Room, point: Point) -> None:
        if point.wire == "commit":
            room.rig.stop_station()
            room.rig.start_station(prefix=_strace(room, f"inject=fdatasync:signal=KILL:when={point.number}"))
        else:
            room.rig.trigger(point.wire, point.number, "after", "kill", pid=room.rig.station_pid, start=point.start)
        room.submit(1)
        try:
            room.rig.until(lambda: room.rig.station_exit() is not None, f"the daemon to die at {point}", DIE_LIMIT_S)
        except RigError:
            self.missed.append(str(point))
        power = ["1"] if point.power else []
        room.kill(power)
        room.restart(power)
        room.rig.clear_triggers()
        self.figures["kills"] += 1

    def _lose(self, room: Room, stage: str, loss: str) -> None:
        """Hand in a job, lose the device in this stage of it, bring the device back."""
        wire, label, ahead = STAGES[stage]
        lose, bring_back = LOSSES[loss]
        room.rig.trigger(wire, ahead, "after", lose, start=label)
        room.submit(1)
        room.rig.until(
            lambda: all(one["fired"] for one in room.rig.exchanges()["1"]["triggers"]), f"{loss} in {stage}", DIE_LIMIT_S
        )
        bring_back(room)
        room.rig.clear_triggers()
        self.figures["losses"] += 1


def learn(room: Room) -> Iterator[Point]:
    """Record one passage, and one run's commits; yields every point."""
    room.rig.exchanges(record=True)
    room.submit(1)
    room.finish()
    labels = room.rig.exchanges()["1"]["labels"]
    usb = labels["usb"][labels["usb"].index(FEED) :]
    last = max(number for number, label in enumerate(usb) if label in ("> Se", "< Se"))
    yield from (Point("usb", number, label, start=FEED) for number, label in enumerate(usb[: last + 8], 1))
    yield from _of_runs(labels["apdu"])
    first, last_commit = _commits(room)
    yield from (Point("commit", number, "fdatasync") for number in range(first, last_commit + 1))


def _of_runs(labels: Sequence[str]) -> Iterator[Point]:
    """First, middle and last of each run of like APDUs."""
    numbered = list(enumerate(labels, 1))
    for _, run in itertools.groupby(numbered, key=lambda pair: pair[1].split()[0]):
        members = list(run)
        for place in sorted({0, len(members) // 2, len(members) - 1}):
            yield Point("apdu", *members[place])


def _commits(room: Room) -> tuple[int, int]:
    """Which of a fresh daemon's fdatasync calls belong to a card: the first and the last, counted from its start."""
    room.rig.stop_station()
    room.rig.start_station(prefix=_strace(room, "trace=fdatasync"))
    room.rig.until(lambda: room.rig.lane()["activity"] == "idle", "the lane to be idle")
    before = _synced(room)
    room.submit(1)
    room.finish()
    return before + 1, _synced(room)


def _strace(room: Room, what: str) -> list[str]:
    # -D: the daemon stays our child and dies with its own signal; strace alone would leave it running.
    return ["strace", "-D", "-f", "-qq", "-o", str(room.folder / "strace"), "-e", "trace=fdatasync", "-e", what]


def _synced(room: Room) -> int:
    return (room.folder / "strace").read_text().count("fdatasync(")


def _usb_back(room: Room) -> None:
    room.rig.fault("usb_replug")


def _power_back(room: Room) -> None:
    room.rig.sim("power", device="printer", lane="1", state="on")


def _pcscd_back(_room: Room) -> None:
    Pcscd().start()


def _reader_back(room: Room) -> None:
    """Once the lane has noticed: it recovers, or the card has gone its way."""
    room.rig.until(lambda: room.rig.lane()["activity"] not in STAGE_NAMES, "the lane to notice the hung reader", DIE_LIMIT_S)
    room.rig.fault("reader_thaw")


Loss = tuple[list[dict[str, object]], Callable[[Room], None]]
LOSSES: dict[str, Loss] = {
    "USB unplugged": ([{"do": "fault", "name": "usb_unplug"}], _usb_back),
    "printer power cycled": ([{"do": "fault", "name": "printer_off"}], _power_back),
    "pcscd killed": ([{"do": "pcscd", "signal": int(signal.SIGKILL)}], _pcscd_back),
    "reader hung": ([{"do": "fault", "name": "reader_hang"}], _reader_back),
}


if __name__ == "__main__":
    sys.exit(main())
