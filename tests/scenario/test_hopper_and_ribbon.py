"""Blanks and ribbon run out, bins fill up: the lane waits for the right thing, costs no card, and goes on by itself."""

from __future__ import annotations

from tests.scenario.scene import NewScene


def test_a_day_of_filling_hopper_and_emptying_the_bin(new_scene: NewScene) -> None:
    scene = new_scene(edits={"bin = { capacity = 100 }": "bin = { capacity = 2 }"}).start(blanks=0)
    first, second, third = scene.submit(3)
    scene.until_waits("hopper_empty")
    scene.rig.sim("load", lane="1", count=2)
    scene.until_waits("hopper_uncounted")
    scene.until_shown("CATAT ISI HOPPER")
    assert scene.there()["hopper"] == 2
    scene.rig.count_in("1", 2)
    scene.until_state("issued", first, second)
    scene.until_waits("bin_full")
    scene.rig.load("1", 5)
    scene.until_shown("BAK KARTU PENUH")
    assert (scene.state(third), scene.there()["inside"]) == ("ready", 0)
    scene.rig.take("bin")
    scene.until_state("issued", third)


def test_blanks_taken_from_under_the_feeder_are_missed_and_no_card_is_begun(new_scene: NewScene) -> None:
    scene = new_scene().start(blanks=5)
    scene.rig.fault("feeder_empty", at="Sic")
    (number,) = scene.submit()
    scene.until_waits("hopper_empty")
    assert scene.verdicts(number) == [("still_blank", "hopper_empty")]
    assert scene.lane()["hopper"] == 5  # the ledger is not corrected by a sensor
    scene.rig.sim("load", lane="1", count=5)
    scene.until_state("issued", number)


def test_a_ribbon_that_ends_in_the_middle_of_a_card_spoils_it_and_no_more_is_fed(new_scene: NewScene) -> None:
    scene = new_scene().start()
    scene.rig.fault("ribbon_end", left=0, at="Ss")
    spoiled, next_one = scene.submit(2)
    scene.until_waits("ribbon_end")
    scene.until_lit("amber")
    scene.until_shown("GANTI PITA")
    assert scene.verdicts(spoiled) == [("spoiled", "ribbon_end")]
    scene.rig.fault("ribbon_new", cards=1)
    scene.rig.until(lambda: scene.rig.states() == {"issued": 1, "ready": 1}, "one card")
    scene.until_waits("ribbon_end")  # seen before a blank is fed
    scene.rig.fault("ribbon_new")
    scene.until_state("issued", spoiled, next_one)
    assert (scene.there()["output"], scene.there()["reject"]) == (2, 1)
