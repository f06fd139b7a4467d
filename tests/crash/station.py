"""A station in memory that can be killed anywhere: real store, journal, worker, verdict and recovery over a lane in memory.

Every commit and every exchange with a device is a *point*; `Station.strike` says at which of them the blow falls. A killed daemon
is started anew on the same folder and the same lane; a person answers what is asked by what can be seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from controller.errors import DeviceAbsent, DeviceUnknown
from controller.jobs import journal, queue
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.runner import Result
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.model import ChipFile, JobState, LaneStatus
from tests.crash import oracle
from tests.crash.hand_person import HandPerson
from tests.crash.person import Person
from tests.fakes.by_hand import HandLane
from tests.fakes.lane import FILES, PANELS, FakeLane
from tests.fakes.stock import fill

P = ParamSpec("P")
T = TypeVar("T")

BLANKS = 6
AT_ENCODE = 50  # a command well after the looks at a blank, while its chip is written: by hand a worse one is never begun with
LOOK_AGAIN_S = 0.02
LIMIT_S = 20.0  # generous: a run takes about 0.05 s
OVER = (JobState.ISSUED, JobState.FAILED, JobState.HELD)
COMES_BACK = ("printer_absent", "printer_lost", "pcsc_absent", "reader_absent", "reader_lost", "reader_stuck",
              "sam_absent")  # fmt: skip


class Killed(BaseException):
    """kill -9: nothing catches it, and the process does nothing more."""


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens at a point."""

    kill: bool  # the daemon
    event: str = ""  # power, unplug, pcscd, reader, or nothing else


@dataclass(frozen=True, slots=True)
class _Exchange:
    """An exchange with a device that a point lies in."""

    condition: str  # of its device, when that is lost
    sent: bool  # the device may have got the command

    def break_off(self, event: str) -> None:
        """Raise what the driver would, if the event hit this device."""
        hit = ("pcscd", "reader") if self.condition == "reader_lost" else ("power", "unplug")
        if event in hit:
            raise (DeviceUnknown if self.sent else DeviceAbsent)(self.condition, event)


@dataclass(slots=True)
class Strikes:
    """Counts the points and lets the blows fall: `at[n]` falls at the n-th point. `seen` are the names of all points."""

    at: dict[int, Blow] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    armed: bool = True

    def next(self, point: str) -> Blow | None:
        """The blow that falls at this point."""
        if not self.armed:
            return None
        self.seen.append(point)
        return self.at.get(len(self.seen) - 1)


