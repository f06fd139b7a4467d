"""A rig as the measurements need it: room for many cards, records handed in over one connection, and hardly ever asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from controller.client import StationClient
from tools.rig import Rig, RigError

RUN = Path("build/run")  # private to the sandbox; relative, because a Unix socket's path may have 107 bytes at most
LANE = "1"
ROOM = 1000  # blanks that hopper and bin hold
PAGE = 500  # the most a listing gives at once
LOOK_S = 1.0  # asking more often would show up in the figures
_ENDED = ("issued", "failed", "held")


def rig(name: str, speed: str = "max") -> Rig:
    """A rig in its own folder, with a hopper and a bin that outlast any measurement."""
    return Rig(RUN / name, speed=speed, edits={"capacity = 100": f"capacity = {ROOM}"})


def submit_all(station: Rig, bodies: Sequence[bytes]) -> None:
    """Hand in every record. Raises RigError when one is refused."""
    with StationClient(station.address) as client:
        for body in bodies:
            answer = client.post("/api/v1/jobs", body)
            if answer.status != 201:
                raise RigError(f"a record was answered with {answer.status}: {answer.problems}")


def issue(station: Rig, count: int, limit_s: float) -> None:
    """Fill the hopper for `count` waiting jobs and wait until all have ended. Raises RigError when that takes too long."""
    end_s = time.monotonic() + limit_s
    station.load(LANE, count)
    while sum(station.states().get(state, 0) for state in _ENDED) < count:
        if time.monotonic() > end_s:
            raise RigError(f"{count} cards took more than {limit_s:g} s: {station.states()}\n{station.logs()}")
        time.sleep(LOOK_S)


def count_jobs(station: Rig) -> int:
    """How many jobs the station lists, page by page."""
    seen, after = 0, 0
    with StationClient(station.address) as client:
        while jobs := client.get("/api/v1/jobs", {"after": after, "limit": PAGE}).body["jobs"]:
            seen, after = seen + len(jobs), jobs[-1]["id"]
    return seen
