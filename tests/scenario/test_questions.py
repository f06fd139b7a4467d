"""Questions that only a person can answer: on the display, by desk reader and buttons, by command and API; never wrongly."""

from __future__ import annotations

import pytest

from tests.scenario.scene import Json, Scene, texts


@pytest.fixture
def asked(scene: Scene) -> Json:
    """A card left while the station was dead; it lies in the tray, and the station asks for it."""
    scene.until_free()
    scene.kill_at("usb", "> Pneab;A;0", at=3)  # then comes the answer, and then the move
    scene.submit()
    scene.until_killed()
    scene.rig.start_station()
    return scene.until_asked("desk")


def test_the_display_asks_and_the_card_on_the_desk_reader_answers(scene: Scene, asked: Json) -> None:
    scene.until_shown("KARTU KE PEMBACA")
    scene.until_shown("HOLD=RUSAK")
    scene.until_lit("amber")
    scene.person.lay_down(scene.card(asked))
    scene.until_settled(asked)
    scene.until_shown("KARTU BAIK")  # until somebody puts it with the others
    scene.until_state("issued", asked["job"])
    assert "KARTU BAIK" in " ".join(scene.world()["display"])
    scene.rig.put(asked["chip_uid"], "output")
    scene.until_shown("SIAP")
    assert scene.verdicts(asked["job"]) == [("good", "")]


def test_cards_that_are_not_asked_for_answer_nothing(scene: Scene) -> None:
    (other,) = scene.issue()
    scene.rig.fault("lost_card")
    (number,) = scene.submit()
    question = scene.until_asked("desk")
    for card, belongs in ((scene.job(other)["passages"][0]["chip_uid"], "output"), ("new", "person")):
        card = scene.rig.put(card, "desk")
        scene.until_shown("BUKAN KARTU ITU")
        scene.rig.put(card, belongs)
        scene.until_shown("KARTU KE PEMBACA")
    assert (scene.person.questions(), scene.verdicts(number)) == ([question], [(None, "card_missing")])
    scene.person.answer(question)
    scene.until_state("issued", number)


def test_a_dead_chip_is_called_spoiled_with_hold_and_made_again_by_a_persons_word(scene: Scene) -> None:
    scene.rig.fault("lost_card")
    scene.rig.fault("dead_chip", blank=0, at="Se", after=2)
    (number,) = scene.submit()
    scene.settle("desk")
    scene.until_state("failed", number)  # nobody read it: it may be a whole card
    assert scene.verdicts(number) == [("spoiled", "called_spoiled")]
    assert scene.rig.command("retry", str(number)).returncode == 0
    scene.until_state("issued", number)


def test_hold_answers_the_question_that_is_shown_and_holds_nothing(scene: Scene, asked: Json) -> None:
    scene.until_shown("KARTU KE PEMBACA")
    scene.press("go")  # says nothing of a card that is asked for
    card = scene.card(asked)
    assert scene.person.questions() == [asked]
    scene.person.say("hold", asked)
    scene.rig.put(card["id"], "reject")
    scene.until_free()
    assert (scene.rig.station()["held"], scene.state(asked["job"])) == (False, "failed")
    assert scene.rows(asked["job"]) == ["called spoiled unread"]


def test_a_question_survives_a_kill_and_the_card_may_lie_there_already(scene: Scene, asked: Json) -> None:
    scene.rig.kill_station()
    scene.rig.put(asked["chip_uid"], "desk")
    scene.rig.start_station()
    scene.until_state("issued", asked["job"])
    scene.until_shown("KARTU BAIK")
    scene.rig.put(asked["chip_uid"], "output")
    assert scene.rows(asked["job"]) == ["good on the desk"]


def test_a_question_is_listed_and_answered_by_command(scene: Scene, asked: Json) -> None:
    listed = scene.rig.command("question", "list")
    assert listed.stdout.startswith(f"question {asked['id']}, lane 1, job {asked['job']}, since "), listed.stdout
    assert {asked["text_id"], asked["text_en"]} <= {line.strip() for line in listed.stdout.splitlines()}
    scene.rig.put(asked["chip_uid"], "reject")
    done = scene.rig.command("question", "answer", str(asked["id"]), "spoiled", "--who", "Budi", "--reason", "bent")
    assert (done.returncode, done.stdout) == (0, f"question {asked['id']}: the card is spoiled\n")
    assert scene.rig.command("question", "list").stdout == "no open questions\n"
    assert scene.state(asked["job"]) == "failed"
    again = scene.rig.command("question", "answer", str(asked["id"]), "missing", "--reason", "late")
    assert (again.returncode, again.stdout) == (1, "")
    assert f"Question {asked['id']} is answered already (spoiled); nothing was changed." in again.stderr


def test_a_card_that_nobody_has_is_never_made_again_without_a_persons_word(scene: Scene, asked: Json) -> None:
    missing = scene.rig.station()["stock"]["missing"]
    assert scene.answer(asked, "missing").body == {"question": asked["id"], "verdict": "spoiled", "row": "nobody has it"}
    scene.rig.put(asked["chip_uid"], "person")
    scene.until_free()
    assert (scene.state(asked["job"]), scene.verdicts(asked["job"])) == ("failed", [("spoiled", "card_lost")])
    scene.rig.until(lambda: scene.rig.station()["stock"]["missing"] == missing + 1, "the ledger to miss it")
    (incident,) = [row for row in scene.rig.get("/api/v1/incidents").body["incidents"] if row["kind"] == "card_missing"]
    assert incident["passage_id"] == asked["passage"]
    scene.rig.command("incident", "explain", str(incident["id"]), "--reason", "a resident took it along")
    assert scene.rig.command("retry", str(asked["job"])).returncode == 0
    scene.until_state("issued", asked["job"])


def test_answers_that_do_not_fit_change_nothing(scene: Scene, asked: Json) -> None:
    for answer, status, said in (("none", 409, "cannot be answered 'none'"), ("complete", 409, "choose: spoiled, missing"),
                                 ("good", 400, "answer must be one of")):  # fmt: skip
        told = scene.answer(asked, answer, limit=499)
        assert (told.status, said in texts(told)) == (status, True), told.body
    unknown = scene.answer(asked | {"id": 9999}, "spoiled", limit=499)
    assert (unknown.status, "There is no question 9999" in texts(unknown)) == (404, True)
    assert scene.person.questions() == [asked]
    scene.person.answer(asked)
    scene.until_state("issued", asked["job"])
