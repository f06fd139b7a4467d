"""SIGTERM, kill -9 and restarts: the card in hand is finished, or it is unknown and a person decides; never made twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.scenario.scene import Json, Scene

EDITS = {'vpcd = "127.0.0.1:35963"': 'vpcd = "127.0.0.1:35963", apdu_ms = 5'}  # a chip that takes a while to be written
LATE_S = 1.0  # how long the printer keeps the reply to itself, so that the act is done and the station does not know


def _fed(card: Json) -> bool:
    return bool(card["station"] == "contactless")


def _half_written(card: Json) -> bool:
    return any(file["written_bytes"] for file in card["chip"]["files"].values())


def _half_printed(card: Json) -> bool:
    return "y" in card["printed"].get("front", {})


def _printed(card: Json) -> bool:
    return len(card["printed"].get("front", {})) == 5


def _back_at_the_chip_station(card: Json) -> bool:
    return _printed(card) and _fed(card)


def _until_card(scene: Scene, seen: Callable[[Json], bool]) -> None:
    """Wait until the card inside is seen so, in the world."""

    def looked() -> bool:
        return any(seen(blank) for blank in scene.world()["blanks"] if blank["place"] == "inside")

    scene.rig.until(looked, f"a card inside that is {seen.__name__}")


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


@pytest.mark.parametrize(
    ("seen", "late"),
    [
        (_fed, {"at": "Sic"}),
        (_half_written, None),
        (_half_printed, {"at": "Db;c"}),
        (_back_at_the_chip_station, {"at": "Sic", "after": 2}),
    ],
)
def test_a_card_that_was_inside_at_a_kill_is_unknown_until_a_person_calls_it_spoiled(
    scene: Scene, seen: Callable[[Json], bool], late: dict[str, Any] | None
) -> None:
    if late is not None:
        scene.rig.fault("reply_late", seconds=LATE_S, **late)
    first, second = scene.submit(2)
    _until_card(scene, seen)
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("passage_unknown")
    assert scene.verdicts(first) == [(None, "passage_unknown")]
    assert (scene.state(first), scene.state(second), scene.there()["inside"]) == ("active", "ready", 1)
    scene.cancel(second)
    scene.spoil(first, where="printer")
    scene.until_state("issued", first)
    assert scene.verdicts(first) == [("spoiled", "passage_unknown"), ("good", "")]


def test_a_card_that_left_during_a_kill_is_looked_at_by_a_person(scene: Scene) -> None:
    before = scene.there()["output"]
    scene.rig.fault("reply_late", at="Se", after=2, seconds=LATE_S)
    (number,) = scene.submit()
    scene.rig.until(lambda: scene.there()["output"] == before + 1, "the card to be out")
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("passage_unknown")
    assert scene.verdicts(number) == [(None, "passage_unknown")]
    scene.spoil(number, where="bin")
    scene.until_state("issued", number)


def test_a_blank_that_a_person_puts_back_is_still_blank(scene: Scene) -> None:
    scene.rig.fault("reply_late", at="Sic", seconds=LATE_S)
    (number,) = scene.submit()
    _until_card(scene, _fed)
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("passage_unknown")
    scene.resolve(number, "still-blank")
    scene.until_waits("card_inside")
    scene.rig.take("printer")
    scene.rig.sim("load", lane="1", count=1)
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("still_blank", "passage_unknown"), ("good", "")]


def test_a_kill_before_the_blank_moved_is_settled_as_still_blank(scene: Scene) -> None:
    blanks = scene.there()["hopper"]
    scene.rig.fault("misfeed")
    scene.rig.fault("reply_late", at="Sic", seconds=LATE_S)
    (number,) = scene.submit()
    scene.rig.until(lambda: scene.job(number)["passages"], "the intent to feed")
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("passage_unknown")
    assert scene.there()["hopper"] == blanks
    scene.resolve(number, "still-blank")
    scene.until_state("issued", number)
    assert scene.there()["hopper"] == blanks - 1


def test_a_stop_waits_for_no_card_that_was_not_begun(scene: Scene) -> None:
    scene.rig.fault("cover_open")
    (number,) = scene.submit()
    scene.until_waits("cover_open")
    assert scene.rig.stop_station() == 0
    scene.rig.fault("cover_close")
    scene.rig.start_station()
    scene.until_state("issued", number)


def test_a_second_station_on_the_same_folder_is_refused_and_does_no_harm(scene: Scene) -> None:
    second = scene.rig.command("run", "--config", scene.rig.config)
    assert second.returncode == 1
    assert "another print-station is running on this folder; stop it first" in second.stderr
    scene.until_free()
