"""Whatever goes wrong at whichever act: no second good card, no lost job, and a ledger that agrees with the world.

Random troubles are put into random acts of a lane in memory; after each passage recovery settles what is unknown, and a person
answers what it asks by what can be seen. Then belief is compared with truth.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.jobs import journal, ledger, questions, queue, stages
from controller.jobs.journal import Claim
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import Rescue
from controller.jobs.runner import Hooks, PassageRunner, Result
from controller.jobs.spool import Spool
from controller.jobs.stages import Before
from controller.jobs.store import Store
from controller.jobs.workshop import Workshop
from controller.model import JobState, Verdict
from tests.crash.person import Person
from tests.crash.station import Painter
from tests.fakes.chip import Faults
from tests.fakes.lane import FILES, PANELS, FakeLane
from tests.fakes.stock import fill

ACTS = ("feed", "print", "print_and_deliver", "to_chip_station", "deliver", "reject")
ERRORS: tuple[DeviceError, ...] = (
    DeviceRefused("hopper_empty", "x"),
    DeviceRefused("card_jam", "x"),
    DeviceUnknown("printer_late", "x"),
    DeviceAbsent("printer_lost", "x"),  # only before an act: it means that nothing was sent
)
Trouble = tuple[str, str, int] | None  # (before or after, act, error)

troubles = st.one_of(
    st.none(),
    st.tuples(st.just("before"), st.sampled_from(ACTS), st.integers(0, len(ERRORS) - 1)),
    st.tuples(st.just("after"), st.sampled_from(ACTS), st.integers(0, len(ERRORS) - 2)),
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


@dataclass
class _Site:
    """One lane, its jobs, and the person in front of it."""

    store: Store
    spool: Spool
    lane: FakeLane
    plan: str
    ejects: bool

    def __post_init__(self) -> None:
        self.person = Person(self)
        recovery = Recovery(self.store, self.lane.devices, "reader 1", ejects=self.ejects)
        workshop = Workshop(self.store, self.spool, Painter(), self.spool.folder.parent / "rendered", lambda _path: PANELS,
                            lambda _record: FILES, set())  # fmt: skip
        self._rescue = Rescue(self.store, recovery, self.lane.devices, workshop, 1, "refuse", lambda _ruling: None)

    async def one_passage(self, trouble: Trouble, torn: int | None, blind: str | None) -> None:
        """Run the next job's passage into its trouble, and settle it."""
        job = await self.store.read(queue.next_ready)
        if job is None or not self.lane.hopper:
            return
        self._prepare(trouble, torn, blind)
        claim = Claim(job.id, "1", self.plan, "SN1", "reader 1")
        result = await PassageRunner(self.store, self.lane.trip(), 1, self._hooks()).run(claim)
        self.lane.before, self.lane.after = {}, {}
        await self._settle(result)

    def _prepare(self, trouble: Trouble, torn: int | None, blind: str | None) -> None:
        lane = self.lane
        lane.before, lane.after, lane.opened = {}, {}, True
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

    def _hooks(self) -> Hooks:
        return Hooks(lambda _stage, _number: None, lambda _stage, _seconds: None, _patience(self.lane))

    async def _settle(self, result: Result) -> None:
        since: Before | None = result.before
        for _ in range(5):  # far more than a lane without trouble needs
            unsettled = await self.store.read(questions.unsettled, "1")
            if unsettled is None:
                self.person.look_round()
                return
            passage, asked = unsettled
            if asked is not None:
                await self.person.answer(self.store)
                continue
            found = await self._rescue.attempt(passage, since, self._hooks())
            since = found.before if isinstance(found, Result) else since
        raise AssertionError("a passage stays unsettled although nothing is in the way")


async def _check(site: _Site, loaded: int) -> None:
    store, lane = site.store, site.lane
    assert lane.inside is None, "a card was left inside without a passage that knows it"
    assert len(lane.hopper) + len(lane.output) + len(lane.rejected) == loaded
    balance, issued = await store.read(ledger.of_lane, "1"), await store.read(ledger.held, ledger.ISSUED)
    assert (balance.passage, balance.hopper, balance.reject) == (0, len(lane.hopper), len(lane.rejected))
    jobs, outcomes = await store.read(queue.counts), await store.read(journal.outcomes)
    rows = await store.read(lambda db: db.execute("SELECT verdict FROM passage WHERE state = 'ended'").fetchall())
    assert Counter(row[0] for row in rows) == Counter({str(verdict): number for verdict, number in outcomes.items()})
    assert jobs[JobState.ISSUED] == outcomes[Verdict.GOOD] == len(lane.output) == issued
    assert all(card.face_complete for card in lane.output)
    assert all(card.prints <= 1 for card in (*lane.output, *lane.rejected)), "a card was printed over"
    assert "missing" not in site.person.answered


async def _run(plan: str, ejects: bool, passages: list[tuple[Trouble, int | None, str | None]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        store, lane = await Store.open(Path(folder)), FakeLane(ejects=ejects)
        spool = Spool(Path(folder) / "spool", 0)
        try:
            lane.load(20)
            await store.transact(fill, "1", 20)
            for number in range(4):
                await store.transact(queue.accept, spool, f"d{number}", f"r{number}", f"{number}".encode())
            site = _Site(store, spool, lane, plan, ejects)
            for trouble, torn, blind in passages:
                await site.one_passage(trouble, torn, blind)
            await _check(site, 20)
        finally:
            await store.close()


@pytest.mark.parametrize("plan", ["held", "ejecting"])
@settings(max_examples=40, deadline=None)
@given(ejects=st.booleans(), passages=st.lists(st.tuples(troubles, chips, blinds), min_size=1, max_size=6))
def test_belief_never_contradicts_the_world(
    plan: str, ejects: bool, passages: list[tuple[Trouble, int | None, str | None]]
) -> None:
    stages.BEAM_WAIT_S = 0.01  # a constant, not behaviour
    asyncio.run(_run(plan, ejects, passages))
