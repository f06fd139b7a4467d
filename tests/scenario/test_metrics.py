"""/metrics and /healthz, scraped during a card and compared with the world."""

from __future__ import annotations

import re

import pytest

from controller.hal.ports import ChipPhase
from controller.metrics import STAGE_NAMES
from tests.scenario.scene import Scene

LANE = '{lane="1"}'


def _scrape(scene: Scene) -> dict[str, float]:
    page = scene.rig.get("/metrics").body
    return {row[1]: float(row[2]) for row in re.finditer(r"^([a-z]\S*(?: \S*)*?) (\S+)$", page, re.MULTILINE)}


def test_the_promised_series_are_there_and_true_during_a_card(scene: Scene) -> None:
    (number,) = scene.submit()
    scene.until_stage("probe")
    now = scene.rig.until(lambda: _during(scene), "blanks counted out of the hopper")
    assert now is not None
    assert now[f"print_station_blanks_in_hopper{LANE}"] == scene.there()["hopper"]
    assert now[f"print_station_blanks_in_passage{LANE}"] == 1
    assert now[f"print_station_printer_up{LANE}"] == now[f"print_station_reader_up{LANE}"] == 1
    ribbon = scene.there()["printer"]["ribbon"]
    assert now[f"print_station_ribbon_remaining_prints{LANE}"] - ribbon["remaining"] in (0, 1)  # one more while it prints
    assert now['print_station_jobs{state="active"}'] == 1
    scene.until_state("issued", number)


def _during(scene: Scene) -> dict[str, float] | None:
    now = _scrape(scene)
    return now if now[f"print_station_blanks_in_passage{LANE}"] == 1 and scene.there()["inside"] == 1 else None


def test_stages_and_outcomes_are_counted(scene: Scene) -> None:
    before = _scrape(scene)
    scene.rig.fault("used_chip")
    scene.issue()
    scene.until_free()
    after = _scrape(scene)
    rise = {key: after[key] - before[key] for key in after.keys() & before.keys() if not key.endswith("seconds")}
    counts = {stage: rise[f'print_station_stage_duration_seconds_count{{lane="1",stage="{stage}"}}'] for stage in STAGE_NAMES}
    assert counts == {"feed": 2, "probe": 1, "encode": 1, "read back": 1, "close": 1, "print": 1, "check": 1, "deliver": 1,
                      "reject": 1, "print and deliver": 0, "lift": 0}  # fmt: skip
    assert rise['print_station_cards_total{lane="1",outcome="good"}'] == 1
    assert rise['print_station_cards_total{lane="1",outcome="spoiled"}'] == 1
    assert after["print_station_loop_heartbeat_timestamp_seconds"] >= before["print_station_loop_heartbeat_timestamp_seconds"] > 0


@pytest.mark.parametrize(
    ("gone", "back", "series", "condition"),
    [
        ("usb_unplug", "usb_replug", "printer_up", "printer_absent"),
        ("gpio_kill", "gpio_restart", "pins_up", "pins_dead"),
        ("sam_absent", "sam_back", "key_holder_up", "sam_absent"),
    ],
)
def test_what_is_gone_reads_zero(scene: Scene, gone: str, back: str, series: str, condition: str) -> None:
    scene.rig.fault(gone)
    scene.until_waits(condition)
    now = _scrape(scene)
    assert now[f"print_station_{series}{LANE}"] == 0
    assert now[f'print_station_lane_condition{{condition="{condition}",lane="1"}}'] == 1
    scene.rig.fault(back)
    scene.until_free()
    assert _scrape(scene)[f"print_station_{series}{LANE}"] == 1


def test_what_goes_on_at_the_chip_is_counted_as_it_crossed_the_wire(scene: Scene) -> None:
    scene.until_free()
    before, apdus = _scrape(scene), scene.rig.exchanges()["1"]["apdu"]
    scene.issue()
    scene.until_free()
    after = _scrape(scene)
    rise = {key: after[key] - before[key] for key in after.keys() & before.keys() if "_chip_" in key}
    sent = {phase: rise[f'print_station_chip_apdus_total{{lane="1",phase="{phase}"}}'] for phase in ChipPhase}
    came = scene.rig.exchanges()["1"]["apdu"] - apdus - 1  # but the look whose card came back from the print station
    assert came <= sum(sent.values()) <= came + 2  # what pcscd still takes for the card that left before gets one that is lost
    assert min(sent.values()) >= 2
    took = {phase: rise[f'print_station_chip_phase_duration_seconds_count{{lane="1",phase="{phase}"}}'] for phase in ChipPhase}
    assert took == {"identify": 1, "write": 1, "read": 1, "lock": 1, "verify": 1}
    assert all(rise[f'print_station_chip_seconds_total{{lane="1",phase="{phase}",where="keys"}}'] > 0 for phase in ChipPhase)
    assert not any(value for key, value in rise.items() if "_chip_failures_total" in key)


def test_health_names_its_parts(scene: Scene) -> None:
    answer = scene.rig.get("/healthz")
    assert (answer.status, answer.body) == (200, {"healthy": True, "parts": {"lane 1": True}})


def test_no_personal_data_reaches_metrics_or_logs(scene: Scene) -> None:
    told = scene.rig.get("/metrics").body + (scene.rig.folder / "station.log").read_text()
    for record in scene.records.values():
        assert record["person"]["nik"] not in told
        assert record["person"]["name"] not in told
