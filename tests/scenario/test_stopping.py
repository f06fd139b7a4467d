"""SIGTERM and restarts: the card in hand is finished, nothing more is begun, and no second station runs on the same folder."""

from __future__ import annotations

from tests.scenario.points import fault
from tests.scenario.scene import Scene

LATE_S = 1.0  # how long the printer keeps the reply to itself, so that the stop comes in the middle


def test_a_stop_in_the_middle_of_a_card_finishes_it_and_leaves_the_rest_for_later(scene: Scene) -> None:
    scene.rig.fault("reply_late", at="Se", seconds=LATE_S)
    first, second = scene.submit(2)
    scene.until_stage("print")
    assert scene.rig.stop_station() == 0
    assert scene.there()["inside"] == 0
    scene.rig.start_station()
    assert scene.verdicts(first) == [("good", "")]
    scene.until_state("issued", second)
    assert scene.verdicts(second) == [("good", "")]


def test_a_stop_while_a_person_is_asked_ends_at_once_and_the_question_stays(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    assert scene.rig.stop_station() == 0
    scene.rig.start_station()
    assert scene.person.questions() == [question]
    scene.person.answer(question)
    scene.until_state("issued", number)


def test_a_stop_waits_for_no_card_that_was_not_begun(scene: Scene) -> None:
    scene.rig.fault("cover_open")
    (number,) = scene.submit()
    scene.until_waits("cover_open")
    assert scene.rig.stop_station() == 0
    scene.rig.fault("cover_close")
    scene.rig.start_station()
    scene.until_state("issued", number)


def test_a_stop_ends_although_the_reader_hangs_for_good(scene: Scene) -> None:
    scene.rig.trigger("apdu", 1, "before", [fault("reader_hang")], start="CA 0000")
    (number,) = scene.submit()
    scene.until_stage("probe")
    assert scene.rig.stop_station() == 0
    scene.rig.fault("reader_thaw")
    scene.rig.start_station()
    scene.until_state("issued", number)


def test_a_second_station_on_the_same_folder_is_refused_and_does_no_harm(scene: Scene) -> None:
    second = scene.rig.command("run", "--config", scene.rig.config)
    assert second.returncode == 1
    assert "another print-station is running on this folder; stop it first" in second.stderr
    scene.until_free()
