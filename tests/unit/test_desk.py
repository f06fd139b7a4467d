"""Lamps and display lines follow from the snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller import desk
from controller.conditions import CONDITIONS, NOTICES
from controller.jobs.evidence import Ask
from controller.jobs.passage import PLANS, REJECT
from controller.model import Button, JobState, Lamps, LaneStatus, LogHead, OpenQuestion, StationSnapshot, Verdict
from controller.staff import SAYS

IDLE = LaneStatus("1", activity="idle")
NOW = StationSnapshot("Contoh", (IDLE,), dict.fromkeys(JobState, 0), dict.fromkeys(Verdict, 0), {}, panel_up=True)


def _lane(**changes: Any) -> StationSnapshot:
    return replace(NOW, lanes=(replace(IDLE, **changes),))


@pytest.mark.parametrize(
    ("snapshot", "lamps"),
    [
        (NOW, Lamps(green=True, amber=False, red=False)),
        (_lane(activity="print"), Lamps(green=True, amber=False, red=False)),
        (_lane(activity="waiting", condition="hopper_empty"), Lamps(green=False, amber=True, red=False)),
        (_lane(activity="waiting", condition="card_jam"), Lamps(green=False, amber=False, red=True)),
        (replace(NOW, held=True), Lamps(green=True, amber=True, red=False)),
        (_lane(activity="waiting", condition="stopping"), Lamps(green=False, amber=False, red=False)),
        (_lane(activity="waiting", condition="cool_down"), Lamps(green=True, amber=False, red=False)),
        (_lane(asks=("cleaning_due",)), Lamps(green=True, amber=True, red=False)),
        (_lane(activity="waiting", condition="lay_blank"), Lamps(green=False, amber=True, red=False)),
        (_lane(activity="starting"), Lamps(green=False, amber=False, red=False)),
        (replace(NOW, panel_up=False), Lamps(green=True, amber=False, red=True)),
    ],
)
def test_lamps(snapshot: StationSnapshot, lamps: Lamps) -> None:
    assert desk.lamps(snapshot) == lamps


def test_one_faulty_lane_of_two_keeps_green_and_lights_red() -> None:
    both = replace(NOW, lanes=(IDLE, LaneStatus("2", activity="waiting", condition="card_jam")))
    assert desk.lamps(both) == Lamps(green=True, amber=False, red=True)
    assert desk.lines(both)[0] == "2: KARTU MACET"


@pytest.mark.parametrize(
    ("name", "condition", "lines"),
    [
        ("2", "card_jam", ("2: KARTU MACET", "JADI 0 ANTRE 0")),
        ("2", "hopper_low", ("HOPPER HAMPIR KOSONG", "JALUR 2")),
        ("loket-depan-kiri", "card_jam", ("KARTU MACET", "JALUR loket-depan-ki")),
    ],
)
def test_what_a_lane_of_several_says_is_never_cut(name: str, condition: str, lines: tuple[str, str]) -> None:
    both = replace(NOW, lanes=(IDLE, LaneStatus(name, activity="waiting", condition=condition)))
    assert desk.lines(both) == lines


def test_a_question_of_a_lane_with_a_long_name_is_not_cut() -> None:
    both = replace(NOW, lanes=(IDLE, LaneStatus("loket-2")), questions=(OpenQuestion(1, "loket-2", "tray", 1, 1),))
    assert desk.lines(both)[0] == "lo: BLANGKO DI BAKI?"


def test_the_display_shows_state_and_card_count() -> None:
    busy = replace(_lane(activity="print"), jobs=dict(NOW.jobs) | {JobState.ISSUED: 12, JobState.READY: 3, JobState.ACTIVE: 1})
    assert desk.lines(busy) == ("CETAK", "JADI 12 ANTRE 4")


def test_a_lane_with_nothing_to_do_says_what_somebody_should_see_to() -> None:
    assert desk.lines(_lane(asks=("cleaning_due", "settings_changed")))[0] == "BERSIHKAN PRINTER"
    assert desk.lines(_lane(activity="print", asks=("cleaning_due",)))[0] == "CETAK"


def test_a_lane_that_rests_says_what_somebody_should_see_to_and_hides_no_lane_that_waits_for_somebody() -> None:
    resting = replace(IDLE, activity="waiting", condition="cool_down")
    assert desk.lines(replace(NOW, lanes=(resting,)))[0] == "PRINTER ISTIRAHAT"
    assert desk.lines(replace(NOW, lanes=(replace(resting, asks=("cleaning_due",)),)))[0] == "BERSIHKAN PRINTER"
    empty = LaneStatus("2", activity="waiting", condition="hopper_empty")
    assert desk.lines(replace(NOW, lanes=(resting, empty)))[0] == "2: HOPPER KOSONG"


@pytest.mark.parametrize(("activity", "shown"), [("clean", "SEDANG DIBERSIHKAN"), ("test card", "KARTU UJI")])
def test_what_a_person_had_the_printer_do_is_shown(activity: str, shown: str) -> None:
    assert desk.lines(_lane(activity=activity))[0] == shown


def test_a_hold_without_an_obstacle_is_shown() -> None:
    assert desk.lines(replace(NOW, held=True))[0] == "DITAHAN: TEKAN GO"


@pytest.mark.parametrize(
    ("seq", "shown"), [(4821, "4821:3f9ac2d1e07b5a4"), (9_999_999, "9999999:3f9ac2d1e07b"), (123_456_789, "123456789:3f9ac2d1e0")]
)
def test_a_hold_shows_the_head_of_the_log_to_be_written_down(seq: int, shown: str) -> None:
    held = replace(NOW, held=True, log=LogHead(seq, "3f9ac2d1e07b5a4" + "0" * 49))
    assert desk.lines(held) == ("DITAHAN: TEKAN GO", shown)
    assert len(shown) <= 20
    assert desk.lines(replace(held, held=False))[1] == "JADI 0 ANTRE 0"


@pytest.mark.parametrize("kind", list(Ask))
def test_a_question_and_what_the_buttons_answer_fit_the_display(kind: Ask) -> None:
    asked = replace(NOW, held=True, questions=(OpenQuestion(1, "1", kind, 1, 1), OpenQuestion(2, "2", "look", 2, 2)))
    first, second = desk.lines(asked)
    assert first == CONDITIONS[f"ask_{kind}"].short
    assert [f"{button.upper()}=" in second for button in Button] == [(kind, button) in SAYS for button in Button]
    assert len(second) <= 20


def test_a_notice_hides_the_question() -> None:
    asked = replace(NOW, questions=(OpenQuestion(1, "1", "look", 1, 1),), notice="desk_other")
    assert desk.lines(asked) == (NOTICES["desk_other"].short, "")


def test_every_stage_has_a_word_that_fits() -> None:
    for stage in (*PLANS["held"], *PLANS["ejecting"], REJECT):
        first, _ = desk.lines(_lane(activity=stage.name))
        assert first != stage.name.upper() or stage.name == "print"
        assert len(first) <= 20
