"""A profile without a no-eject row: printing and delivering is one act, and each card is shown to the desk reader after it."""

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
SHOWN = [("print and deliver", "done"), ("verdict", "done")]


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station that believes its printer cannot hold a card."""
    folder = tmp_path_factory.mktemp("shared")
    scene = Scene(folder, edits=variant(folder, EJECTING))
    with scene.rig:
        yield scene.start()


def test_cards_are_issued_by_one_act_and_a_look_at_the_desk_reader(scene: Scene) -> None:
    for number in scene.submit(2):
        scene.settle("desk")
        scene.until_state("issued", number)
        assert (scene.stages(number)[-2:], scene.rows(number)) == (SHOWN, ["good on the desk"])
        stage = scene.job(number)["passages"][-1]["stages"][-2]
        assert stage["evidence"]["panels_printed"] == stage["intent"]["panels_printed"] + 5


def test_another_card_on_the_desk_reader_makes_nothing_good(scene: Scene) -> None:
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    other = scene.rig.put("new", "desk")
    scene.until_shown("BUKAN KARTU ITU")
    scene.rig.put(other, "person")
    scene.until_shown("KARTU KE PEMBACA")
    assert (scene.person.questions(), scene.state(number), scene.verdicts(number)) == ([question], "active", [(None, "ask_desk")])
    scene.person.answer(question)
    scene.until_state("issued", number)


def test_a_ribbon_that_ends_before_the_print_spoils_the_card_inside(scene: Scene) -> None:
    scene.rig.fault("ribbon_end", left=0, at="Ss")
    (number,) = scene.submit()
    scene.until_waits("ribbon_end")
    scene.rig.fault("ribbon_new")
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "ribbon_end"), ("good", "")]


def test_a_card_nobody_saw_leaving_is_good_by_its_chip_and_the_panel_counter(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    (number,) = scene.submit()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


def test_a_restart_before_the_card_was_shown_changes_nothing(scene: Scene) -> None:
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    scene.rig.kill_station()
    scene.rig.start_station()
    assert scene.until_asked("desk")["id"] == question["id"]
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


def test_a_cable_pulled_at_the_end_of_the_print_is_settled_on_the_desk_reader(scene: Scene) -> None:
    scene.rig.trigger("usb", 1, "after", [{"do": "fault", "name": "usb_unplug"}], start="> Se")
    (number,) = scene.submit()
    scene.until_waits("printer_absent")
    scene.rig.fault("usb_replug")
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]
