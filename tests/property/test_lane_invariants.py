"""Whatever goes wrong at whichever act: no second good card, no lost job, and a ledger that agrees with the world.

Random troubles are put into random acts of a lane in memory; after each passage a person settles what is unknown by what the
world shows. Then belief is compared with truth.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.jobs import journal, ledger, queue, stages
from controller.jobs.passage import MARKING
from controller.jobs.runner import Claim, Hooks, PassageRunner
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.model import CardPosition, JobState, Verdict
from tests.fakes.chip import Faults
from tests.fakes.lane import FakeLane
from tests.fakes.stock import fill

ACTS = ("feed", "print", "print_and_deliver", "to_chip_station", "deliver", "reject")
ERRORS: tuple[DeviceError, ...] = (
    DeviceAbsent("printer_lost", "x"),
    DeviceRefused("hopper_empty", "x"),
    DeviceRefused("card_jam", "x"),
    DeviceUnknown("printer_late", "x"),
)
Trouble = tuple[str, str, int] | None  # (before or after, act, error)

troubles = st.one_of(
    st.none(), st.tuples(st.sampled_from(("before", "after")), st.sampled_from(ACTS), st.integers(0, len(ERRORS) - 1))
)
chips = st.one_of(st.none(), st.integers(0, 200))  # None: a sound chip; n: power lost after n bytes written
blinds = st.one_of(st.none(), st.sampled_from(ACTS))  # before which act the sensors go blind for a moment


def _patience(lane: FakeLane) -> Callable[[object], Awaitable[bool]]:
    """Tries again twice; at the second time the cause is gone."""
    asked = iter((True, True, False))

    async def try_again(_trouble: object) -> bool:
        lane.before, lane.after = {}, {}
        return next(asked)

    return try_again


async def _one_passage(store: Store, lane: FakeLane, plan: str, trouble: Trouble, torn: int | None, blind: str | None) -> None:
    job = await store.read(queue.next_ready)
    if job is None or not lane.hopper:
        return
    lane.before, lane.after = {}, {}
    lane.hopper[0].chip.faults = Faults(tears_after_bytes=torn)
    if trouble is not None:
        moment, act, number = trouble

        def strike() -> None:
            raise ERRORS[number]

        getattr(lane, moment)[act] = strike
    if blind is not None:
        struck = lane.before.get(blind, lambda: None)

        def lose_sight() -> None:
            lane.sensors.lose()
            lane.sensors.restore()
            struck()

        lane.before[blind] = lose_sight
    hooks = Hooks(lambda _stage, _number: None, lambda _stage, _seconds: None, _patience(lane))
    await PassageRunner(store, lane.trip(), Claim(job.id, "1", plan, "SN1"), 1, hooks).run()
    lane.before, lane.after = {}, {}
    await _settle(store, lane)


async def _settle(store: Store, lane: FakeLane) -> None:
    """A person looks at the lane: an unprinted, unwritten card goes back to the hopper, anything else is spoiled."""
    unknown = await store.read(journal.unknown_in, "1")
    card, lane.inside, lane.position, lane.chip.card = lane.inside, None, CardPosition.NONE, None
    if unknown is None:
        assert card is None, "a card was left inside without a passage that knows it"
        return
    marked = any(stage["name"] in MARKING for stage in await store.read(journal.stages, unknown.id))
    if card is None or marked:
        if card is not None:
            lane.rejected.append(card)
        await store.transact(journal.resolve, unknown.id, Verdict.SPOILED, "person", "looked", 1, MARKING)
    else:
        lane.hopper.append(card)
        await store.transact(journal.resolve, unknown.id, Verdict.STILL_BLANK, "person", "looked", 1, MARKING)


async def _check(store: Store, lane: FakeLane, loaded: int) -> None:
    outside = len(lane.output) + len(lane.rejected)
    assert len(lane.hopper) + outside == loaded
    balance = await store.read(ledger.of_lane, "1")
    never_fed = await store.read(_spoiled_unseen)
    assert balance.passage == 0
    assert len(lane.hopper) - never_fed <= balance.hopper <= len(lane.hopper)
    issued = (await store.read(queue.counts))[JobState.ISSUED]
    good = (await store.read(journal.outcomes))[Verdict.GOOD]
    assert issued == good <= len(lane.output)
    assert all(card.prints <= 1 for card in (*lane.output, *lane.rejected)), "a card was printed over"


def _spoiled_unseen(db: sqlite3.Connection) -> int:
    """Passages declared spoiled of which no chip was ever read: the person may have been wrong about the hopper by one each."""
    count: int = db.execute("SELECT count(*) FROM passage WHERE verdict = 'spoiled' AND chip_uid IS NULL").fetchone()[0]
    return count


async def _run(plan: str, passages: list[tuple[Trouble, int | None, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, lane = await Store.open(Path(folder) / "state"), FakeLane()
        spool = Spool(Path(folder) / "spool", 0)
        try:
            lane.load(20)
            await store.transact(fill, "1", 20)
            for number in range(4):
                await store.transact(queue.accept, spool, f"d{number}", f"r{number}", f"{number}".encode())
            for trouble, torn, blind in passages:
                await _one_passage(store, lane, plan, trouble, torn, blind)
            await _check(store, lane, 20)
        finally:
            await store.close()


@pytest.mark.parametrize("plan", ["held", "ejecting"])
@settings(max_examples=60, deadline=None)
@given(passages=st.lists(st.tuples(troubles, chips, blinds), min_size=1, max_size=6))
def test_belief_never_contradicts_the_world(plan: str, passages: list[tuple[Trouble, int | None, str | None]]) -> None:
    stages.BEAM_WAIT_S = 0.01  # a constant, not behaviour
    asyncio.run(_run(plan, passages))
