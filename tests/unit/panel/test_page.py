"""The status page: true to the snapshot, safe against what it shows, and without scripts."""

from __future__ import annotations

from dataclasses import replace

from controller.model import Balance, JobState, LaneStatus, StationSnapshot, Verdict
from controller.panel.page import HEADERS, page

IDLE = LaneStatus("1", activity="idle", ribbon_remaining=42)
JOBS = dict.fromkeys(JobState, 0) | {JobState.ISSUED: 7}
NOW = StationSnapshot("Contoh", (IDLE,), JOBS, dict.fromkeys(Verdict, 0), {"1": Balance(12, 0, 3)}, panel_up=True)


def test_a_ready_lane_shows_its_stock() -> None:
    text = page(NOW)
    assert "<p>SIAP</p>" in text
    assert "Blangko di hopper: 12 · Pita: 42 kartu · Bak tolak: 3" in text
    assert "<b>7</b>Jadi" in text


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


def test_an_unknown_ribbon_is_not_called_empty() -> None:
    assert "Pita: ? kartu" in page(replace(NOW, lanes=(replace(IDLE, ribbon_remaining=None),)))


def test_names_are_escaped() -> None:
    assert "<script>" not in page(replace(NOW, name="<script>alert(1)</script>"))


def test_no_script_may_run() -> None:
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "script" not in page(NOW)
