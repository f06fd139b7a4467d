"""Blanks whose chips are dead, used, torn or hung: to the reject bin, and never issued; a person looks for an exchanged one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenario.scene import Scene

BELIEVED = "AqnCrwcBN0dze8NhfpLP21uUuyCHESKspk3r9q/Fyqo3"  # the example's chip key
NOBODYS = "A2sX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW"  # the base point
EDITS = {"max_remakes = 1": "max_remakes = 1\nmax_rejects_in_row = 2"}  # not 3: a dead chip takes 5 s of wall time


def test_dead_chips_fail_the_job_and_stop_the_lane_until_people_have_looked(scene: Scene) -> None:
    blanks, rejected = scene.there()["hopper"], scene.there()["reject"]
    for place in (1, 2):
        scene.rig.fault("dead_chip", blank=place)
    (number,) = scene.submit()
    lane = scene.until_waits("rejects_in_row")
    assert "check reader, SAM and blanks, then press GO" in lane["condition_en"]
    assert scene.verdicts(number) == [("spoiled", "chip_silent")] * 2
    assert scene.state(number) == "failed"
    scene.until_lit("amber")
    scene.until_shown("BANYAK DITOLAK")
    assert (scene.there()["hopper"], scene.there()["reject"]) == (blanks - 2, rejected + 2)
    scene.press("go")
    scene.until_lit("green")
    assert scene.rig.command("retry", str(number)).stdout == f"job {number} is ready\n"
    scene.until_state("issued", number)


@pytest.mark.parametrize(
    ("fault", "values", "reason", "last"),
    [
        ("used_chip", {}, "chip_used", "probe"),
        ("torn_chip", {"bytes": 900, "kills": True}, "chip_unfinished", "encode"),
        ("flipped_chip", {}, "chip_differs", "read back"),
        ("hung_chip", {}, "chip_silent", "probe"),  # its reader is free again once the card has left
    ],
)
def test_a_card_with_a_bad_chip_is_rejected_and_made_again(
    scene: Scene, fault: str, values: dict[str, Any], reason: str, last: str
) -> None:
    scene.rig.fault(fault, **values)
    (number,) = scene.issue()
    spoiled = scene.job(number)["passages"][0]
    assert scene.verdicts(number) == [("spoiled", reason), ("good", "")]
    stages = [(stage["name"], stage["outcome"]) for stage in spoiled["stages"] if stage["name"] != "verdict"]
    assert stages[-2:] == [(last, "failed"), ("reject", "done")]
    assert scene.cards_of(number) == 1


def test_a_chip_key_that_is_taken_away_holds_the_waiting_job_and_costs_no_blank(scene: Scene) -> None:
    scene.press("hold")
    scene.rig.until(lambda: scene.rig.station()["held"], "HOLD")
    blanks, config = scene.there()["hopper"], scene.rig.config.read_text(encoding="utf-8")
    (number,) = scene.submit()
    _restart(scene, config.replace(BELIEVED, NOBODYS))
    scene.press("go")
    scene.until_state("held", number)
    assert scene.job(number)["job"]["reason"] == "chip.signature"
    assert (scene.verdicts(number), scene.there()["hopper"]) == ([], blanks)
    _restart(scene, config)
    assert scene.rig.command("retry", str(number)).stdout == f"job {number} is ready\n"
    scene.until_state("issued", number)


def _restart(scene: Scene, config: str) -> None:
    """The daemon ends and comes back with another station.toml."""
    scene.rig.stop_station()
    scene.rig.config.write_text(config, encoding="utf-8")
    scene.rig.start_station()


@pytest.mark.parametrize("fault", ["wrong_chip", "swapped_card"])
def test_a_chip_inside_that_is_not_the_written_one_makes_a_person_look_for_the_card(scene: Scene, fault: str) -> None:
    scene.rig.fault(fault)
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    assert _failures(scene, number) == ["chip_swapped"]
    assert len(scene.rig.take("printer")) == 1  # a stranger, or the card itself with a chip that was misheard
    scene.person.answer(question)
    scene.until_state("issued", number)
    assert (scene.verdicts(number), scene.rig.station()["incidents"]["count_required"]) == ([("good", "")], 1)


def _failures(scene: Scene, number: int) -> list[str]:
    """What the stages of a job's last passage failed with."""
    stages = scene.job(number)["passages"][-1]["stages"]
    return [stage["evidence"]["condition"] for stage in stages if stage["outcome"] in ("failed", "unknown")]
