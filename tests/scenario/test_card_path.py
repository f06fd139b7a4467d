"""Covers, jams, misfeeds and cards that nobody saw leaving: said aloud, never guessed, and the station goes on by itself."""

from __future__ import annotations

from tests.scenario.scene import Scene


def test_an_open_cover_is_said_and_nothing_is_fed_until_it_is_closed(scene: Scene) -> None:
    blanks = scene.there()["hopper"]
    scene.rig.fault("cover_open")
    (number,) = scene.submit()
    scene.until_waits("cover_open")
    scene.until_lit("amber")
    scene.until_shown("TUTUP PRINTER")
    assert (scene.state(number), scene.there()["hopper"]) == ("ready", blanks)
    scene.rig.fault("cover_close")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]  # it was seen before a blank was asked for
    scene.until_lit("green")


def test_a_misfeed_is_doubt_until_a_person_has_looked_into_the_feeder(scene: Scene) -> None:
    scene.rig.fault("misfeed")
    (number,) = scene.submit()
    scene.until_waits("passage_unknown")
    scene.resolve(number, "still-blank")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("still_blank", "card_stuck"), ("good", "")]


def test_a_jam_in_the_feeder_holds_the_lane_until_a_person_says_where_the_blank_is(scene: Scene) -> None:
    scene.rig.fault("feeder_jam")
    (number,) = scene.submit()
    scene.until_waits("passage_unknown")
    scene.until_lit("amber")
    scene.rig.fault("jam_cleared")
    scene.resolve(number, "still-blank")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("still_blank", "card_jam"), ("good", "")]


def test_a_card_that_jams_while_it_is_printed_is_rejected_once_it_moves_again(scene: Scene) -> None:
    scene.rig.fault("card_jam", stage="print")
    (number,) = scene.submit()
    scene.until_waits("card_jam")
    scene.until_lit("red")
    scene.until_shown("KARTU MACET")
    scene.rig.fault("jam_cleared", take_card=False)
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "card_jam"), ("good", "")]


def test_a_jammed_card_that_a_person_takes_out_is_unknown_until_the_person_says_so(scene: Scene) -> None:
    scene.rig.fault("card_jam", stage="print")
    (number,) = scene.submit()
    scene.until_waits("card_jam")
    scene.rig.fault("jam_cleared")
    scene.until_waits("passage_unknown")
    scene.resolve(number, "spoiled")
    scene.until_state("issued", number)
    assert scene.cards_of(number) == 1


def test_a_good_card_that_gets_stuck_at_the_exit_is_delivered_once_it_moves(scene: Scene) -> None:
    scene.rig.fault("stuck", at="Se", after=2)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]
    assert scene.stages(number)[-2:] == [("deliver", "failed"), ("deliver", "done")]


def test_a_card_nobody_saw_leaving_holds_the_lane_until_a_person_has_looked(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    number, next_one = scene.submit(2)
    lane = scene.until_waits("passage_unknown")
    assert "look at the card, then run 'print-station passage resolve'" in lane["condition_en"]
    scene.until_lit("amber")
    scene.until_shown("PERIKSA KARTU")
    passage = str(scene.job(number)["passages"][0]["id"])
    assert f"passage {passage}" in scene.rig.command("station").stdout
    refused = scene.rig.command("passage", "resolve", passage, "still-blank", "--reason", "seems blank")
    assert (refused.returncode, "'encode' was begun" in refused.stderr) == (1, True)
    assert scene.state(next_one) == "ready"
    scene.spoil(number, where="bin")
    scene.until_state("issued", number, next_one)


def test_a_card_left_inside_is_for_a_person_to_take_out_whatever_was_said_of_it(scene: Scene) -> None:
    scene.rig.fault("usb_unplug", at="Se")
    (number,) = scene.submit()
    scene.until_waits("passage_unknown")
    assert scene.there()["inside"] == 1
    scene.rig.fault("usb_replug")
    scene.resolve(number, "spoiled")
    scene.until_waits("card_inside")
    assert scene.rig.take("printer")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "printer_lost"), ("good", "")]
