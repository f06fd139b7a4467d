"""What the station leans on goes away and comes back: pcscd, the pin server, the display. It waits and goes on by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.scene import Scene
from tools.pcscd import Pcscd

PCSCD = Pcscd()  # found by its pid file, whoever started it; kept, because its process outlives the tests


@pytest.fixture(autouse=True)
def pcscd_runs_in_the_end() -> Iterator[None]:
    """Other modules need it."""
    yield
    if PCSCD.pid() is None:
        PCSCD.start()


def test_pcscd_killed_while_idle_and_started_again(scene: Scene) -> None:
    scene.until_free()
    PCSCD.kill()
    scene.until_waits("pcsc_absent")
    scene.until_shown("PCSCD MATI")
    scene.until_lit("red")
    PCSCD.start()
    scene.issue()
    scene.until_lit("green")


def test_no_pcscd_and_no_pin_server_at_start(scene: Scene) -> None:
    assert scene.rig.stop_station() == 0
    PCSCD.kill()
    scene.rig.fault("gpio_kill")
    scene.rig.start_station()
    (number,) = scene.submit()
    scene.until_waits("pcsc_absent")
    PCSCD.start()
    scene.until_waits("pins_dead")
    scene.until_shown("SENSOR MATI")
    assert scene.job(number)["passages"] == []
    scene.rig.fault("gpio_restart")
    scene.until_state("issued", number)
    scene.until_lit("green")


def test_pcscd_killed_while_a_chip_is_looked_at_costs_no_blank(scene: Scene) -> None:
    scene.rig.trigger("apdu", 1, "before", "pcscd")
    (number,) = scene.submit()
    scene.until_waits("pcsc_absent")
    assert (scene.lane()["activity"], scene.there()["inside"], scene.verdicts(number)[0][0]) == ("recover", 1, None)
    PCSCD.start()
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


@pytest.mark.parametrize(("gone", "back"), [("gpio_kill", "gpio_restart"), ("gpio_freeze", "gpio_thaw")])
def test_a_pin_server_that_dies_or_freezes_stops_feeding(scene: Scene, gone: str, back: str) -> None:
    scene.until_free()
    scene.rig.fault(gone)
    scene.until_waits("pins_dead")
    scene.until_shown("SENSOR MATI")
    (number,) = scene.submit()
    assert (scene.job(number)["passages"], scene.rig.station()["panel_up"]) == ([], False)
    scene.rig.fault(back)
    scene.until_state("issued", number)
    scene.until_lit("green")


def test_pins_that_die_while_a_card_leaves_make_a_person_look_for_it(scene: Scene) -> None:
    scene.rig.fault("gpio_kill", at="Se", after=2)
    (number,) = scene.submit()
    scene.until_waits("pins_dead")
    assert scene.person.questions() == []  # not before the next card could be seen leaving
    scene.rig.fault("gpio_restart")
    scene.settle("desk")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]


def test_cards_go_on_without_a_display_and_its_text_comes_back(scene: Scene) -> None:
    scene.rig.fault("display_gone")
    scene.issue()
    scene.rig.fault("display_back")
    scene.until_shown("SIAP")
    scene.rig.fault("display_gone")
    scene.press("hold")
    scene.rig.until(lambda: not scene.rig.station()["display_up"], "the display to be missed")
    scene.press("go")
    scene.until_free()
    scene.rig.fault("display_back")
    scene.until_shown("SIAP")  # the same text as before, on a display that forgot it
    scene.rig.until(lambda: scene.rig.station()["display_up"], "the display to be known to work")
