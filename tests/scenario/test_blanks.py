"""Blanks whose chips are dead, used, torn, hung or exchanged: to the reject bin, and never issued."""

from __future__ import annotations

import pytest

from tests.scenario.scene import Scene


def test_a_dead_chip_goes_to_the_reject_bin_and_the_job_takes_the_next_blank(scene: Scene) -> None:
    rejected = scene.there()["reject"]
    scene.rig.fault("dead_chip")
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("spoiled", "chip_silent"), ("good", "")]
    assert scene.job(number)["job"]["remakes"] == 1
    assert scene.there()["reject"] == rejected + 1


def test_two_dead_chips_in_a_row_fail_the_job_and_spend_no_third_blank(scene: Scene) -> None:
    blanks = scene.there()["hopper"]
    for place in (1, 2):
        scene.rig.fault("dead_chip", blank=place)
    (number,) = scene.submit()
    scene.until_state("failed", number)
    assert scene.job(number)["job"]["reason"] == "chip_silent"
    assert scene.there()["hopper"] == blanks - 2
    scene.issue()
    assert scene.state(number) == "failed"


def test_after_three_rejects_in_a_row_the_lane_waits_for_go(scene: Scene) -> None:
    for place in (1, 2, 3):
        scene.rig.fault("dead_chip", blank=place)
    failed, waiting = scene.submit(2)
    lane = scene.until_waits("rejects_in_row")
    assert "check reader and blanks, then press GO" in lane["condition_en"]
    assert (scene.state(failed), scene.state(waiting)) == ("failed", "ready")
    scene.until_lit("amber")
    scene.until_shown("BANYAK DITOLAK")
    scene.press("go")
    scene.until_state("issued", waiting)
    scene.until_lit("green")


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
    scene: Scene, fault: str, values: dict[str, object], reason: str, last: str
) -> None:
    scene.rig.fault(fault, **values)
    (number,) = scene.issue()
    spoiled = scene.job(number)["passages"][0]
    assert scene.verdicts(number) == [("spoiled", reason), ("good", "")]
    assert [(stage["name"], stage["outcome"]) for stage in spoiled["stages"][-2:]] == [(last, "failed"), ("reject", "done")]
    assert scene.cards_of(number) == 1
