"""The status page: true to the snapshot, safe against what it shows, and without scripts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model import Balance, JobState, LaneProfile, LaneStatus, RollYield, StationSnapshot, Verdict
from controller.panel.page import HEADERS, page

IDLE = LaneStatus("1", activity="idle", ribbon_remaining=42)
JOBS = dict.fromkeys(JobState, 0) | {JobState.ISSUED: 7}
NOW = StationSnapshot("Contoh", (IDLE,), JOBS, dict.fromkeys(Verdict, 0), {"1": Balance(12, 0, 3)}, panel_up=True)


def test_a_ready_lane_shows_its_stock() -> None:
    text = page(NOW)
    assert "<p>SIAP</p>" in text
    assert "Blangko di hopper: 12 · Pita: 42 set · Kotak tolak: 3" in text
    assert "<b>7</b>Jadi" in text


def test_a_lanes_ribbon_yield_cleaning_and_what_it_asks_for_are_in_its_row() -> None:
    lane = replace(IDLE, asks=("settings_changed",), cards_until_cleaning=88)
    text = page(replace(NOW, lanes=(lane,), ribbons={"1": RollYield(200, 12)}))
    assert "Kotak tolak: 3 · Rol pita: 12 dari 200 set terpakai · Bersihkan dalam 88 kartu<br><b>Setelan printer berubah" in text
    assert '<section class="' not in text  # it works


@pytest.mark.parametrize(("left", "said"), [(1, "Bersihkan dalam 1 kartu"), (0, "Sudah waktunya"), (-3, "Sudah waktunya")])
def test_cleaning_that_is_due_is_said_and_not_counted_below_zero(left: int, said: str) -> None:
    assert said in page(replace(NOW, lanes=(replace(IDLE, cards_until_cleaning=left),)))


def test_a_profile_that_is_not_proven_is_said_in_the_lanes_row() -> None:
    text = page(replace(NOW, profiles={"1": LaneProfile("evolis-<x>", "Evolis X", ("usb", "acts"))}))
    assert "Profil evolis-&lt;x&gt;: 2 bagian belum terbukti pada printer nyata." in text
    assert "Profil" not in page(replace(NOW, profiles={"1": LaneProfile("evolis-x", "Evolis X")}))


def test_the_books_and_open_incidents_are_shown() -> None:
    text = page(
        replace(NOW, stock={"store": 340, "missing": 2}, incidents={"count_short": 1, "uid_warned": 4, "card_missing": 0})
    )
    assert "<b>340</b>Di gudang" in text
    assert "<b>2</b>Hilang" in text
    assert "<b>5</b>Kejadian terbuka" in text


def test_a_condition_is_said_in_both_languages_with_its_severity() -> None:
    text = page(replace(NOW, lanes=(replace(IDLE, condition="card_jam"),)))
    assert '<section class="fault">' in text
    assert "Kartu macet; buka printer dan keluarkan kartu." in text
    assert "A card is jammed; open the printer and take it out." in text
    assert '<li class="lamp red lit">' in text


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("cover_open", "Lanjut sendiri bila sebabnya hilang; mungkin ada kartu di printer."),
        ("print_head", "Lanjut setelah petugas menjawab; mungkin ada kartu di printer."),
        ("card_jam", "Lanjut sendiri bila sebabnya hilang; ada kartu di printer."),
        ("firmware_unknown", "Perlu teknisi, lalu lanjut sendiri; mungkin ada kartu di printer."),
    ],
)
def test_people_read_what_it_takes_to_go_on_and_whether_a_card_is_inside(condition: str, said: str) -> None:
    assert said in page(replace(NOW, lanes=(replace(IDLE, condition=condition),)))


def test_an_error_nobody_knows_is_shown_as_the_printer_said_it() -> None:
    text = page(replace(NOW, lanes=(replace(IDLE, condition="printer_error", detail='Sic: ERR <b>77"'),)))
    assert "catat pesan di bawah ini" in text
    assert "<code>Sic: ERR &lt;b&gt;77&quot;</code>" in text


def test_what_somebody_should_see_to_soon_is_said_while_the_lane_works() -> None:
    text = page(replace(NOW, lanes=(replace(IDLE, activity="print", asks=("cleaning_due", "settings_changed")),)))
    assert "Printer minta dibersihkan" in text
    assert "The printer&#x27;s settings differ" in text
    assert "<section><h2>" in text


def test_an_unknown_ribbon_is_not_called_empty() -> None:
    assert "Pita: ? set" in page(replace(NOW, lanes=(replace(IDLE, ribbon_remaining=None),)))


def test_names_are_escaped() -> None:
    assert "<script>" not in page(replace(NOW, name="<script>alert(1)</script>"))


def test_no_script_may_run() -> None:
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "script" not in page(NOW)
