"""A fixed sample of what `make crash` does at length on the real wires: kill -9 at chosen points, and at random instants.

What becomes of a card that is interrupted in each stage is told one by one in tests/scenario/test_recovery.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.crash.kill_points import FEED, KINDS, Point, Run
from tools.crash.random_kills import Round
from tools.pcscd import SANDBOX_VARIABLE

pytestmark = pytest.mark.skipif(SANDBOX_VARIABLE not in os.environ, reason="sandbox")

LEAVES = "> Pneab;A;0"
POINTS = (
    Point("usb", 1, "fed", power=True, start=FEED),
    Point("apdu", 3, "chip half written", start="D6 0002"),
    Point("usb", 1, "half printed", power=True, start="> Db;m;128"),
    Point("usb", 3, "left", start=LEAVES),
)
RANDOM_KILLS = 6


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_chosen_points_every_job_gets_one_card_and_every_blank_its_verdict(kind: str) -> None:
    run = Run(every=1)
    run.kill_at(kind, POINTS)
    assert (run.broken, run.missed) == ([], [])
    assert {name: run.figures[name] for name in ("jobs", "kills", "lost", "twice")} == {
        "jobs": len(POINTS), "kills": len(POINTS), "lost": 0, "twice": 0,
    }  # fmt: skip


def test_killed_at_random_instants_every_job_gets_one_card_and_no_lane_asks_twice() -> None:
    one = Round("sample")
    one.run(Path("build/run/k"), lanes=1, kills=RANDOM_KILLS)
    assert one.broken == []
    assert one.figures["kills"] == RANDOM_KILLS
    assert (one.figures["lost"], one.figures["twice"], one.figures["questions too many"]) == (0, 0, 0)
