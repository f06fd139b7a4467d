"""The lane's work in memory: jobs in their order, faces drawn ahead, and that it finishes the card in hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controller.errors import DeviceUnknown, Problem, RecordRefused
from controller.jobs import (
    lane_report,
    queue,
)
from controller.model import ChipFile, JobState, Verdict
from controller.records.refusals import problem
from tests.fakes.chip import Faults
from tests.fakes.lane import FILES
from tests.fakes.working_lane import Site, once, raising, working


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


async def test_contents_that_the_chips_no_longer_take_are_held_and_cost_no_blank(site: Site) -> None:
    def judged(record: bytes) -> Sequence[ChipFile]:
        if record == b"old key":
            raise RecordRefused([problem("chip.signature", "chip.6FF6")])
        return FILES

    site.contents = judged
    await site.load(2)
    await site.submit(b"old key", b"fine")
    async with working(site):
        await site.until(lambda: len(site.results) == 1)
    held = await site.store.read(queue.find, 1)
    assert (held.state, held.why) == (JobState.HELD, problem("chip.signature"))
    assert (len(site.lane.output), len(site.lane.hopper), site.lane.rejected) == (1, 1, [])


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


async def test_a_dead_chip_costs_one_blank_and_the_job_is_made_again_once(site: Site) -> None:
    await site.load(2)
    site.lane.hopper[0].chip.faults = Faults(dies_at_apdu=0)
    await site.submit(b"a")
    async with working(site):
        await site.until(lambda: len(site.results) == 2)
    assert site.verdicts == [Verdict.SPOILED, Verdict.GOOD]


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


async def test_a_print_that_cannot_be_proven_is_thrown_out_and_the_card_made_again(site: Site) -> None:
    await site.load(3)
    await site.submit(b"a")
    once(site, "print", raising(DeviceUnknown("printer_late", "no reply")))
    async with working(site):
        await site.until(lambda: site.verdicts == [None, Verdict.SPOILED, Verdict.GOOD])
    assert [ruling.row for ruling in site.rulings] == ["face doubtful"]
    assert (len(site.lane.rejected), len(site.lane.output), site.lane.output[0].prints) == (1, 1, 1)


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
