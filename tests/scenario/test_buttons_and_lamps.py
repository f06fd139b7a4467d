"""HOLD and GO, and what lamps and display show people: looked at in the world, not in the station."""

from __future__ import annotations

from tests.scenario.scene import Scene


def test_a_ready_station_is_green_and_says_what_is_done(scene: Scene) -> None:
    scene.until_free()
    before = scene.rig.states().get("issued", 0)
    scene.until_lit("green")
    scene.until_shown("SIAP")
    scene.issue(1)
    scene.until_shown(f"JADI {before + 1} ANTRE 0")


def test_hold_finishes_the_card_in_hand_feeds_no_more_and_go_goes_on(scene: Scene) -> None:
    first, *others = scene.submit(3)  # on a busy machine the press may come one card later
    scene.until_stage("probe")
    scene.press("hold")
    scene.until_lit("green", "amber")  # working still, and a person is awaited
    scene.until_state("issued", first)
    scene.until_waits("held_by_operator")
    scene.until_lit("amber")
    scene.until_shown("DITAHAN: TEKAN GO")
    assert (scene.state(others[-1]), scene.there()["inside"]) == ("ready", 0)
    scene.press("go")
    scene.until_state("issued", *others)
    scene.until_lit("green")


def test_hold_is_remembered_over_a_restart(scene: Scene) -> None:
    scene.press("hold")
    scene.until_waits("held_by_operator")
    scene.rig.kill_station()
    scene.rig.start_station()
    (number,) = scene.submit()
    scene.until_waits("held_by_operator")
    assert scene.job(number)["passages"] == []
    scene.press("go")
    scene.until_state("issued", number)
    assert scene.rig.stop_station() == 0
    scene.rig.start_station()
    scene.until_free()


def test_the_lamps_are_dark_while_no_station_runs(scene: Scene) -> None:
    assert scene.rig.stop_station() == 0
    scene.until_lit()
    scene.rig.start_station()
    scene.until_lit("green")


def test_a_fault_lights_red_and_nothing_else(scene: Scene) -> None:
    scene.rig.sim("power", device="printer", state="off", lane="1")
    scene.until_waits("printer_absent")
    scene.until_lit("red")
    scene.until_shown("PRINTER TIDAK ADA")
    scene.rig.sim("power", device="printer", state="on", lane="1")
    scene.until_lit("green")
