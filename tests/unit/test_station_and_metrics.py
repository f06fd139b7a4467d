"""One snapshot, told to every listener; Prometheus reads it and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.chip_metrics import WAYS, WHERE
from controller.hal.ports import ChipCost, ChipPhase
from controller.metrics import STAGE_NAMES, Metrics
from controller.model import Balance, JobState, LaneProfile, LaneStatus, RollYield, StationSnapshot, Verdict
from controller.station import Station

LABELS = {"lane", "state", "outcome", "stage", "condition", "answer", "account", "kind", "roll", "le", "version",
          "phase", "where", "way"}  # fmt: skip
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def station() -> Station:
    return Station("Contoh", ["1", "2"])


def test_a_listener_hears_the_present_and_every_change(station: Station) -> None:
    heard: list[StationSnapshot] = []
    station.listen(heard.append)
    station.lane_changed(LaneStatus("2", activity="idle"))
    station.lane_changed(LaneStatus("2", activity="idle"))  # no change, no news
    assert [snapshot.lanes[1].activity for snapshot in heard] == ["starting", "idle"]


def test_a_lane_changes_only_itself(station: Station) -> None:
    station.lane_changed(LaneStatus("1", activity="print"))
    assert [lane.activity for lane in station.snapshot.lanes] == ["print", "starting"]


def _samples(metrics: Metrics) -> dict[str, float]:
    lines = (line for line in metrics.page().decode().splitlines() if not line.startswith("#"))
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_unknown_values_are_absent(station: Station) -> None:
    samples = _samples(Metrics(lambda: station.snapshot))
    assert not any(name.startswith("print_station_ribbon_remaining_prints") for name in samples)
    station.lane_changed(LaneStatus("1", ribbon_remaining=42))
    assert _samples(Metrics(lambda: station.snapshot))['print_station_ribbon_remaining_prints{lane="1"}'] == 42


def test_counts_and_conditions_are_exported(station: Station) -> None:
    metrics = Metrics(lambda: station.snapshot)
    jobs, outcomes = dict.fromkeys(JobState, 0) | {JobState.READY: 3}, dict.fromkeys(Verdict, 0) | {Verdict.GOOD: 7}
    stock, open_incidents = {"store": 70, "missing": 1}, {"count_short": 1, "card_missing": 0}
    station.counted(jobs, outcomes, {"1": Balance(9, 1, 3), "2": Balance()}, stock, open_incidents)
    station.lane_changed(LaneStatus("1", condition="card_jam", printer_up=True))
    samples = _samples(metrics)
    assert samples['print_station_jobs{state="ready"}'] == 3
    assert samples['print_station_cards_recorded{outcome="good"}'] == 7
    assert samples['print_station_lane_condition{condition="card_jam",lane="1"}'] == 1
    assert samples['print_station_blanks_in_hopper{lane="1"}'] == 9
    assert samples['print_station_blanks_in_reject_bin{lane="1"}'] == 3
    assert samples['print_station_stock{account="missing"}'] == 1
    assert samples['print_station_incidents_open{kind="count_short"}'] == 1
    assert samples['print_station_incidents_open{kind="card_missing"}'] == 0
    assert samples['print_station_printer_up{lane="1"}'] == 1


def test_care_and_the_yield_of_ribbons_are_exported_and_absent_while_unknown(station: Station) -> None:
    metrics, now = Metrics(lambda: station.snapshot), station.snapshot
    assert not any(
        name.startswith(("print_station_cards_until_cleaning", "print_station_ribbon_sets")) for name in _samples(metrics)
    )
    station.counted(now.jobs, now.outcomes, now.blanks, {}, {}, {"1": RollYield(200, 12), "2": RollYield(300, 0, 200, 125)})
    station.lane_changed(LaneStatus("1", asks=("cleaning_due",), cards_until_cleaning=-2, rest_s=15))
    samples = _samples(metrics)
    assert samples['print_station_cards_until_cleaning{lane="1"}'] == -2
    assert samples['print_station_lane_rest_seconds{lane="1"}'] == 15
    assert samples['print_station_lane_asks{condition="cleaning_due",lane="1"}'] == 1
    assert samples['print_station_lane_asks{condition="settings_changed",lane="1"}'] == 0
    assert samples['print_station_ribbon_sets{lane="2",roll="last"}'] == 200
    assert samples['print_station_ribbon_sets_used{lane="2",roll="last"}'] == 125
    assert 'print_station_ribbon_sets_used{lane="1",roll="last"}' not in samples


def test_parts_of_a_profile_that_are_not_proven_are_exported(station: Station) -> None:
    station.set_profiles({"1": LaneProfile("evolis-x", "Evolis X", ("usb", "acts")), "2": LaneProfile("evolis-y", "Evolis Y")})
    samples = _samples(Metrics(lambda: station.snapshot))
    assert samples['print_station_profile_unproven{lane="1",profile="evolis-x"}'] == 2
    assert samples['print_station_profile_unproven{lane="2",profile="evolis-y"}'] == 0


def test_every_stage_and_outcome_exists_from_the_start(station: Station) -> None:
    samples = _samples(Metrics(lambda: station.snapshot))
    for stage in STAGE_NAMES:
        assert samples[f'print_station_stage_duration_seconds_count{{lane="1",stage="{stage}"}}'] == 0
    assert samples['print_station_cards_total{lane="2",outcome="unknown"}'] == 0


def test_every_phase_at_the_chip_exists_from_the_start(station: Station) -> None:
    samples = _samples(Metrics(lambda: station.snapshot))
    for phase in ChipPhase:
        of = f'lane="2",phase="{phase}"'
        assert samples[f"print_station_chip_phase_duration_seconds_count{{{of}}}"] == 0
        assert samples[f"print_station_chip_apdus_total{{{of}}}"] == samples[f"print_station_chip_failures_total{{{of}}}"] == 0
        assert {samples[f'print_station_chip_seconds_total{{{of},where="{where}"}}'] for where in WHERE} == {0}
        assert {samples[f'print_station_chip_bytes_total{{{of},way="{way}"}}'] for way in WAYS} == {0}


def test_a_phase_at_the_chip_counts_with_where_its_time_went(station: Station) -> None:
    metrics = Metrics(lambda: station.snapshot)
    metrics.chip_phase_over("1", ChipPhase.WRITE, ChipCost(40, 8000, 80, chip_s=1.5, keys_s=0.25, whole_s=2.0), None)
    metrics.chip_phase_over("1", ChipPhase.WRITE, ChipCost(1, 10, 2, chip_s=0.5, keys_s=0.0, whole_s=0.5), "chip_silent")
    samples, of = _samples(metrics), 'lane="1",phase="write"'
    assert samples[f"print_station_chip_phase_duration_seconds_sum{{{of}}}"] == 2.5
    assert samples['print_station_chip_phase_duration_seconds_bucket{lane="1",le="0.5",phase="write"}'] == 1
    assert [samples[f'print_station_chip_seconds_total{{{of},where="{where}"}}'] for where in WHERE] == [2.0, 0.25, 0.25]
    assert [samples[f'print_station_chip_bytes_total{{{of},way="{way}"}}'] for way in WAYS] == [8010, 82]
    assert (samples[f"print_station_chip_apdus_total{{{of}}}"], samples[f"print_station_chip_failures_total{{{of}}}"]) == (41, 1)


def test_a_lane_whose_chips_need_no_key_holder_says_nothing_of_one(station: Station) -> None:
    station.lane_changed(LaneStatus("1", key_holder_up=False))
    samples = _samples(Metrics(lambda: station.snapshot))
    assert samples['print_station_key_holder_up{lane="1"}'] == 0
    assert 'print_station_key_holder_up{lane="2"}' not in samples


def test_events_count(station: Station) -> None:
    metrics = Metrics(lambda: station.snapshot)
    metrics.stage_took("1", "print", 9.5)
    metrics.passage_over("1", "good")
    metrics.record_refused()
    samples = _samples(metrics)
    assert samples['print_station_stage_duration_seconds_sum{lane="1",stage="print"}'] == 9.5
    assert samples['print_station_cards_total{lane="1",outcome="good"}'] == 1
    assert samples["print_station_records_refused_total"] == 1


def test_labels_come_from_closed_lists(station: Station) -> None:
    page = Metrics(lambda: station.snapshot).page().decode()
    assert set(re.findall(r"(\w+)=\"", page)) <= LABELS


def test_every_metric_is_in_its_document_and_nothing_else(station: Station) -> None:
    station.desk_reader_says(up=True)
    page = Metrics(lambda: station.snapshot).page().decode()
    exported = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    assert set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)) == exported
