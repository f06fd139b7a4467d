"""Two lanes, one in trouble: the other works on, questions are told apart, exchanged printers vouch for nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.scenario.points import fault, kill
from tests.scenario.scene import Json, Scene

LANES = 2


@pytest.fixture(autouse=True)
def both_lanes_are_free(scene: Scene) -> Iterator[None]:
    """Before each scenario."""
    scene.until_free()
    scene.until_free("2")
    yield
    for lane in ("1", "2"):
        scene.rig.clear_triggers(lane=lane)


def test_the_recovery_of_one_lane_does_not_hold_up_the_other(scene: Scene) -> None:
    scene.rig.trigger("usb", 1, "after", [fault("usb_unplug")], lane="1", start="> Db;m;128")
    numbers = scene.submit(3)
    scene.until_waits("printer_absent")
    scene.rig.until(lambda: scene.states(numbers).count("issued") == 2, "two cards from the other lane")
    assert scene.lane()["activity"] == "recover"
    scene.rig.fault("usb_replug")
    scene.until_state("issued", *numbers)


def test_a_reader_that_hangs_holds_up_its_own_lane_only(scene: Scene) -> None:
    scene.rig.trigger("apdu", 1, "before", [fault("reader_hang")], lane="2", start="CA 0000")
    numbers = scene.submit(3)
    scene.until_waits("reader_stuck", lane="2")
    scene.until_state("issued", *numbers)
    scene.rig.fault("reader_thaw", lane="2")
    scene.until_free("2")


def test_a_question_holds_its_own_lane_only_and_names_it(scene: Scene) -> None:
    scene.rig.fault("lost_card", lane="2")
    numbers = scene.submit(3)
    question = scene.until_asked("desk")
    assert question["lane"] == "2"
    scene.until_shown("2: KARTU KE PEMBACA")
    scene.rig.until(lambda: scene.states(numbers).count("issued") == 2, "two cards from the other lane")
    scene.person.answer(question)
    scene.until_state("issued", *numbers)


def test_a_card_on_the_desk_reader_answers_its_own_question_whichever_is_shown(scene: Scene) -> None:
    for lane in ("1", "2"):
        scene.rig.fault("lost_card", lane=lane)
    numbers = scene.submit(2)
    scene.rig.until(lambda: len(scene.person.questions()) == 2, "a question on each lane")
    first, second = scene.person.questions()
    scene.person.answer(second)
    assert scene.person.questions() == [first]
    scene.person.answer(first)
    scene.until_state("issued", *numbers)
    assert [scene.verdicts(number) for number in numbers] == [[("good", "")]] * 2


def test_a_card_that_was_in_another_printer_is_asked_for_whatever_this_one_says(scene: Scene) -> None:
    """The cables of the two printers are exchanged in the dark: each lane now has the other's."""
    number, lane = _killed_with_a_printed_card_inside(scene)
    other = {"1": "2", "2": "1"}[lane]
    with _exchanged_printers(scene):
        question = scene.until_asked("desk")
        assert (question["lane"], _heard_from_devices(scene, question)) == (lane, (False, None))
        scene.until_waits("card_inside", lane=other)  # the same card: no blank is fed behind it
        scene.rig.take("printer", lane=lane)
        scene.person.answer(question)
        scene.until_state("issued", number)
        assert (scene.rows(number), scene.verdicts(number)) == (["good by look"], [("good", "")])


def _heard_from_devices(scene: Scene, question: Json) -> tuple[bool, object]:
    """Whether printer and reader were taken for those of the passage, and what the printer was believed; from the database."""
    path = scene.rig.folder / "state" / "station.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (row,) = db.execute("SELECT evidence FROM question WHERE id = ?", (question["id"],))
    evidence = json.loads(row[0])
    return evidence["same_devices"], evidence["witness"]


def _killed_with_a_printed_card_inside(scene: Scene) -> tuple[int, str]:
    """The job, and the lane in which its card is."""
    for lane in ("1", "2"):
        scene.rig.trigger("usb", 1, "after", [kill(scene)], lane=lane, start="> Se")
    (number,) = scene.submit()
    scene.until_killed()
    lane = next(lane for lane in ("1", "2") if scene.there(lane)["inside"])
    return number, lane


@contextmanager
def _exchanged_printers(scene: Scene) -> Iterator[None]:
    """Start the station with each printer's serial number at the other lane; put that right again in the end."""
    right = scene.rig.config.read_text(encoding="utf-8")
    other = {"0001": "0002", "0002": "0001"}
    exchanged = re.sub(r'"SIM-E-(\d+)"', lambda found: f'"SIM-E-{other[found[1]]}"', right)
    scene.rig.config.write_text(exchanged, encoding="utf-8")
    scene.rig.start_station()
    try:
        yield
    finally:
        scene.rig.stop_station()
        scene.rig.config.write_text(right, encoding="utf-8")
        scene.rig.start_station()


def test_a_command_about_a_printer_has_to_name_its_lane_and_leaves_the_other_alone(scene: Scene) -> None:
    unnamed = scene.rig.command("printer", "clean")
    assert (unnamed.returncode, "Name the lane: 1, 2." in unnamed.stderr) == (1, True)
    unknown = scene.rig.command("printer", "clean", "--lane", "9")
    assert (unknown.returncode, "there are: 1, 2" in unknown.stderr) == (1, True)
    assert "lane 2: the cleaning cycle is done" in scene.rig.command("printer", "clean", "--lane", "2").stdout
    cleaned = [row["cleaned"] for row in scene.rig.get("/api/v1/printers").body["printers"]]
    assert [act is not None for act in cleaned] == [False, True]
    shown = scene.rig.command("printer", "status", "--lane", "2").stdout
    assert (shown.count("cleaning: in"), "lane 1" in shown) == (1, False)
