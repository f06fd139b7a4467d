"""Points of a card's way at which scenarios let something happen: exchanges on a wire, named by what they are the n-th of.

Nothing here counts blocks, whose number differs from record to record. While a lane is idle it says nothing to a chip, and feeds
nothing, so counting begins with the next card.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.scenario.scene import Json, Scene

FEED = "> Sic"
UID, AUTHENTICATE, WRITE, LENGTH, LOCK = "CA 0000", "82 0000", "D6 0002", "D6 0000", "44 0000"  # APDUs: see hwsim.exchanges


@dataclass(frozen=True, slots=True)
class Point:
    """An exchange of a passage: so many ahead from the `nth` one with this label, which is 1 ahead itself."""

    wire: str
    label: str
    nth: int = 1
    ahead: int = 1


# The UID is asked for at the beginning of: probe, encode, read back, lock, verify, check.
STAGES = {
    "feed": Point("usb", FEED),
    "probe": Point("apdu", UID),
    "authenticate": Point("apdu", AUTHENTICATE),
    "first write": Point("apdu", WRITE),
    "encode": Point("apdu", WRITE, nth=2, ahead=2),  # a later write: the second block of the second file
    "length": Point("apdu", LENGTH, nth=2),  # the same file's length
    "last length": Point("apdu", LENGTH, nth=6),
    "read back": Point("apdu", UID, nth=3, ahead=4),  # UID, select, first block, second block
    "lock": Point("apdu", LOCK),
    "verify": Point("apdu", AUTHENTICATE, nth=2),
    "verify read": Point("apdu", UID, nth=5, ahead=10),
    "print": Point("usb", "> Db;m;128"),
    "end of print": Point("usb", "> Se"),
    "check": Point("usb", FEED, nth=2),  # the printed card goes back to the reader
    "check chip": Point("apdu", UID, nth=6),
    "before it leaves": Point("usb", "> Pneab;A;0"),
    "deliver": Point("usb", "> Se", nth=2),
}


def at(scene: Scene, stage: str, *acts: Json, when: str = "after", lane: str = "1") -> int:
    """These things happen at this point of the next card: before the machine acted on the exchange, or after. Returns the
    trigger's number."""
    point = STAGES[stage]
    return scene.rig.trigger(point.wire, point.ahead, when, list(acts), start=point.label, nth=point.nth, lane=lane)


def kill(scene: Scene) -> Json:
    """The daemon dies as in a power cut."""
    return {"do": "kill", "pid": scene.rig.station_pid}


def fault(name: str, **values: object) -> Json:
    """Something goes wrong; see `hw-sim fault list`."""
    return {"do": "fault", "name": name, "values": {key: _word(value) for key, value in values.items()}}


def _word(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
