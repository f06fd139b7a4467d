"""What makes a lane wait, what makes it go on, and when a person has to look first."""

from __future__ import annotations

import pytest

from controller.conditions import Clears
from controller.conditions.printer import PRINTER
from controller.errors import DeviceRefused
from controller.jobs import lane_calls, lane_doubts
from controller.model import Beam, CardPosition, JobState, Verdict
from tests.fakes.chip import Faults
from tests.fakes.working_lane import Counted, Site, asked_for_nothing, refusing, working


async def test_a_dead_front_panel_stops_feeding(site: Site) -> None:
    site.panel_up = False
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("panel_dead")
    assert site.lane.acts == ["close"]


async def test_a_full_bin_is_asked_again_with_pauses_not_at_wire_speed(site: Site) -> None:
    full = Counted(refusing("bin_full", "HOPPER FULL"), site.news)
    site.lane.before["deliver"] = full
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("bin_full")
        site.worker.wake()  # as the opening of a lid would
        await site.until(lambda: full.times == 2)
        del site.lane.before["deliver"]
        site.worker.wake()
        await site.until(lambda: len(site.results) == 1)
    assert (full.times, site.verdicts) == (2, [Verdict.GOOD])


async def test_rejects_in_a_row_stop_the_lane_until_go(site: Site) -> None:
    await site.load(6)
    for card in list(site.lane.hopper)[:3]:
        card.chip.faults = Faults(dies_at_apdu=0)
    await site.submit(b"a", b"b")
    async with working(site):
        await site.until_waiting_for("rejects_in_row")
        assert site.verdicts == [Verdict.SPOILED] * 3
        site.worker.forgive()
        await site.until(lambda: site.verdicts.count(Verdict.GOOD) == 1)
    assert await site.states() == {JobState.FAILED: 1, JobState.ISSUED: 1}


@pytest.mark.parametrize("level", ["hopper_empty", "bin_full"])
async def test_a_sensor_makes_the_lane_wait_and_go_on(site: Site, level: str) -> None:
    site.lane.sensors.sense(**{level: True})
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for(level)
        site.lane.sensors.sense(**{level: False})
        await site.until(lambda: len(site.results) == 1)


async def test_dead_sensors_stop_feeding(site: Site) -> None:
    site.lane.sensors.lose()
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("pins_dead")
        assert site.lane.acts == []
        site.lane.sensors.restore()
        await site.until(lambda: len(site.results) == 1)


async def test_uncounted_blanks_are_not_fed(site: Site) -> None:
    site.lane.load(5)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("hopper_uncounted")
    assert site.lane.acts == ["close"]


async def test_a_missing_printer_is_waited_for(site: Site) -> None:
    site.lane.present = False
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("printer_absent")
        assert (site.worker.status.printer_up, site.worker.status.detail) == (False, "unplugged")
        site.lane.present = True
        site.worker.wake()
        await site.until(lambda: len(site.results) == 1)


async def test_a_card_found_inside_is_not_touched(site: Site) -> None:
    site.lane.position = CardPosition.PRINT
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("card_inside")
    assert site.lane.acts == ["close"]


async def test_a_beam_that_flickers_does_not_drive_the_motor(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An act that was refused is not asked again before the shortest back-off is over, unless a person says so."""
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (60.0,))
    asked: list[str] = []

    def full() -> None:
        asked.append("deliver")
        if len(asked) == 1:
            raise DeviceRefused("bin_full", "HOPPER FULL")

    site.lane.before["deliver"] = full
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("bin_full")
        await asked_for_nothing(site, asked)
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.GOOD])


async def test_a_feeder_that_jams_each_time_is_asked_ever_more_rarely(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 0.02, 60.0))  # constants, not behaviour
    jam = Counted(refusing("card_jam", "CARD JAM"), site.news)
    site.lane.before["feed"] = jam
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [None, Verdict.STILL_BLANK] * 3)
        await site.until_waiting_for("card_jam")
        site.worker.wake()
        await site.until_waiting_for("card_jam")
    assert jam.times == 3


async def test_a_feeder_that_runs_dry_waits_with_the_job_ready(site: Site) -> None:
    await site.load(1)
    site.lane.hopper.clear()

    def dry() -> None:
        site.lane.sensors.sense(hopper_empty=True)
        raise DeviceRefused("hopper_empty", "FEEDER EMPTY")

    site.lane.before["feed"] = dry
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("hopper_empty")
    assert await site.states() == {JobState.READY: 1}


async def test_a_refused_feed_is_tried_ever_more_rarely(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 0.02, 60.0))  # constants, not behaviour
    refused = Counted(refusing("ribbon_wrong", "ERROR RIBBON TYPE"), site.news)
    site.lane.before["feed"] = refused
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: len(site.results) == 3)
        await site.until_waiting_for("ribbon_wrong")  # for a minute now, and a wake-up asks nothing of the printer
        site.worker.wake()
        await site.until_waiting_for("ribbon_wrong")
        assert refused.times == 3


@pytest.mark.parametrize("condition", sorted(row.code for row in PRINTER.values() if row.clears is Clears.GO))
async def test_a_fault_that_nothing_shows_to_be_gone_holds_the_lane_until_go(
    site: Site, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_calls, "POLL_S", 0.01)
    looks: list[bool] = []

    def looked() -> None:
        looks.append(True)
        site.news.set()

    site.lane.before |= {"print": refusing(condition, "said so"), "witness": looked}
    await site.load(3)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for(condition)
        del site.lane.before["print"]
        looks.clear()
        await site.until(lambda: len(looks) > 3)
        assert (site.verdicts, site.worker.status.condition) == ([Verdict.SPOILED], condition)
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.SPOILED, Verdict.GOOD])


async def test_a_go_that_was_meant_for_hold_answers_no_fault_that_nobody_was_shown(site: Site) -> None:
    def refuse() -> None:
        site.held = True  # somebody presses HOLD while the card is printed
        raise DeviceRefused("print_head", "ERROR HEAD")

    site.lane.before["print"] = refuse
    await site.load(3)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("held_by_operator")
        del site.lane.before["print"]
        for _ in range(2):  # the first GO is for HOLD, the second for the head
            assert site.verdicts == [Verdict.SPOILED]
            site.held = False
            site.worker.forgive()
            await site.until_waiting_for("print_head") if site.worker.status.condition != "print_head" else None
        await site.until(lambda: site.verdicts == [Verdict.SPOILED, Verdict.GOOD])


@pytest.mark.parametrize("condition", ["card_jam", "printer_error", "option_missing"])
async def test_any_other_fault_in_a_print_costs_its_card_and_nobody_has_to_press_anything(site: Site, condition: str) -> None:
    site.lane.before["print"] = refusing(condition, "said so")
    site.lane.before["reject"] = site.lane.before.clear
    await site.load(3)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [Verdict.SPOILED, Verdict.GOOD])
    assert site.results[0].condition == condition


async def test_blanks_that_were_not_counted_stop_the_lane_until_somebody_counted(site: Site) -> None:
    site.lane.after["feed"] = lambda: site.lane.sensors.card_passes(Beam.FEED)
    await site.load(3)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("feed_unproven")
        assert site.verdicts == [Verdict.SPOILED]
        del site.lane.after["feed"]
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.SPOILED, Verdict.GOOD])
