"""kill -9 of the daemon at random instants, half of them with printers losing their power too; then the truth decides.

Rounds with a fresh station each, of one lane and of six in turn; lane by lane the printers hold or eject their card at power-on.
Runs in a sandbox of six lanes; writes build/crash/random_kills.json.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tools.crash import report
from tools.crash.room import Broken, Room
from tools.rig import RigError

LANES = (1, 6)
ROUND_KILLS = 20  # then a fresh station: the world must stay small enough to be compared quickly
KEPT_BUSY = 2  # ready jobs for each lane
LONGEST_S = 2.2  # from the start to the next kill: a card takes about 1.5 s at this speed
SPEED = "20"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="40 kills")
    options = parser.parse_args(arguments)
    kills = 40 if options.quick else options.kills
    started_s = time.monotonic()
    rounds = [Round(f"{options.seed}:{number}") for number in range(-(-kills // ROUND_KILLS))]
    for number, one in enumerate(rounds):
        lanes = LANES[number % len(LANES)]
        one.run(Path("build/run") / f"k{number}", lanes, min(ROUND_KILLS, kills - number * ROUND_KILLS))
        print(f"round {number + 1}, {lanes} lanes: {dict(one.figures)} {one.broken or 'all promises kept'}", flush=True)
        if one.broken:
            break
    return _report(rounds, kills, time.monotonic() - started_s)


def _report(rounds: Sequence[Round], kills: int, seconds: float) -> int:
    figures = sum((one.figures for one in rounds), Counter[str]())
    rows = sum((one.rows for one in rounds), Counter[str]())
    broken = [text for one in rounds for text in one.broken]
    compared = {"jobs": figures["jobs"], "kills": figures["kills"], "lost": figures["lost"], "printed_twice": figures["twice"]}
    promises = {
        f"{kills} kills were made": figures["kills"] == kills,
        "every job has exactly one good card: none lost, none twice": not figures["lost"] and not figures["twice"],
        "every blank has its verdict, and belief equals the world": not broken,
        "at most one question for each lane and each cut": not figures["questions too many"],
    }
    return report.write("random_kills", {**compared, **figures, "verdict rows": dict(rows), "broken": broken}, promises, seconds)


class Round:
    """One station from its start to its last card."""

    def __init__(self, seed: str) -> None:
        self.figures: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.broken: list[str] = []
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  repeatable instants, not secrets

    def run(self, folder: Path, lanes: int, kills: int) -> None:
        """So many kills, then all work to its end."""
        ejects = [str(number) for number in range(1, lanes + 1) if self._chance.random() < 0.5]
        with Room(folder, lanes=lanes, ejects=ejects, speed=SPEED) as room:
            try:
                for _ in range(kills):
                    self._cut(room)
                room.finish()
                self._compare(room)
            except (RigError, Broken) as error:
                self.broken.append(f"seed {self._seed}: {error}")

    def _cut(self, room: Room) -> None:
        """Let it work for a while, cut, bring it back, answer what it asks."""
        room.submit(max(0, KEPT_BUSY * len(room.lanes) - room.rig.states().get("ready", 0)))
        end_s = time.monotonic() + self._chance.uniform(0, LONGEST_S)
        room.rig.until(lambda: time.monotonic() >= end_s, "the instant")
        power = [lane for lane in room.lanes if self._chance.random() < 0.8] if self._chance.random() < 0.5 else []
        if power and self._chance.random() < 0.5:
            for lane in power:
                room.rig.fault("counter_lag", lane=lane)
        cut_us = time.time_ns() // 1000
        room.kill(power)
        room.restart(power)
        answered = room.person.answer_all()
        asked = room.questions_between(cut_us, time.time_ns() // 1000)
        self.figures += Counter({"kills": 1, "with power": bool(power), "answered": answered})
        self.figures["questions too many"] += sum(count - 1 for count in asked.values())

    def _compare(self, room: Room) -> None:
        cards = room.cards()
        self.figures += Counter({"jobs": len(cards)})
        self.figures["lost"] += sum(count == 0 for count in cards.values())
        self.figures["twice"] += sum(count > 1 for count in cards.values())
        self.rows += room.verdicts()
        self.broken += [f"seed {self._seed}: {text}" for text in room.broken()]


if __name__ == "__main__":
    sys.exit(main())
