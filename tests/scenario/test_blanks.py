"""Blanks whose chips are dead, used, torn, hung or exchanged: to the reject bin, and never issued."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenario.scene import Scene


def test_dead_chips_cost_one_more_blank_then_the_job_and_three_in_a_row_stop_the_lane(scene: Scene) -> None:
    blanks, rejected = scene.there()["hopper"], scene.there()["reject"]
    for place in (1, 2, 3):
        scene.rig.fault("dead_chip", blank=place)
    numbers = scene.submit(2)
    lane = scene.until_waits("rejects_in_row")
    assert "check reader and blanks, then press GO" in lane["condition_en"]
    assert sorted(map(scene.state, numbers)) == ["failed", "ready"]
    scene.until_lit("amber")
    scene.until_shown("BANYAK DITOLAK")
    assert (scene.there()["hopper"], scene.there()["reject"]) == (blanks - 3, rejected + 3)
    scene.press("go")
    scene.rig.until(lambda: scene.rig.states().get("issued"), "the other card")
    dead = ("spoiled", "chip_silent")
    assert {tuple(scene.verdicts(number)) for number in numbers} == {(dead, dead), (dead, ("good", ""))}
    scene.until_lit("green")
    failed = next(number for number in numbers if scene.state(number) == "failed")
    assert scene.rig.command("retry", str(failed)).stdout == f"job {failed} is ready\n"
    scene.until_state("issued", failed)


@pytest.mark.parametrize(
    ("fault", "values", "reason", "last"),
    [
        ("used_chip", {}, "chip_used", "probe"),
        ("torn_chip", {"bytes": 900}, "chip_silent", "encode"),
        ("torn_chip", {"bytes": 900, "kills": True}, "chip_silent", "encode"),
        ("hung_chip", {}, "chip_silent", "probe"),
        ("wrong_chip", {}, "chip_swapped", "check"),
        ("swapped_card", {}, "chip_swapped", "check"),
    ],
)
def test_a_card_with_a_bad_chip_is_rejected_and_made_again(
    scene: Scene, fault: str, values: dict[str, Any], reason: str, last: str
) -> None:
    scene.rig.fault(fault, **values)
    (number,) = scene.issue()
    spoiled = scene.job(number)["passages"][0]
    assert scene.verdicts(number) == [("spoiled", reason), ("good", "")]
    assert [(stage["name"], stage["outcome"]) for stage in spoiled["stages"][-2:]] == [(last, "failed"), ("reject", "done")]
    assert scene.cards_of(number) == 1
