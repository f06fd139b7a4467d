"""The lane between cards: cleaning, test cards, rests and ribbons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.errors import DeviceUnknown
from controller.jobs import care_acts, incidents, lane_calls, ledger
from controller.jobs.care_acts import Kind
from controller.jobs.pace import Rule
from controller.model import Balance, JobState, Panel, PrinterCare, Verdict
from tests.fakes.lane import PANELS
from tests.fakes.working_lane import Counted, Ribbon, Site, raising, refusing, working


async def test_a_test_card_that_meets_a_broken_head_holds_the_lane_until_go(site: Site) -> None:
    site.lane.before["print_test_card"] = refusing("print_head", "Stt: ERROR HEAD")
    await site.load(2)
    await site.store.transact(care_acts.ask, "1", Kind.TEST_CARD, "ani", "pale cards")
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: (site.worker.status.activity, site.worker.status.condition) == ("waiting", "print_head"))
        assert site.results == []
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.GOOD])


async def test_what_keeps_an_act_from_being_settled_is_said_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_calls, "POLL_S", 0.01)
    gone = Counted(raising(DeviceUnknown("printer_lost", "pulled")), site.news)

    def pulled() -> None:
        site.lane.before["witness"] = gone
        gone()

    await site.load(2)
    await site.store.transact(care_acts.ask, "1", Kind.TEST_CARD, "ani", "pale cards")
    site.lane.before["print_test_card"] = pulled
    async with working(site):
        await site.until(lambda: gone.times > 4)
    said = [status.condition for status in site.statuses if status.activity == "test card"]
    assert (said, site.worker.status.printer_up) == ([None, "printer_lost"], False)


async def test_what_a_person_asked_of_the_printer_is_done_between_cards_while_the_lane_is_held(site: Site) -> None:
    await site.load(2)
    site.held = True
    async with working(site):
        await site.until_waiting_for("held_by_operator")
        number = await site.store.transact(care_acts.ask, "1", Kind.TEST_CARD, "ani", "pale cards")
        site.worker.wake()
        await site.until(lambda: len(site.lane.output) == 1)
        await site.until(lambda: site.worker.status.activity == "waiting")
    act = await site.store.read(care_acts.find, number)
    assert (act.outcome, "test card" in {status.activity for status in site.statuses}) == ("done", True)
    assert not [row.kind for row in await site.store.read(incidents.open_incidents) if row.kind != "ribbon_unrecorded"]


async def test_cards_and_test_cards_add_up_with_the_printers_counter(site: Site) -> None:
    await site.load(4)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
        await site.store.transact(care_acts.ask, "1", Kind.TEST_CARD, "ani", "pale cards")
        await site.submit(b"b")
        await site.until(lambda: len(site.results) == 2)
    assert (len(site.lane.output), await site.store.read(ledger.of_lane, "1")) == (3, Balance(1, 0, 1))
    assert not [row.detail for row in await site.store.read(incidents.open_incidents) if row.kind != "ribbon_unrecorded"]


async def test_a_printer_that_wants_to_be_cleaned_first_costs_no_blank_and_waits_for_it(site: Site) -> None:
    await site.load(2)
    site.lane.upkeep, site.lane.clean_every = PrinterCare(0), 500
    site.lane.before["feed"] = refusing("cleaning_due", "Sic: NEED CLEANING")
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [Verdict.STILL_BLANK])
        await site.until_waiting_for("cleaning_due")
        del site.lane.before["feed"]
        await site.store.transact(care_acts.ask, "1", Kind.CLEAN, "ani", "due")
        site.worker.wake()
        await site.until(lambda: site.verdicts == [Verdict.STILL_BLANK, Verdict.GOOD])
    assert site.lane.acts.index("clean") < len(site.lane.acts) - 1


async def test_a_printer_whose_cleaning_is_due_prints_on_and_says_so(site: Site) -> None:
    await site.load(1)
    site.lane.upkeep = PrinterCare(-3)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [Verdict.GOOD])
    assert (site.worker.status.asks, site.worker.status.cards_until_cleaning) == (("cleaning_due",), -3)


async def test_after_so_many_cards_the_lane_rests_and_goes_on_by_itself(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_calls, "POLL_S", 0.01)
    site.worker = site.build(cool_down=Rule(cards=2, rest_s=0.3))
    await site.load(3)
    await site.submit(b"a", b"b", b"c")
    async with working(site):
        await site.until_waiting_for("cool_down")
        assert (len(site.results), site.worker.status.detail) == (2, "5 s")
        await site.until(lambda: len(site.results) == 3)


async def test_a_ribbon_that_cannot_print_the_job_feeds_nothing_and_says_what_is_wanted(site: Site) -> None:
    site.lane.devices = replace(site.lane.devices, ribbon=Ribbon(("k", "o")))
    site.worker = site.build(ribbon="ko")
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("ribbon_wrong")
        await site.until(lambda: site.worker.status.detail == "ko")
    assert (site.results, site.lane.acts) == ([], ["close"])
    assert await site.states() == {JobState.READY: 1}


async def test_a_card_of_two_sides_is_not_started_with_one_set_left(site: Site) -> None:
    site.lane.devices, site.lane.ribbon = replace(site.lane.devices, ribbon=Ribbon(tuple("ymcko"))), 1
    site.panels = [*PANELS, Panel("k", 2, b"back", "hash-back", side="back")]
    site.worker = site.build(ribbon="ymcko")
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("ribbon_end")
        assert (site.results, len(site.lane.hopper)) == ([], 1)
        assert site.worker.status.detail == "ymcko: 1"
        site.worker.wake()
        await site.store.read(lambda _db: None)
        assert site.worker.status.detail == "ymcko: 1"
        site.lane.ribbon = 2
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.GOOD])
    assert await site.store.read(ledger.held, ledger.RIBBON_USED) == 2
