"""A power cut of the whole room with a printer that clears its path when its power comes back: the card lies in the tray, unseen.

The person answers through the desk reader and the buttons, by what the world shows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.points import at, fault, kill
from tests.scenario.scene import Scene

EJECTS = ("1",)


@pytest.fixture(autouse=True)
def no_trigger_is_left(scene: Scene) -> Iterator[None]:
    """Each scenario sets its own."""
    yield
    scene.rig.clear_triggers()


def _power_cut(scene: Scene, stage: str, when: str = "after") -> int:
    """The power of the room goes in this stage of a new job's card, and comes back. Returns the job's number."""
    at(scene, stage, kill(scene), fault("printer_off"), when=when)
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.fault("printer_on")
    scene.rig.start_station()
    return number


GOOD, AGAIN = ("good", ""), ("good", "")
CUTS = [
    # stage, row of the verdict table, verdicts
    ("feed", "blank on the desk", [("still_blank", "interrupted"), AGAIN]),
    ("encode", "spoiled on the desk", [("spoiled", "interrupted"), AGAIN]),
    ("print", "called spoiled", [("spoiled", "called_spoiled"), AGAIN]),  # after one look
    ("end of print", "good on the desk", [GOOD]),
    ("deliver", "good on the desk", [GOOD]),
]


@pytest.mark.parametrize(("stage", "row", "verdicts"), CUTS)
def test_the_card_in_the_tray_is_asked_for_once_and_settled_on_the_desk(
    scene: Scene, stage: str, row: str, verdicts: list[tuple[str, str]]
) -> None:
    number = _power_cut(scene, stage)
    scene.settle("desk")
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == ([row], verdicts)
    assert scene.cards_of(number) == 1


def test_a_feed_that_never_began_is_settled_by_an_empty_tray_and_the_hopper_is_counted(scene: Scene) -> None:
    number = _power_cut(scene, "feed", when="before")
    scene.until_waits("ask_tray")
    scene.until_shown("BLANGKO DI BAKI?")
    scene.until_shown("GO=KOSONG HOLD=RUSAK")
    scene.settle("tray")
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["tray empty"], [("still_blank", "interrupted"), AGAIN])
    assert scene.rig.station()["incidents"]["count_required"] == 1


def test_a_blank_that_a_forgetful_printer_never_counted_is_found_in_the_tray(scene: Scene) -> None:
    scene.rig.fault("counter_lag")
    number = _power_cut(scene, "feed")
    scene.settle("tray")
    scene.until_state("issued", number)
    assert scene.rows(number) == ["blank on the desk"]


def test_a_complete_face_that_a_forgetful_printer_does_not_prove_is_good_after_one_look(scene: Scene) -> None:
    scene.rig.fault("counter_lag")
    number = _power_cut(scene, "end of print")
    question = scene.until_asked("desk")
    scene.person.lay_down(scene.card(question))
    look = scene.until_asked("look")
    assert look["id"] == question["id"]  # asked once; what is left of it is a look
    scene.until_waits("ask_look")
    scene.until_shown("LIHAT MUKA KARTU")
    scene.person.answer(look)
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["good by look"], [GOOD])


def test_a_printer_that_loses_its_power_in_the_middle_of_a_print_while_the_station_works_on(scene: Scene) -> None:
    at(scene, "print", fault("printer_off"))
    (number,) = scene.submit()
    scene.until_waits("printer_absent")
    scene.rig.fault("printer_on")
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "called_spoiled"), AGAIN]
