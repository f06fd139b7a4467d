"""How a lane settles what was interrupted before it feeds again, and how rarely it tries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.errors import DeviceUnknown
from controller.jobs import (
    journal,
    lane_rescue,
    questions,
)
from controller.jobs.evidence import Look
from controller.jobs.journal import Claim
from controller.model import CardPosition, JobState, Verdict
from tests.fakes.working_lane import Site, asked_for_nothing, once, raising, refusing, working


async def test_cards_that_recovery_throws_out_count_as_rejects_in_a_row(site: Site) -> None:
    await site.load(6)
    await site.submit(b"a", b"b")
    site.lane.before["print"] = raising(DeviceUnknown("printer_late", "no reply"))
    async with working(site):
        await site.until_waiting_for("rejects_in_row")
        assert site.verdicts == [None, Verdict.SPOILED] * 3
        del site.lane.before["print"]
        site.worker.forgive()
        await site.until(lambda: Verdict.GOOD in site.verdicts)


async def test_only_a_person_cuts_the_rest_between_two_rescues_short(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may move the card: a sensor that flickers must not bring on the next."""
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (60.0,))
    await lose_reader_at_check(site)
    looks: list[str] = []
    async with working(site):
        await site.until_waiting_for("pcsc_absent")
        site.lane.chip.absent = ""
        site.lane.at = lambda point: looks.append(point)
        await asked_for_nothing(site, looks)
        site.worker.forgive()
        await site.until(lambda: Verdict.GOOD in site.verdicts)


async def test_a_stop_does_not_wait_for_the_rest_between_two_rescues(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (60.0,))
    await lose_reader_at_check(site)
    async with working(site):
        await site.until_waiting_for("pcsc_absent")
    assert site.worker.status.activity == "stopped"


async def lose_reader_at_check(site: Site) -> None:
    await site.load(2)
    await site.submit(b"a")

    def kill_pcscd() -> None:
        del site.lane.before["to_chip_station"]
        site.lane.chip.absent = "pcsc_absent"

    site.lane.before["to_chip_station"] = kill_pcscd


async def test_a_lost_reader_is_waited_for_and_the_card_goes_on(site: Site) -> None:
    await lose_reader_at_check(site)
    async with working(site):
        await site.until_waiting_for("pcsc_absent")
        assert site.worker.status.activity == "recover"
        site.lane.chip.absent = ""
        site.worker.wake()
        await site.until(lambda: site.verdicts[-1:] == [Verdict.GOOD])
    assert [ruling.row for ruling in site.rulings] == ["face whole"]
    assert (len(site.lane.output), site.lane.rejected) == (1, [])


async def test_a_card_that_left_unseen_is_asked_for_and_an_answer_lets_the_lane_go_on(site: Site) -> None:
    await site.load(3)
    await site.submit(b"a", b"b")

    def gone() -> None:
        site.lane.inside = None
        site.lane.position = CardPosition.NONE
        raise DeviceUnknown("printer_lost", "power")

    once(site, "print", gone)
    async with working(site):
        await site.until_waiting_for("ask_desk")
        assert site.worker.status.passage_id == 1
        assert site.lane.acts == ["feed", "print"]  # nothing is fed while a card is asked for
        await site.store.transact(questions.look, 1, Look.SPOILED, "budi", "torn", 1)
        site.worker.wake()
        await site.until(lambda: site.verdicts.count(Verdict.GOOD) == 1)
    assert await site.states() == {JobState.FAILED: 1, JobState.ISSUED: 1}  # it may be a whole card: nobody read it


async def test_an_interrupted_passage_is_settled_at_start_before_anything_is_fed(site: Site) -> None:
    await site.load(2)
    await site.submit(b"a")
    await site.store.transact(journal.begin, Claim(1, "1", "held", "SN1", "reader 1"), "feed", {"cards_fed": 100})
    await site.store.transact(journal.suspect_all)
    async with working(site):
        await site.until(lambda: site.verdicts == [Verdict.STILL_BLANK, Verdict.GOOD])
    assert [ruling.row for ruling in site.rulings] == ["not fed"]


@pytest.mark.parametrize(("serial", "reader"), [("SN2", "reader 1"), ("SN1", "reader 2")])
async def test_a_passage_of_other_devices_waits_for_a_person(site: Site, serial: str, reader: str) -> None:
    await site.load(2)
    await site.submit(b"a")
    await site.store.transact(journal.begin, Claim(1, "1", "held", serial, reader), "feed", {"cards_fed": 100})
    await site.store.transact(journal.suspect_all)
    async with working(site):
        await site.until_waiting_for("ask_desk")
    assert [ruling.row for ruling in site.rulings] == ["other devices"]
    assert site.lane.acts == ["close"]


async def test_nothing_is_settled_while_the_sensors_are_blind(site: Site) -> None:
    await site.load(2)
    await site.submit(b"a")

    def blind() -> None:
        site.lane.sensors.lose()
        raise DeviceUnknown("printer_late", "no reply")

    once(site, "print", blind)
    async with working(site):
        await site.until_waiting_for("pins_dead")
        assert site.lane.acts == ["feed", "print"]
        site.lane.sensors.restore()
        await site.until(lambda: site.verdicts == [None, Verdict.SPOILED, Verdict.GOOD])


async def test_a_fault_that_was_met_while_a_card_was_settled_holds_the_lane_until_go(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (0.01,))
    faults: list[Callable[[], None]] = []

    def break_off() -> None:
        faults.append(refusing("printer_hardware", "ERROR UNKNOW"))
        raise DeviceUnknown("printer_late", "no reply")

    site.lane.before["print"] = break_off
    site.lane.before["reject"] = site.lane.before.clear
    site.lane.at = lambda point: faults.pop()() if faults and point == "open" else None
    await site.load(3)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [None, Verdict.SPOILED])
        await site.until(lambda: (site.worker.status.activity, site.worker.status.condition) == ("waiting", "printer_hardware"))
        site.worker.forgive()
        await site.until(lambda: Verdict.GOOD in site.verdicts)
