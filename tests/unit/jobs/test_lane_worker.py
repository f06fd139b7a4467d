"""The lane's work in memory: what makes it wait, what makes it go on, and that it finishes the card in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.conditions import Clears
from controller.conditions.printer import PRINTER
from controller.errors import DeviceError, DeviceRefused, DeviceUnknown, Problem, RendererFailed, RenderError
from controller.jobs import (
    care_acts,
    incidents,
    journal,
    lane_calls,
    lane_doubts,
    lane_report,
    lane_rescue,
    ledger,
    questions,
    queue,
    stages,
)
from controller.jobs.care_acts import Kind
from controller.jobs.evidence import Look
from controller.jobs.journal import Claim
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.pace import Rule
from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.model import Balance, Beam, CardPosition, JobState, LaneStatus, Panel, PrinterCare, Verdict
from tests.fakes.chip import Faults
from tests.fakes.lane import FILES, PANELS, FakeLane
from tests.fakes.stock import fill

LIMIT_S = 20.0  # generous: only a broken test waits so long


class Artist:
    """Draws nothing; finds fault with the records whose content is named, and breaks when told to."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []
        self.undrawable = b""
        self.crashes_on: set[bytes] = set()
        self.on_render: Callable[[], None] = lambda: None

    async def render(self, record_path: Path, out_path: Path) -> None:
        content = record_path.read_bytes()
        self.on_render()
        if content == self.undrawable:
            raise RenderError(Problem("face.too_long", "person.name", "Nama terlalu panjang.", "The name is too long."))
        if content in self.crashes_on:
            raise RendererFailed(Problem("render.crashed", "", "Penggambar mati.", "The renderer died."))
        self.drawn.append(content)
        out_path.write_bytes(content)


@dataclass(frozen=True)
class Ribbon:
    """A ribbon type, as far as the lane looks at it."""

    panels: tuple[str, ...]
    back_panels: tuple[str, ...] = ()


@dataclass
class Site:
    """One lane at work."""

    store: Store
    spool: Spool
    lane: FakeLane
    artist: Artist
    taken: set[int] = field(default_factory=set)
    held: bool = False
    panel_up: bool = True
    statuses: list[LaneStatus] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    panels: list[Panel] = field(default_factory=lambda: PANELS)
    workshop: Workshop = field(init=False)
    worker: LaneWorker = field(init=False)

    def __post_init__(self) -> None:
        folder = self.spool.folder.parent / "rendered"
        self.workshop = Workshop(
            self.store, self.spool, self.artist, folder, lambda _path: self.panels, lambda _record: FILES, self.taken
        )
        self.worker = self.build()

    def build(self, **changes: Any) -> LaneWorker:
        """A worker with this policy; the devices are those of the lane as they are now."""
        links = LaneLinks(
            is_held=lambda: self.held,
            panel_up=lambda: self.panel_up,
            status=self._status,
            stage_took=lambda _stage, _seconds: None,
            passage_over=self._over,
            ruled=self.rulings.append,
        )
        policy = LanePolicy("held", ejects_at_power_on=False, reader="reader 1", max_remakes=1, max_rejects_in_row=3)
        worker = LaneWorker("1", self.lane.devices, self.store, self.spool, self.workshop, replace(policy, **changes), links)
        self.lane.sensors.on_change(lambda: self.worker.wake())
        return worker

    async def submit(self, *names: bytes) -> None:
        for name in names:
            await self.store.transact(queue.accept, self.spool, f"digest-{name!r}", name.decode(), name)
        self.worker.wake()

    async def load(self, count: int) -> None:
        self.lane.load(count)
        await self.store.transact(fill, "1", count)
        self.worker.wake()

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not seen():
                self.news.clear()
                await self.news.wait()

    async def until_waiting_for(self, condition: str) -> None:
        await self.until(lambda: self.worker.status.condition == condition)

    async def states(self) -> dict[JobState, int]:
        return {state: count for state, count in (await self.store.read(queue.counts)).items() if count}

    @property
    def verdicts(self) -> list[Verdict | None]:
        return [result.verdict for result in self.results]

    def _status(self, status: LaneStatus) -> None:
        self.statuses.append(status)
        self.news.set()

    def _over(self, result: Result) -> None:
        self.results.append(result)
        self.news.set()


