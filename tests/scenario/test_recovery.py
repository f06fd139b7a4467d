"""kill -9 and lost devices in every stage of a card, on a printer that holds it: the answer of the verdict table, nothing made twice.

The points are learned from the running station: a stage is named by an exchange of it, and its number is counted in a record of
one whole passage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.scenario.scene import Json, Scene
from tools.pcscd import Pcscd

PCSCD = Pcscd()
FEED = "> Sic"  # what the idle lane asks before it is not counted


@dataclass(frozen=True, slots=True)
class Point:
    """An exchange of a passage: the `nth` one with this label."""

    wire: str
    label: str
    nth: int = 1


STAGES = {
    "feed": Point("usb", "> Sic"),
    "probe": Point("apdu", "CA 0000"),
    "encode": Point("apdu", "D6 0002", 3),
    "read back": Point("apdu", "B0 00FA"),
    "print": Point("usb", "> Db;m;128"),
    "end of print": Point("usb", "> Se"),
    "check": Point("usb", "> Sic", 2),
    "before it leaves": Point("usb", "> Pneab;A;0"),
    "deliver": Point("usb", "> Se", 2),
}


@pytest.fixture(scope="module")
def passage(shared_scene: Scene) -> dict[str, list[str]]:
    """What crosses each wire while a card is made, from the first act on."""
    shared_scene.until_free()
    shared_scene.rig.exchanges(record=True)
    shared_scene.issue()
    labels: dict[str, list[str]] = shared_scene.rig.exchanges()["1"]["labels"]
    shared_scene.rig.exchanges(record=False)
    return {"usb": labels["usb"][labels["usb"].index(FEED) :], "apdu": labels["apdu"]}


def _at(scene: Scene, passage: dict[str, list[str]], stage: str, *acts: Json) -> None:
    """These things happen in this stage of the next card, when its exchange is over."""
    point = STAGES[stage]
    numbers = [number for number, label in enumerate(passage[point.wire], 1) if label == point.label]
    start = FEED if point.wire == "usb" else ""
    scene.rig.trigger(point.wire, numbers[point.nth - 1], "after", list(acts), start=start)


def _kill(scene: Scene, *more: Json) -> list[Json]:
    return [{"do": "kill", "pid": scene.rig.station_pid}, *more]


def _fault(name: str, **values: object) -> Json:
    return {"do": "fault", "name": name, "values": {key: str(value) for key, value in values.items()}}


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
    ("print", "face doubtful", [("spoiled", "print_unproven"), ("good", "")]),
    ("end of print", "face whole", [("good", "")]),
    ("check", "face whole", [("good", "")]),
    ("before it leaves", "checked inside", [("good", "")]),
]


@pytest.mark.parametrize(("stage", "row", "verdicts"), KILLED)
def test_a_card_that_is_inside_after_a_kill_is_settled_without_a_person(
    scene: Scene, passage: dict[str, list[str]], stage: str, row: str, verdicts: list[tuple[str, str]]
) -> None:
    _at(scene, passage, stage, *_kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == ([row], verdicts)
    assert scene.cards_of(number) == 1


def test_a_card_that_left_during_a_kill_is_asked_for_once(scene: Scene, passage: dict[str, list[str]]) -> None:
    _at(scene, passage, "deliver", *_kill(scene))
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
    ("print", "usb_unplug", "printer_absent", ["face doubtful"], [("spoiled", "print_unproven"), ("good", "")]),
    ("print", "printer_off", "printer_absent", ["face doubtful"], [("spoiled", "print_unproven"), ("good", "")]),
    ("end of print", "usb_unplug", "printer_absent", ["face whole"], [("good", "")]),
    ("deliver", "printer_off", "printer_absent", ["seen leaving"], [("good", "")]),
]
BACK = {"usb_unplug": "usb_replug", "printer_off": "printer_on"}


@pytest.mark.parametrize(("stage", "lost", "condition", "rows", "verdicts"), LOST)
def test_a_device_that_is_lost_and_comes_back(
    scene: Scene, passage: dict[str, list[str]], stage: str, lost: str, condition: str, rows: list[str],
    verdicts: list[tuple[str, str]],
) -> None:  # fmt: skip
    _at(scene, passage, stage, {"do": "pcscd"} if lost == "pcscd" else _fault(lost))
    (number,) = scene.submit()
    lane = scene.until_waits(condition)
    assert (lane["activity"], lane["job_id"]) == ("recover", number)
    if lost in BACK:
        scene.rig.fault(BACK[lost])
    else:
        PCSCD.start()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (rows, verdicts)


def test_a_printed_card_that_a_person_took_out_in_the_dark_is_asked_for_and_good(
    scene: Scene, passage: dict[str, list[str]]
) -> None:
    _at(scene, passage, "end of print", *_kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    assert len(scene.rig.take("printer")) == 1
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)) == (["good on the desk"], [("good", "")])


def test_an_unprinted_card_that_a_person_took_out_in_the_dark_is_spoiled(scene: Scene, passage: dict[str, list[str]]) -> None:
    _at(scene, passage, "read back", *_kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    assert len(scene.rig.take("printer")) == 1
    scene.rig.start_station()
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.rows(number) == ["spoiled on the desk"]
    assert [verdict for verdict, _ in scene.verdicts(number)] == ["spoiled", "good"]


def test_a_card_that_a_person_exchanged_inside_is_never_called_good(scene: Scene, passage: dict[str, list[str]]) -> None:
    scene.rig.fault("swapped_card", presentation=2)
    _at(scene, passage, "end of print", *_kill(scene))
    (number,) = scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    scene.until_state("issued", number)
    assert (scene.rows(number), scene.verdicts(number)[0]) == (["face doubtful"], ("spoiled", "print_unproven"))
