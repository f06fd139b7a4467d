"""Points of a card's way at which scenarios let something happen, learned from the running station.

A stage is named by an exchange of it on a wire; its number is counted in a record of one whole passage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.scenario.scene import Json, Scene

FEED = "> Sic"  # what the idle lane asks before it is not counted

Passage = Mapping[str, Sequence[str]]  # labels of what crossed each wire, from the first act on


@dataclass(frozen=True, slots=True)
class Point:
    """An exchange of a passage: the `nth` one with this label."""

    wire: str
    label: str
    nth: int = 1


STAGES = {
    "feed": Point("usb", "> Sic"),
    "probe": Point("apdu", "CA 0000"),
    "encode": Point("apdu", "D6 0002", 3),
    "read back": Point("apdu", "B0 00D0"),
    "lock": Point("apdu", "44 0000"),
    "verify": Point("apdu", "82 0000", 2),
    "print": Point("usb", "> Db;m;128"),
    "end of print": Point("usb", "> Se"),
    "check": Point("usb", "> Sic", 2),
    "before it leaves": Point("usb", "> Pneab;A;0"),
    "deliver": Point("usb", "> Se", 2),
}


def learn(scene: Scene) -> Passage:
    """Let one card be made, and record it."""
    scene.until_free()
    scene.rig.exchanges(record=True)
    scene.issue()
    labels = scene.rig.exchanges()["1"]["labels"]
    scene.rig.exchanges(record=False)
    return {"usb": labels["usb"][labels["usb"].index(FEED) :], "apdu": labels["apdu"]}


def at(scene: Scene, passage: Passage, stage: str, *acts: Json, when: str = "after") -> None:
    """These things happen at this point of the next card: before the machine acted on the exchange, or after."""
    point = STAGES[stage]
    numbers = [number for number, label in enumerate(passage[point.wire], 1) if label == point.label]
    start = FEED if point.wire == "usb" else ""
    scene.rig.trigger(point.wire, numbers[point.nth - 1], when, list(acts), start=start)


def kill(scene: Scene) -> Json:
    """The daemon dies as in a power cut."""
    return {"do": "kill", "pid": scene.rig.station_pid}


def fault(name: str, **values: object) -> Json:
    """Something goes wrong; see `hw-sim fault list`."""
    return {"do": "fault", "name": name, "values": {key: str(value) for key, value in values.items()}}