@pytest.fixture
async def site(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(stages, "BEAM_WAIT_S", 0.01)  # constants, not behaviour: no test should wait 3 s for a beam,
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 1.0, 2.0))  # nor a second for each cause to go away
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (0.01, 0.02, 0.05))
    return Site(store, spool, FakeLane(), Artist())


@asynccontextmanager
async def working(site: Site) -> AsyncIterator[None]:
    """The worker runs while the block does, then is told to stop and must end by itself."""
    running = asyncio.create_task(site.worker.run())
    try:
        yield
    finally:
        site.worker.stop()
        await asyncio.wait_for(running, LIMIT_S)


async def test_jobs_are_issued_in_order_of_arrival(site: Site) -> None:
    await site.load(5)
    await site.submit(b"a", b"b", b"c")
    async with working(site):
        await site.until(lambda: len(site.results) == 3)
    assert site.artist.drawn == [b"a", b"b", b"c"]
    assert await site.states() == {JobState.ISSUED: 3}
    assert len(site.lane.output) == 3


async def test_the_next_face_is_drawn_while_a_card_is_made(site: Site) -> None:
    await site.load(2)
    await site.submit(b"a", b"b")
    drawn_at_print: list[int] = []
    site.lane.before["deliver"] = lambda: drawn_at_print.append(len(site.artist.drawn))
    async with working(site):
        await site.until(lambda: len(site.results) == 2)
    assert drawn_at_print[0] == 2


async def test_an_undrawable_face_is_held_and_costs_no_blank(site: Site) -> None:
    site.artist.undrawable = b"long"
    await site.load(2)
    await site.submit(b"long", b"fine")
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
    assert await site.states() == {JobState.HELD: 1, JobState.ISSUED: 1}
    held = await site.store.read(queue.find, 1)
    assert held.why == Problem("face.too_long", "", "Nama terlalu panjang.", "The name is too long.")


async def test_a_lost_payload_is_held_and_the_lane_goes_on(site: Site) -> None:
    await site.load(2)
    await site.submit(b"lost", b"fine")
    site.spool.path((await site.store.read(queue.find, 1)).payload).unlink()
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
    held = await site.store.read(queue.find, 1)
    assert held.why is not None
    assert (held.state, held.why.code) == (JobState.HELD, "payload_lost")


async def test_a_broken_renderer_holds_no_job_and_the_lane_says_so(site: Site) -> None:
    site.artist.crashes_on = {b"a", b"b", b"c"}
    await site.load(2)
    await site.submit(b"a", b"b", b"c")
    async with working(site):
        await site.until_waiting_for("renderer_failed")
        assert await site.states() == {JobState.READY: 3}
        site.artist.crashes_on = set()
        site.worker.forgive()
        await site.until(lambda: len(site.results) == 2)
    assert (await site.states())[JobState.ISSUED] == 2


async def test_a_record_that_breaks_the_renderer_where_others_do_not_is_held(site: Site) -> None:
    site.artist.crashes_on = {b"poison"}
    await site.load(2)
    await site.submit(b"poison", b"fine")
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
    assert await site.states() == {JobState.HELD: 1, JobState.ISSUED: 1}


async def test_drawn_faces_do_not_stay_on_disk(site: Site) -> None:
    await site.load(1)
    await site.submit(b"a", b"b")
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
    assert list((site.spool.folder.parent / "rendered").iterdir()) == []


