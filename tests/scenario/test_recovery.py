"""kill -9 and lost devices in each stage of a card, in a printer that holds it: the verdict table answers, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.points import FEED, at, fault, kill
from tests.scenario.scene import Scene
from tools.pcscd import Pcscd

PCSCD = Pcscd()


@pytest.fixture(autouse=True)
def no_trigger_is_left(scene: Scene) -> Iterator[None]:
    """Each scenario sets its own; pcscd runs again in the end."""
    yield
    scene.rig.clear_triggers()
    if PCSCD.pid() is None:
        PCSCD.start()


KILLED = [
    # stage, row of the verdict table, verdicts
    ("feed", "just fed", [("good", "")]),
    ("probe", "fed", [("good", "")]),
    ("encode", "chip half written", [("spoiled", "chip_unfinished"), ("good", "")]),
    ("read back", "chip whole", [("good", "")]),
    ("lock", "chip whole", [("good", "")]),
    ("verify", "chip whole", [("good", "")]),
    ("print", "face doubtful", [("spoiled", "print_unproven"), ("good", "")]),
    ("end of print", "face whole", [("good", "")]),
    ("check", "face whole", [("good", "")]),
    ("before it leaves", "checked inside", [("good", "")]),
]


@pytest.mark.parametrize(("stage", "row", "verdicts"), KILLED)
def test_a_card_that_is_inside_after_a_kill_is_settled_without_a_person(
    scene: Scene, stage: str, row: str, verdicts: list[tuple[str, str]]
) -> None:
    at(scene, stage, kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == ([row], verdicts)
    assert scene.cards_of(number) == 1


def test_a_card_that_left_during_a_kill_is_asked_for_once(scene: Scene) -> None:
    at(scene, "deliver", kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["good on the desk"], [("good", "")])


def test_a_kill_before_the_blank_moved_is_still_blank_and_the_hopper_has_to_be_counted(scene: Scene) -> None:
    blanks = scene.there()["hopper"]
    scene.rig.fault("misfeed")
    scene.kill_at("usb", FEED)
    (number,) = scene.submit()
    scene.until_killed()
    assert scene.there()["hopper"] == blanks
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)[0]) == (["not fed"], ("still_blank", "interrupted"))
    assert scene.rig.station()["incidents"]["count_required"] == 1


def test_a_reply_that_nobody_fetched_is_never_taken_for_the_answer_to_a_later_question(scene: Scene) -> None:
    scene.kill_at("usb", "< Se", when="before")  # OK: also what the printer says when there is no card
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.exchanges(record=True)
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert scene.rig.exchanges()["1"]["labels"]["usb"][0] == "< Se"
    assert (scene.rows(number), scene.verdicts(number)) == (["face whole"], [("good", "")])
    scene.rig.exchanges(record=False)


LOST = [
    ("encode", "pcscd", "pcsc_absent", ["chip half written"], [("spoiled", "chip_unfinished"), ("good", "")]),
    ("read back", "pcscd", "pcsc_absent", ["chip whole"], [("good", "")]),
    ("lock", "pcscd", "pcsc_absent", ["chip whole"], [("good", "")]),
    ("print", "usb_unplug", "printer_absent", ["face doubtful"], [("spoiled", "print_unproven"), ("good", "")]),
    ("print", "printer_off", "printer_absent", ["face doubtful"], [("spoiled", "print_unproven"), ("good", "")]),
    ("end of print", "usb_unplug", "printer_absent", ["face whole"], [("good", "")]),
    ("deliver", "printer_off", "printer_absent", ["seen leaving"], [("good", "")]),
]
BACK = {"usb_unplug": "usb_replug", "printer_off": "printer_on"}


@pytest.mark.parametrize(("stage", "lost", "condition", "rows", "verdicts"), LOST)
def test_a_device_that_is_lost_and_comes_back(
    scene: Scene, stage: str, lost: str, condition: str, rows: list[str],
    verdicts: list[tuple[str, str]],
) -> None:  # fmt: skip
    at(scene, stage, {"do": "pcscd"} if lost == "pcscd" else fault(lost))
    (number,) = scene.submit()
    lane = scene.until_waits(condition)
    assert (lane["activity"], lane["job_id"]) == ("recover", number)
    if lost in BACK:
        scene.rig.fault(BACK[lost])
    else:
        PCSCD.start()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (rows, verdicts)


def test_a_printed_card_that_a_person_took_out_in_the_dark_is_asked_for_and_good(scene: Scene) -> None:
    at(scene, "end of print", kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    assert len(scene.rig.take("printer")) == 1
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["good on the desk"], [("good", "")])


def test_an_unprinted_card_that_a_person_took_out_in_the_dark_is_spoiled(scene: Scene) -> None:
    at(scene, "read back", kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    assert len(scene.rig.take("printer")) == 1
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.rows(number) == ["spoiled on the desk"]
    assert [verdict for verdict, _ in scene.verdicts(number)] == ["spoiled", "good"]


def test_a_card_that_a_person_exchanged_inside_is_asked_for_and_the_stranger_taken_out(scene: Scene) -> None:
    scene.rig.fault("swapped_card", presentation=2)
    at(scene, "end of print", kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    question = scene.until_asked("desk")
    scene.person.answer(question)
    scene.until_waits("card_inside")
    assert len(scene.rig.take("printer")) == 1
    scene.until_free()
    assert (scene.rows(number), scene.verdicts(number)) == (["good on the desk"], [("good", "")])
    assert scene.rig.station()["incidents"]["count_required"] == 1
