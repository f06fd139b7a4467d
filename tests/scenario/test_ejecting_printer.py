"""A profile without a no-eject row: printing and delivering is one act, proven by exit beam and panel counter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.profiles import variant
from tests.scenario.scene import Scene

EJECTING = """
plan = "ejecting"
[acts]
print = []
to_chip_station = []
deliver = []
print_and_deliver = ["Pneab;A;0", "Ss", "Sr", "@panels", "@back", "Se"]
[confidence]
acts = { level = "E", source = "for this test" }
"acts.print" = { level = "E", source = "for this test" }
"acts.to_chip_station" = { level = "E", source = "for this test" }
"acts.deliver" = { level = "E", source = "for this test" }
"""


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station that believes its printer cannot hold a card."""
    folder = tmp_path_factory.mktemp("shared")
    scene = Scene(folder, edits=variant(folder, EJECTING))
    with scene.rig:
        yield scene.start()


def test_cards_are_issued_by_one_act(scene: Scene) -> None:
    for number in scene.issue(2):
        assert scene.stages(number)[-1] == ("print and deliver", "done")
        stage = scene.job(number)["passages"][-1]["stages"][-1]
        assert stage["evidence"]["panels_printed"] == stage["intent"]["panels_printed"] + 5


def test_a_ribbon_that_ends_before_the_print_spoils_the_card_inside(scene: Scene) -> None:
    scene.rig.fault("ribbon_end", left=0, at="Ss")
    (number,) = scene.submit()
    scene.until_waits("ribbon_end")
    scene.rig.fault("ribbon_new")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "ribbon_end"), ("good", "")]


def test_a_card_nobody_saw_leaving_is_good_by_its_chip_and_the_panel_counter(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    (number,) = scene.submit()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


def test_a_card_that_came_out_during_a_kill_is_good_by_its_chip_and_the_panel_counter(scene: Scene) -> None:
    scene.kill_at("usb", "> Se")
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


def test_a_cable_pulled_at_the_end_of_the_print_is_settled_by_the_exit_beam(scene: Scene) -> None:
    scene.rig.trigger("usb", 1, "after", [{"do": "fault", "name": "usb_unplug"}], start="> Se")
    (number,) = scene.submit()
    scene.until_waits("printer_absent")
    scene.rig.fault("usb_replug")
    scene.until_state("issued", number)
    assert (scene.verdicts(number), scene.person.questions()) == ([("good", "")], [])