async def test_what_changes_while_a_face_is_drawn_is_seen_before_the_feed(site: Site) -> None:
    site.artist.on_render = lambda: site.lane.sensors.sense(bin_full=True)
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("bin_full")
    assert site.lane.acts == ["close"]


async def test_a_lane_that_cannot_work_gives_its_job_to_another(site: Site) -> None:
    site.artist.on_render = site.lane.sensors.lose
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("pins_dead")
        site.worker.wake()
        await site.until(lambda: not site.taken)


async def test_a_dead_front_panel_stops_feeding(site: Site) -> None:
    site.panel_up = False
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("panel_dead")
    assert site.lane.acts == ["close"]


async def test_a_full_bin_is_asked_again_with_pauses_not_at_wire_speed(site: Site) -> None:
    asked = 0

    def full() -> None:
        nonlocal asked
        asked += 1
        site.news.set()
        raise DeviceRefused("bin_full", "HOPPER FULL")

    site.lane.before["deliver"] = full
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("bin_full")
        site.worker.wake()  # as the opening of a lid would
        await site.until(lambda: asked == 2)
        del site.lane.before["deliver"]
        site.worker.wake()
        await site.until(lambda: len(site.results) == 1)
    assert (asked, site.verdicts) == (2, [Verdict.GOOD])


async def test_a_dead_chip_costs_one_blank_and_the_job_is_made_again_once(site: Site) -> None:
    await site.load(2)
    site.lane.hopper[0].chip.faults = Faults(dies_at_apdu=0)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: len(site.results) == 2)
    assert site.verdicts == [Verdict.SPOILED, Verdict.GOOD]


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


async def test_hold_feeds_no_more_and_go_goes_on(site: Site) -> None:
    site.held = True
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until_waiting_for("held_by_operator")
        assert site.lane.acts == []
        site.held = False
        site.worker.wake()
        await site.until(lambda: len(site.results) == 1)


async def test_a_stop_finishes_the_card_in_hand(site: Site) -> None:
    await site.load(3)
    await site.submit(b"a", b"b")
    site.lane.before["print"] = site.worker.stop
    async with working(site):
        await site.until(lambda: site.worker.status.activity == "stopped")
    assert await site.states() == {JobState.ISSUED: 1, JobState.READY: 1}


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


def _raises(error: DeviceError) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


def _once(site: Site, act: str, trouble: Callable[[], None]) -> None:
    """The trouble strikes the first such act only."""

    def strike() -> None:
        del site.lane.before[act]
        trouble()

    site.lane.before[act] = strike


async def test_a_print_that_cannot_be_proven_is_thrown_out_and_the_card_made_again(site: Site) -> None:
    await site.load(3)
    await site.submit(b"a")
    _once(site, "print", _raises(DeviceUnknown("printer_late", "no reply")))
    async with working(site):
        await site.until(lambda: site.verdicts == [None, Verdict.SPOILED, Verdict.GOOD])
    assert [ruling.row for ruling in site.rulings] == ["face doubtful"]
    assert (len(site.lane.rejected), len(site.lane.output), site.lane.output[0].prints) == (1, 1, 1)


async def test_cards_that_recovery_throws_out_count_as_rejects_in_a_row(site: Site) -> None:
    await site.load(6)
    await site.submit(b"a", b"b")
    site.lane.before["print"] = _raises(DeviceUnknown("printer_late", "no reply"))
    async with working(site):
        await site.until_waiting_for("rejects_in_row")
        assert site.verdicts == [None, Verdict.SPOILED] * 3
        del site.lane.before["print"]
        site.worker.forgive()
        await site.until(lambda: Verdict.GOOD in site.verdicts)


async def _asked_for_nothing(site: Site, looks: list[str]) -> None:
    """The worker had every chance to look, and did not."""
    seen = len(looks)
    for _ in range(20):
        site.worker.wake()  # as a sensor does, or another card's answer
        await site.store.read(lambda _db: None)
    assert len(looks) == seen


