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


def test_a_misfeed_that_seeing_eyes_saw_costs_nothing(scene: Scene) -> None:
    scene.rig.fault("misfeed")
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("still_blank", "card_stuck"), ("good", "")]


def test_a_jam_in_the_feeder_is_settled_by_itself_once_a_person_has_cleared_it(scene: Scene) -> None:
    scene.rig.fault("feeder_jam")
    (number,) = scene.submit()
    scene.until_waits("card_jam")
    scene.until_lit("red")
    scene.until_shown("KARTU MACET")
    scene.rig.fault("jam_cleared")
    scene.until_state("issued", number)
    assert set(scene.verdicts(number)[:-1]) == {("still_blank", "card_jam")}


def test_a_card_that_jams_while_it_is_printed_is_rejected_once_it_moves_again(scene: Scene) -> None:
    scene.rig.fault("card_jam", stage="print")
    (number,) = scene.submit()
    scene.until_waits("card_jam")
    scene.until_lit("red")
    scene.until_shown("KARTU MACET")
    scene.rig.fault("jam_cleared", take_card=False)
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("spoiled", "card_jam"), ("good", "")]


def test_a_jammed_card_that_a_person_takes_out_is_asked_for(scene: Scene) -> None:
    scene.rig.fault("card_jam", stage="print")
    (number,) = scene.submit()
    scene.until_waits("card_jam")
    scene.rig.fault("jam_cleared")
    scene.settle("desk")
    scene.until_state("issued", number)
    assert [verdict for verdict, _ in scene.verdicts(number)] == ["spoiled", "good"]
    assert scene.cards_of(number) == 1


def test_a_good_card_that_gets_stuck_at_the_exit_is_delivered_once_it_moves(scene: Scene) -> None:
    scene.rig.fault("stuck", at="Se", after=2)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]
    assert scene.stages(number)[-2:] == [("deliver", "failed"), ("deliver", "done")]


def test_a_card_nobody_saw_leaving_holds_the_lane_until_it_lies_on_the_desk_reader(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    number, next_one = scene.submit(2)
    question = scene.until_asked("desk")
    lane = scene.until_waits("ask_desk")
    assert lane["condition_en"] == question["text_en"]
    scene.until_shown("KARTU KE PEMBACA")
    scene.until_lit("amber")
    assert scene.state(next_one) == "ready"
    scene.person.answer(question)
    scene.until_state("issued", number, next_one)
    assert scene.verdicts(number) == [("good", "")]
