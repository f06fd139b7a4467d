"""Care of the printer with everything real: test cards, cleaning, rests, settings and ribbon, and belief equal to the world."""

from __future__ import annotations

import re

from tests.scenario.scene import NewScene, Scene

RESTS = {'serial = "SIM-E-0001" }': 'serial = "SIM-E-0001", cool_down = { cards = 2, rest_s = 6 } }'}


def _care(scene: Scene, verb: str, *more: str) -> str:
    """What `print-station printer VERB` says; it must succeed."""
    done = scene.rig.command("printer", verb, "--lane", "1", "--who", "ani", "--reason", "seen by the scene", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _open_incidents(scene: Scene) -> list[str]:
    rows = scene.rig.get("/api/v1/incidents").body["incidents"]
    return [row["kind"] for row in rows if row["kind"] != "ribbon_unrecorded"]


def _hold(scene: Scene) -> None:
    scene.press("hold")
    scene.until_waits("held_by_operator")


def _put_test_card_away(scene: Scene) -> None:
    """The card in the tray that no chip was written to goes into the reject box."""
    blank = next(blank for blank in scene.world()["blanks"] if blank["place"] == "output" and blank["lane"] == "1"
                 and set(blank["printed"].get("front", {})) == {"k"})  # fmt: skip
    scene.rig.put(blank["id"], "reject")


def test_a_test_card_between_two_cards_is_booked_under_the_name_of_who_asked(new_scene: NewScene) -> None:
    scene = new_scene().start()
    scene.issue()
    _hold(scene)
    before, there = scene.lane(), scene.there()["hopper"]
    assert "the test card is printed" in _care(scene, "test-card")
    assert (scene.there()["hopper"], scene.there()["inside"]) == (there - 1, 0)
    _put_test_card_away(scene)
    scene.rig.until(lambda: scene.lane()["rejected"] == before["rejected"] + 1, "the test card to be booked")
    scene.press("go")
    scene.issue()
    scene.must_agree()
    assert _open_incidents(scene) == []


def test_a_lane_at_work_prints_no_test_card_and_says_what_to_do(new_scene: NewScene) -> None:
    scene = new_scene(speed="20").start()
    (number,) = scene.submit()
    scene.until_stage("print")
    refused = scene.rig.command("printer", "test-card", "--reason", "now")
    assert (refused.returncode, "press HOLD" in refused.stderr, "tekan HOLD" in refused.stderr) == (1, True, True)
    scene.until_state("issued", number)
    scene.must_agree()


def test_a_kill_in_the_middle_of_a_test_card_is_settled_and_the_hopper_counted(new_scene: NewScene) -> None:
    scene = new_scene().start()
    _hold(scene)
    scene.kill_at("usb", "> Stt")
    scene.rig.command("printer", "test-card", "--reason", "look at the dots")
    scene.until_killed()
    scene.rig.start_station()
    scene.until_waits("held_by_operator")
    assert _open_incidents(scene) == ["count_required"]
    (act,) = scene.rig.get("/api/v1/printers").body["printers"][0]["care"]
    assert (act["outcome"], act["condition"]) == ("unknown", "care_interrupted")
    scene.rig.command("stock", "count", "hopper", "1", str(scene.there()["hopper"]))
    assert _open_incidents(scene) == []
    _put_test_card_away(scene)
    scene.press("go")
    scene.issue()
    scene.must_agree()
    assert _open_incidents(scene) == []


def test_cleaning_that_is_due_is_asked_for_while_cards_go_on_until_somebody_cleaned(new_scene: NewScene) -> None:
    scene = new_scene().start()
    scene.rig.fault("cleaning_due")
    scene.press("go")  # somebody stands there: the printer is asked anew
    scene.until_lit("green", "amber")
    scene.until_shown("BERSIHKAN PRINTER")
    scene.issue()
    _hold(scene)
    assert "the cleaning cycle is done" in _care(scene, "clean")
    assert re.search(r"cleaning: in \d+ cards, last \S+ by ani", scene.rig.command("printer", "status").stdout)
    scene.press("go")
    scene.until_lit("green")
    scene.must_agree()
    assert _open_incidents(scene) == []


def test_a_printer_that_feeds_nothing_before_it_is_cleaned_costs_no_blank(new_scene: NewScene) -> None:
    scene = new_scene().start()
    scene.rig.fault("cleaning_due", stop="yes")
    (number,) = scene.submit()
    scene.until_waits("cleaning_due")
    assert set(scene.verdicts(number)) <= {("still_blank", "cleaning_due")}
    _care(scene, "clean")
    scene.until_state("issued", number)
    scene.must_agree()


def test_a_turned_setting_is_told_once_printed_on_and_accepted_by_a_person(new_scene: NewScene) -> None:
    scene = new_scene().start()
    scene.until_free()
    scene.rig.sim("fault", name="setting", lane="1", values={"name": "contrast_black", "value": "13"})
    scene.press("go")
    scene.rig.until(lambda: _open_incidents(scene) == ["settings_changed"], "the turned setting to be noticed")
    scene.issue()
    assert "contrast_black           13  <- accepted: 10" in scene.rig.command("printer", "status").stdout
    assert _care(scene, "accept-settings") == "lane 1: contrast_black = 13 (was 10)\n"
    assert _open_incidents(scene) == []
    scene.rig.stop_station()
    scene.rig.start_station()
    scene.issue()
    assert (_open_incidents(scene), scene.lane()["asks"]) == ([], [])


def test_after_so_many_cards_the_printer_rests_also_over_a_restart(new_scene: NewScene) -> None:
    scene = new_scene(edits=RESTS).start()
    numbers = scene.submit(3)
    scene.until_waits("cool_down")
    assert scene.lane()["rest_s"] > 0
    scene.rig.kill_station()
    scene.rig.start_station()
    scene.until_waits("cool_down")
    scene.until_state("issued", *numbers)
    scene.must_agree()


def test_the_wrong_ribbon_feeds_nothing_and_the_lane_names_the_one_it_wants(new_scene: NewScene) -> None:
    scene = new_scene(edits={'serial = "SIM-E-0001" }': 'serial = "SIM-E-0001", ribbon = "ko" }'}).start()
    (number,) = scene.submit()
    said = scene.until_waits("ribbon_wrong")
    assert said["detail"].startswith("ko")
    assert (scene.state(number), scene.there()["hopper"], scene.lane()["hopper"]) == ("ready", 40, 40)