async def test_only_a_person_cuts_the_rest_between_two_rescues_short(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may move the card: a sensor that flickers must not bring on the next."""
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (60.0,))
    await _lose_reader_at_check(site)
    looks: list[str] = []
    async with working(site):
        await site.until_waiting_for("pcsc_absent")
        site.lane.chip.absent = ""
        site.lane.at = lambda point: looks.append(point)
        await _asked_for_nothing(site, looks)
        site.worker.forgive()
        await site.until(lambda: Verdict.GOOD in site.verdicts)


async def test_a_stop_does_not_wait_for_the_rest_between_two_rescues(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (60.0,))
    await _lose_reader_at_check(site)
    async with working(site):
        await site.until_waiting_for("pcsc_absent")
    assert site.worker.status.activity == "stopped"


async def _lose_reader_at_check(site: Site) -> None:
    await site.load(2)
    await site.submit(b"a")

    def kill_pcscd() -> None:
        del site.lane.before["to_chip_station"]
        site.lane.chip.absent = "pcsc_absent"

    site.lane.before["to_chip_station"] = kill_pcscd


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
        await _asked_for_nothing(site, asked)
        site.worker.forgive()
        await site.until(lambda: site.verdicts == [Verdict.GOOD])


async def test_a_lost_reader_is_waited_for_and_the_card_goes_on(site: Site) -> None:
    await _lose_reader_at_check(site)
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

    _once(site, "print", gone)
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

    _once(site, "print", blind)
    async with working(site):
        await site.until_waiting_for("pins_dead")
        assert site.lane.acts == ["feed", "print"]
        site.lane.sensors.restore()
        await site.until(lambda: site.verdicts == [None, Verdict.SPOILED, Verdict.GOOD])


async def test_a_feeder_that_jams_each_time_is_asked_ever_more_rarely(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 0.02, 60.0))  # constants, not behaviour
    asked = 0

    def jam() -> None:
        nonlocal asked
        asked += 1
        raise DeviceRefused("card_jam", "CARD JAM")

    site.lane.before["feed"] = jam
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: site.verdicts == [None, Verdict.STILL_BLANK] * 3)
        await site.until_waiting_for("card_jam")
        site.worker.wake()
        await site.until_waiting_for("card_jam")
    assert asked == 3


async def test_a_cancelled_job_is_skipped_even_when_it_was_prepared(site: Site) -> None:
    site.held = True
    await site.load(2)
    await site.submit(b"a", b"b")
    async with working(site):
        await site.until_waiting_for("held_by_operator")
        await site.store.transact(queue.cancel, 1, "ani", "test")
        site.held = False
        site.worker.wake()
        await site.until(lambda: len(site.results) >= 1 and site.results[-1].verdict is Verdict.GOOD)
    assert await site.states() == {JobState.CANCELLED: 1, JobState.ISSUED: 1}


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


async def test_a_journal_that_cannot_be_written_stops_the_lane(site: Site) -> None:
    await site.load(1)
    await site.submit(b"a")
    trigger = "CREATE TRIGGER broken BEFORE INSERT ON stage BEGIN SELECT RAISE(ABORT, 'disk'); END"
    await site.store.read(lambda db: db.execute(trigger))
    with pytest.raises(ExceptionGroup) as group:
        await site.worker.run()
    assert "disk" in str(group.value.exceptions[0])
    assert site.lane.acts == ["close"]


async def test_a_lane_that_reports_is_alive(site: Site) -> None:
    async with working(site):
        await site.until_waiting_for("hopper_uncounted")
        assert site.worker.alive


async def test_a_refused_feed_is_tried_ever_more_rarely(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 0.02, 60.0))  # constants, not behaviour
    asked = 0

    def wrong_ribbon() -> None:
        nonlocal asked
        asked += 1
        raise DeviceRefused("ribbon_wrong", "ERROR RIBBON TYPE")

    site.lane.before["feed"] = wrong_ribbon
    await site.load(1)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: len(site.results) == 3)
        await site.until_waiting_for("ribbon_wrong")  # for a minute now, and a wake-up asks nothing of the printer
        site.worker.wake()
        await site.until_waiting_for("ribbon_wrong")
        assert asked == 3


@pytest.mark.parametrize("condition", sorted(row.code for row in PRINTER.values() if row.clears is Clears.GO))
async def test_a_fault_that_nothing_shows_to_be_gone_holds_the_lane_until_go(
    site: Site, condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_calls, "POLL_S", 0.01)
    looks: list[bool] = []

    def looked() -> None:
        looks.append(True)
        site.news.set()

    site.lane.before |= {"print": _refuse(condition, "said so"), "witness": looked}
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


async def test_a_fault_that_was_met_while_a_card_was_settled_holds_the_lane_until_go(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (0.01,))
    faults: list[Callable[[], None]] = []

    def break_off() -> None:
        faults.append(_refuse("printer_hardware", "ERROR UNKNOW"))
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


async def test_a_test_card_that_meets_a_broken_head_holds_the_lane_until_go(site: Site) -> None:
    site.lane.before["print_test_card"] = _refuse("print_head", "Stt: ERROR HEAD")
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
    tries = 0

    def gone() -> None:
        nonlocal tries
        tries += 1
        site.news.set()
        raise DeviceUnknown("printer_lost", "pulled")

    await site.load(2)
    await site.store.transact(care_acts.ask, "1", Kind.TEST_CARD, "ani", "pale cards")
    site.lane.before["print_test_card"] = lambda: site.lane.before.update(witness=gone) or gone()  # type: ignore[func-returns-value]  # both
    async with working(site):
        await site.until(lambda: tries > 4)
    said = [status.condition for status in site.statuses if status.activity == "test card"]
    assert (said, site.worker.status.printer_up) == ([None, "printer_lost"], False)


@pytest.mark.parametrize("condition", ["card_jam", "printer_error", "option_missing"])
async def test_any_other_fault_in_a_print_costs_its_card_and_nobody_has_to_press_anything(site: Site, condition: str) -> None:
    site.lane.before["print"] = _refuse(condition, "said so")
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


async def test_a_renderer_that_failed_once_holds_nothing(site: Site) -> None:
    site.artist.crashes_on = {b"a"}
    site.artist.on_render = lambda: site.artist.crashes_on.discard(b"a") if site.artist.drawn else None
    await site.load(3)
    await site.submit(b"a", b"b")
    async with working(site):
        await site.until(lambda: len(site.results) == 2)
    assert await site.states() == {JobState.ISSUED: 2}


async def test_a_full_disk_while_the_next_job_is_put_aside_does_not_hurt_the_card_in_hand(site: Site) -> None:
    site.artist.undrawable = b"long"
    await site.load(2)
    await site.submit(b"fine", b"long")
    trigger = "CREATE TRIGGER full BEFORE UPDATE ON job WHEN NEW.state = 'held' BEGIN SELECT RAISE(ABORT, 'disk'); END"
    await site.store.read(lambda db: db.execute(trigger))
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
        await site.until_waiting_for("store_failed")
    assert (await site.states(), site.taken) == ({JobState.ISSUED: 1, JobState.READY: 1}, set())


async def test_a_stopped_lane_never_counts_as_dead(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_report, "SILENCE_S", 0.0)  # a constant, not behaviour: a lane at work is late at once
    async with working(site):
        await site.until_waiting_for("hopper_uncounted")
        assert not site.worker.alive
    assert site.worker.alive


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
    site.lane.before["feed"] = _refuse("cleaning_due", "Sic: NEED CLEANING")
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


def _refuse(condition: str, detail: str) -> Callable[[], None]:
    def fail() -> None:
        raise DeviceRefused(condition, detail)

    return fail
