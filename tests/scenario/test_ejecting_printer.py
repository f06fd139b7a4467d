"""A profile without a no-eject row: printing and delivering is one act, proven by exit beam and panel counter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.profiles import variant
from tests.scenario.scene import Scene

CHANGES = {
    'print = ["Pneab;E", "Ss"': 'print_and_deliver = ["Pneab;A;0", "Ss"',
    'to_chip_station = ["Sic"]': "",
    'deliver = ["Pneab;A;0", "Se"]': "",
}


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station that believes its printer cannot hold a card."""
    folder = tmp_path_factory.mktemp("shared")
    scene = Scene(folder, edits=variant(folder, CHANGES))
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


def test_a_card_nobody_saw_leaving_is_unknown(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    (number,) = scene.submit()
    scene.until_waits("passage_unknown")
    scene.spoil(number, where="bin")
    scene.until_state("issued", number)


def test_a_kill_while_it_prints_and_delivers_is_unknown(scene: Scene) -> None:
    output = scene.there()["output"]
    scene.rig.fault("reply_late", at="Se", seconds=1.0)
    (number,) = scene.submit()
    scene.rig.until(lambda: scene.there()["output"] > output, "the card to be out")
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("passage_unknown")
    scene.spoil(number, where="bin")
    scene.until_state("issued", number)