class Painter:
    """Draws nothing."""

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Leave a file."""
        out_path.write_bytes(b"")


class MortalStore(Store):
    """A store whose process can be killed before and after every commit."""

    point: Callable[[str], None]

    async def transact(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        name = getattr(work, "__name__", "commit")
        self.point(f"commit {name}")
        result = await super().transact(work, *args, **kwargs)
        self.point(f"committed {name}")
        return result


class Station:
    """One lane, one folder, one job."""

    def __init__(self, folder: Path, plan: str, lane: FakeLane, strikes: Strikes, *, bad_chip: bool = False) -> None:
        self.folder, self.plan, self.lane, self.strikes = folder, plan, lane, strikes
        self._bad_chip = bad_chip  # the first blank refuses its first command
        self.files: Sequence[ChipFile] = FILES  # what the record brings
        self.rulings: list[Ruling] = []
        self.results: list[Result] = []
        self.status = LaneStatus("1")
        self.kills = self.losses = 0
        self.person: Person | HandPerson = HandPerson(lane) if isinstance(lane, HandLane) else Person(self)
        self.broken: list[str] = []  # what the oracle found when it was over
        self._dead = False
        self._down: set[str] = set()  # the devices that are away
        self._news = asyncio.Event()
        lane.at = self._wire_point

    async def live(self) -> None:
        """Begin with one job and some blanks; run, die and rise until the job is over."""
        self.strikes.armed = False
        store = await self._open()
        first = self.lane.load(BLANKS)[0]
        if self._bad_chip:
            first.chip.faults.answers[AT_ENCODE if self.plan == "external" else 0] = "6f00"
        await store.transact(fill, "1", BLANKS)
        await store.transact(queue.accept, Spool(self.folder / "spool", 0), "digest", "r", b"{}")
        await store.close()
        self.strikes.armed = True
        while not await self._one_life():
            self.kills += 1

    async def _open(self) -> MortalStore:
        store = await MortalStore.open(self.folder)
        assert isinstance(store, MortalStore)
        store.point = self._store_point
        return store

    async def _one_life(self) -> bool:
        """One daemon from its start to its death, or to the end of the job (True)."""
        self._dead = False
        store = await self._open()
        try:
            await store.transact(journal.suspect_all)
            await self.person.come_back(store)
            worker = self._worker(store)
            running = asyncio.create_task(worker.run())
            try:
                await self._until_over(store, worker, running)
            finally:
                await self._end(worker, running)
            if not self._dead:
                self.strikes.armed = False
                await self.person.tidy(store)
                self.broken = await self._judge(store)
        except Killed:
            return False
        finally:
            await self._bury(store)
        return not self._dead

    async def _until_over(self, store: MortalStore, worker: LaneWorker, running: asyncio.Task[None]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not running.done():
                self._news.clear()
                if self.status.condition is not None and self.status.condition.startswith("ask_"):
                    if self.plan == "external":  # the lane's own reader is asked for an answer
                        self._come_back()
                    await self.person.answer(store)
                    worker.wake()
                if self.status.condition == "feed_unproven":
                    worker.forgive()  # the person has counted the hopper, and presses GO
                if (await store.read(queue.find, 1)).state in OVER:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), LOOK_AGAIN_S)
                self._look_again()
                if self.status.condition in COMES_BACK:  # a device that is lost a second time is no news
                    self._come_back()

    async def _end(self, worker: LaneWorker, running: asyncio.Task[None]) -> None:
        worker.stop()
        try:
            await asyncio.wait_for(running, LIMIT_S)
        except BaseExceptionGroup as group:
            rest = group.split(Killed)[1]
            if rest is not None:
                raise rest from None

    def _look_again(self) -> None:
        """A while has passed."""

    async def _judge(self, store: MortalStore) -> list[str]:
        """Every promise that was not kept, in words."""
        return await store.read(oracle.broken_promises, self)

    async def _let_go(self) -> None:
        """What else ends with the process."""

    async def _bury(self, store: MortalStore) -> None:
        self.strikes.armed = False
        await self._let_go()
        await store.close()
        self.strikes.armed = True
        if self._dead:
            self._come_back()
            self.lane.finish_motion()
            self.lane.new_daemon()

    def _worker(self, store: Store) -> LaneWorker:
        workshop = Workshop(store, Spool(self.folder / "spool", 0), Painter(), self.folder / "rendered", lambda _path: PANELS,
                            lambda _record: self.files, set())  # fmt: skip
        links = LaneLinks(lambda: False, lambda: True, self._on_status, lambda _stage, _seconds: None, self._on_result,
                          self.rulings.append)  # fmt: skip
        policy = LanePolicy(self.plan, self.lane.ejects, "reader 1", max_remakes=1, max_rejects_in_row=9)
        return LaneWorker("1", self.lane.devices, store, Spool(self.folder / "spool", 0), workshop, policy, links)

    def _on_result(self, result: Result) -> None:
        self.results.append(result)
        if result.verdict is not None:
            self.person.look_round()

    def _on_status(self, status: LaneStatus) -> None:
        self.status = status
        self._news.set()
        if isinstance(self.lane, HandLane):
            self.lane.obey(status.condition)
        if not self._dead and status.condition in COMES_BACK:
            self._come_back()

    # Points

    def _store_point(self, name: str) -> None:
        self._strike(name, None)

    def _wire_point(self, name: str) -> None:
        reader = name.startswith("apdu")
        sent = reader or " " in name or name == "witness"
        self._strike(name, _Exchange("reader_lost" if reader else "printer_lost", sent))

    def _strike(self, name: str, exchange: _Exchange | None) -> None:
        if self._dead:
            raise Killed
        blow = self.strikes.next(name)
        if blow is None:
            return
        self._hit(blow)
        if blow.kill:
            self._dead = True
            self._news.set()
            raise Killed
        self.losses += 1
        if exchange is not None:
            exchange.break_off(blow.event)

    def _hit(self, blow: Blow) -> None:
        """The event itself. What was in motion is stopped by a loss of power only."""
        lane = self.lane
        if blow.event == "power":
            lane.cut_power()
        elif blow.event == "unplug":
            lane.unplug()
        elif blow.event == "pcscd":
            lane.chip.absent = "pcsc_absent"
        elif blow.event == "reader":
            lane.chip.drop()
        self._down.add(blow.event)

    def _come_back(self) -> None:
        """Every device is there again."""
        down, self._down = self._down, set()
        if "power" in down:
            self.lane.power_on()
        if "unplug" in down:
            self.lane.plug()
        if "pcscd" in down:
            self.lane.chip.absent = ""
