"""A print-only printer with a reader beside it, over the real wires: the display leads a person, who makes mistakes."""

from __future__ import annotations

import pytest

from controller.conditions import CONDITIONS
from tests.scenario.scene import Scene
from tools.by_hand import EDITS as BY_HAND
from tools.by_hand import Hands

EDITS = BY_HAND


@pytest.fixture
def hands(scene: Scene) -> Hands:
    return Hands(scene.rig)


def test_three_cards_are_issued_by_hand(scene: Scene, hands: Hands) -> None:
    jobs = scene.submit(3)
    cards = [hands.make_one() for _ in jobs]
    scene.until_state("issued", *jobs)
    assert [scene.verdicts(job) for job in jobs] == [[("good", "")]] * 3
    assert len(set(cards)) == 3
    assert [name for name, _ in scene.stages(jobs[0])] == ["probe", "encode", "read back", "close", "lift", "print", "check"]


def test_a_card_that_is_not_a_blank_begins_nothing(scene: Scene, hands: Hands) -> None:
    (done,) = scene.submit()
    card = hands.make_one()
    scene.until_state("issued", done)
    (job,) = scene.submit()
    hands.until_asked("lay_blank")
    scene.rig.put(card, "reader")
    hands.until_asked("take_card_away")
    assert (scene.state(job), scene.verdicts(job)) == ("ready", [])
    scene.rig.put(card, "output")
    hands.make_one()
    scene.until_state("issued", job)


def test_the_printer_is_asked_nothing_while_the_written_card_lies_on_the_reader(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    card = hands.lay_blank()
    hands.until_asked("feed_by_hand")
    strange = scene.rig.put("next", "slot")  # the next blank is put in instead
    scene.until_stage("lift")
    assert scene.stages(job)[-1] == ("close", "done")
    scene.rig.put(strange, "hopper")
    hands.feed(card)
    hands.bring_back(card)
    hands.put_away(card)
    scene.until_state("issued", job)


def test_another_card_brought_back_first_costs_one_look(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    card = hands.lay_blank()
    hands.feed(card)
    hands.until_asked("lay_printed")
    other = scene.rig.put("next", "reader")
    hands.until_asked("lay_other")
    scene.rig.put(other, "hopper")
    scene.rig.put(card, "reader")
    question = scene.until_asked("look")
    scene.person.say("go", question)
    hands.put_away(card)
    scene.until_state("issued", job)


def test_a_card_that_is_never_fed_is_asked_for_again(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    card = hands.lay_blank()
    hands.until_asked("feed_by_hand")
    scene.rig.put(card, "person")
    scene.until_stage("print")

    def gave_up() -> bool:
        scene.rig.fault("hand_feed_over")
        return bool(scene.lane()["condition"] == "card_not_fed")

    scene.rig.until(gave_up, "the printer to give up")
    hands.until_asked("feed_by_hand")
    scene.rig.put(card, "slot")
    hands.bring_back(card)
    hands.put_away(card)
    scene.until_state("issued", job)
    assert ("print", "failed") in scene.stages(job)
    assert scene.cards_of(job) == 1


def test_a_station_killed_during_the_print_asks_for_the_card_and_for_one_look(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    card = hands.lay_blank()
    scene.kill_at("usb", "> job", when="after")
    hands.feed(card)
    scene.until_killed()
    scene.rig.start_station()
    _answer(scene, hands, card)
    scene.until_state("issued", job)
    assert (scene.rows(job), scene.cards_of(job)) == (["good by look"], 1)


def test_a_job_that_waits_in_the_printer_when_the_station_comes_back_holds_the_lane(scene: Scene, hands: Hands) -> None:
    """Whatever is put into the slot gets its face: nothing may begin before it is over."""
    (job, other) = scene.submit(2)
    card = hands.lay_blank()
    scene.kill_at("usb", "> job", when="after")
    hands.until_asked("feed_by_hand")
    scene.rig.put(card, "person")
    scene.until_killed()
    scene.rig.start_station()
    scene.until_waits("printer_moving")
    assert scene.verdicts(other) == []
    scene.rig.put(card, "slot")
    _answer(scene, hands, card)
    hands.make_one()
    scene.until_state("issued", job, other)
    assert scene.cards_of(job) == 1


def _answer(scene: Scene, hands: Hands, card: str) -> None:
    """Lay the card that is asked for on the lane's own reader, which answers as the desk reader does, and look at its face."""
    scene.until_asked("desk")
    scene.rig.put(card, "reader")
    scene.person.say("go", scene.until_asked("look"))
    hands.put_away(card)


def test_a_station_killed_while_the_chip_is_written_spoils_the_card(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    scene.kill_at("apdu", "D6 0002")
    card = hands.lay_blank()
    scene.until_killed()
    scene.rig.start_station()
    hands.until_asked("to_reject_box")
    hands.put_away(card)
    assert scene.verdicts(job) == [("spoiled", "interrupted")]
    hands.make_one()
    scene.until_state("issued", job)
    assert scene.cards_of(job) == 1


def test_a_card_taken_away_while_the_station_was_dead_is_laid_again_and_goes_on(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    scene.kill_at("apdu", "B0 00D0")  # the second block of a file that is read back
    card = hands.lay_blank()
    scene.until_killed()
    scene.rig.put(card, "person")
    scene.rig.start_station()
    hands.until_asked("lay_again")
    scene.rig.put(card, "reader")
    hands.feed(card)
    hands.bring_back(card)
    hands.put_away(card)
    scene.until_state("issued", job)
    assert scene.verdicts(job) == [("good", "")]


def test_dead_buttons_are_said_where_they_still_can_be_and_no_card_is_begun(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    hands.until_asked("lay_blank")
    row = CONDITIONS["panel_dead"]
    scene.rig.fault("gpio_kill")  # this lane has no sensors: only buttons and lamps are gone
    lane = scene.until_waits(row.code)
    assert (lane["condition_id"], lane["condition_en"], lane["severity"]) == (row.id, row.en, row.severity)
    scene.until_shown(row.short)
    scene.rig.fault("gpio_restart")
    hands.make_one()
    scene.until_state("issued", job)
