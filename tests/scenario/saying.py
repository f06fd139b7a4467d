"""What conditions are for people: one look at everything that shows them. For the scenarios of both families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.conditions import Condition, Severity
from tests.scenario.scene import Scene

Act = Callable[[Scene], object]

_LAMPS = {Severity.WAITS: "amber", Severity.FAULT: "red"}


@dataclass(frozen=True, slots=True)
class Case:
    """One trouble: how it comes, and how people or time remove its cause."""

    condition: str
    comes: Act
    goes: Act
    detail: str = ""  # words of the printer that must be shown


def fault(name: str, **values: str | bool) -> Act:
    """A fault of hw-sim, with its values."""
    return lambda scene: scene.rig.fault(name, lane="1", **values)


def nobody(_scene: Scene) -> None:
    """It passes by itself."""


def is_said(scene: Scene, row: Condition, detail: str = "") -> bool:
    """One look at all that people see: API, display, lamp and metric agree on this condition."""
    lane, world = scene.lane(), scene.world()
    page = scene.rig.get("/metrics").body
    return (
        lane["condition"] == row.code
        and (lane["condition_id"], lane["condition_en"]) == (row.id, row.en)
        and (lane["severity"], lane["clears"], lane["card_inside"]) == (row.severity, row.clears, row.card_inside)
        and detail in lane["detail"]
        and row.short in world["display"][0]
        and world["lamps"][_LAMPS[row.severity]]
        and f'print_station_lane_condition{{condition="{row.code}",lane="1"}} 1.0' in page
    )
