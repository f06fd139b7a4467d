"""The work of one lane: settle what was interrupted, look whether a blank may be fed, run the next prepared job's passage, again.

One task per lane owns the lane's printer and reader, so that a dead printer never holds up another lane.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceError
from controller.jobs import gate, ledger, questions
from controller.jobs.contradictions import Watch
from controller.jobs.evidence import Ask
from controller.jobs.gate import LaneFacts
from controller.jobs.journal import Claim, Passage
from controller.jobs.passage import FEED, Stage
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import Rescue, Waiting
from controller.jobs.runner import Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import Before, LaneDevices, Trip
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Nothing, PreparedJob, Setback, Workshop
from controller.model import LaneStatus, PrinterIdentity, PrinterWitness, Verdict

POLL_S = 1.0  # how often an idle or waiting lane looks again without being woken
# The cause may be gone soon, or stay all night: neither wear nor a full journal.
BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
SILENCE_S = 25.0  # a lane that reports nothing for this long outside a stage is stuck; a dead printer takes up to 20 s to ask
# Each try to settle a card may move it, so nothing but a person or the time brings on the next.
RESCUE_BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
RESCUE_S = 200.0  # a card is looked for twice, moved to the reader and read, each as slowly as its deadline lets it
PREPARE_S = 300.0  # drawing a face may wait behind a dozen submits whose pictures each run into the child's time-out


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """What the configuration says about a lane's work."""

    plan: str  # "held" or "ejecting", from the printer's profile
    ejects_at_power_on: bool  # a card inside, from the printer's profile
    reader: str  # PC/SC name of the chip reader
    max_remakes: int
    max_rejects_in_row: int
    unknown_uid: str = "refuse"  # or "warn"


@dataclass(frozen=True, slots=True)
class LaneLinks:
    """Whom a lane asks about the rest of the station, and whom it tells what it does."""

    is_held: Callable[[], bool]  # HOLD was pressed
    panel_up: Callable[[], bool]  # buttons and lamps answer
    status: Callable[[LaneStatus], None]
    stage_took: Callable[[str, float], None]
    passage_over: Callable[[Result], None]
    ruled: Callable[[Ruling], None]  # an interrupted passage got a verdict


class LaneWorker:
    """Runs one lane until the station stops; finishes the card in hand first."""

    def __init__(self, name: str, devices: LaneDevices, store: Store, spool: Spool, workshop: Workshop,
                 policy: LanePolicy, links: LaneLinks) -> None:  # fmt: skip
        self.status = LaneStatus(name)
        self._devices = devices
        self._store = store
        self._spool = spool
        self._workshop = workshop
        self._policy = policy
        self._links = links
        recovery = Recovery(store, devices, policy.reader, ejects=policy.ejects_at_power_on)
        self._watch = Watch(name)
        self._rescue = Rescue(store, recovery, devices, workshop, policy.max_remakes, policy.unknown_uid, links.ruled)
        self._since: Before | None = None  # noted in this run before the act that was interrupted
        self._rescues = 0  # tries in a row to settle the same passage
        self._woken = asyncio.Event()
        self._urged = asyncio.Event()  # by a person, or by the end: more than a sensor that moved
        self._stopping = False
        self._rejects_in_row = 0
        self._count_doubted = False  # printer and beam disagreed about a feed: somebody has to count the hopper
        self._setbacks = 0  # tries in a row that came to nothing before a card was made
        self._setback = ""  # condition of the last one
        self._next_try = Deadline.after(0)
        self._heard_until_s = monotonic_s() + SILENCE_S

    @property
    def alive(self) -> bool:
        """Whether the lane reported in time: within SILENCE_S, or within the deadline of what it is doing."""
        return monotonic_s() < self._heard_until_s

    def wake(self) -> None:
        """Something changed (a button, a sensor, a load, a decision): look again now."""
        self._woken.set()

    def job_arrived(self) -> None:
        """A job was accepted: of interest only to a lane that has nothing to do."""
        if self.status.activity == "idle":
            self.wake()

    def forgive(self) -> None:
        """GO was pressed: somebody has looked. Count rejects anew, and try again at once what was put off."""
        self._rejects_in_row = self._setbacks = 0
        self._count_doubted = False
        self._next_try = Deadline.after(0)
        self._urged.set()
        self.wake()

    def stop(self) -> None:
        """Finish the card in hand, feed no more."""
        self._stopping = True
        self._workshop.abandon()
        self._urged.set()
        self.wake()

    async def run(self) -> None:
        """Work until stopped. Raises an ExceptionGroup with a StoreError when the journal fails: the station must not go on."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    await self._turn(group)
                self._workshop.abandon()
        finally:
            await self._devices.chip.release()
            await self._devices.printer.close()
            self._tell(activity="stopped", job_id=None, passage_id=None, printer_up=False)
            self._heard_until_s = math.inf  # nothing more is expected of it, however long the other lanes take

    async def _turn(self, group: asyncio.TaskGroup) -> None:
        """One look, and one card when nothing is in the way and a job is at hand."""
        self._woken.clear()
        unsettled = await self._store.read(questions.unsettled, self.status.name)
        if unsettled is not None:
            self._workshop.give_back()
            await self._settle(group, *unsettled)
            return
        self._rescues = 0
        facts, details = await self._gather()
        condition = gate.obstacle(facts)
        if condition is not None:
            self._workshop.give_back()
            detail = details.get(condition, self.status.detail if condition == self._setback else "")
            self._tell(activity="waiting", condition=condition, detail=detail, job_id=None)
            await self._pause(POLL_S)
            return
        self._tell(activity="idle", condition=None, detail="", job_id=None, passage_id=None)
        prepared = self._workshop.take()
        if prepared is None:
            await self._prepare(group)  # and look again: what was seen above is old by then
        else:
            await self._issue(group, prepared)

    async def _settle(self, group: asyncio.TaskGroup, unknown: Passage, asked: Ask | None) -> None:
        """Find out what became of the card of an interrupted passage, or wait for who can tell."""
        if asked is not None:
            self._tell(activity="waiting", condition=f"ask_{asked}", detail="", job_id=unknown.job_id, passage_id=unknown.id)
            await self._pause(POLL_S)
            return
        if self._devices.sensors.levels is None:  # a card that leaves has to be seen
            self._tell(activity="recover", condition="pins_dead", pins_up=False, job_id=unknown.job_id, passage_id=unknown.id)
            await self._pause(POLL_S)
            return
        self._tell(activity="recover", pins_up=True, job_id=unknown.job_id, passage_id=unknown.id)
        self._heard_until_s = monotonic_s() + RESCUE_S + PREPARE_S
        found = await self._rescue.attempt(unknown, self._since, self._hooks(group))
        if isinstance(found, Waiting):
            self._tell(activity="recover", condition=found.condition, detail=found.detail,
                       printer_up=not found.condition.startswith("printer_"),
                       reader_up=not found.condition.startswith(("reader_", "pcsc_")))  # fmt: skip
        else:
            self._after(found)
        settled = not isinstance(found, Waiting) and found.verdict is not None
        if not settled and not self._stopping:
            await self._rest(RESCUE_BACK_OFF_S[min(self._rescues, len(RESCUE_BACK_OFF_S) - 1)])
            self._rescues += 1

    def _hooks(self, group: asyncio.TaskGroup) -> Hooks:
        return Hooks(lambda stage, number: self._on_stage(group, stage, number), self._links.stage_took, self._try_again)

    async def _prepare(self, group: asyncio.TaskGroup) -> None:
        self._heard_until_s = monotonic_s() + PREPARE_S
        found = await self._workshop.wait(group)
        if isinstance(found, Setback):
            self._put_off(found.condition)
            self._tell(detail=found.detail)
        elif found is Nothing.READY:
            await self._pause(POLL_S)

    async def _issue(self, group: asyncio.TaskGroup, prepared: PreparedJob) -> None:
        printer = self.status.printer
        if printer is None:  # the gate never lets an unopened printer through
            raise RuntimeError("a blank was about to be fed to a printer that was never opened")
        claim = Claim(prepared.job.id, self.status.name, self._policy.plan, printer.serial, self._policy.reader)
        self._tell(job_id=prepared.job.id)
        trip = Trip(self._devices, prepared.panels, prepared.files, unknown_uid=self._policy.unknown_uid)
        result = await PassageRunner(self._store, trip, self._policy.max_remakes, self._hooks(group)).run(claim)
        self._workshop.done(prepared)
        self._after(result)

    def _after(self, result: Result) -> None:
        if result.verdict is Verdict.GOOD:
            self._rejects_in_row = self._setbacks = 0
        elif result.verdict is Verdict.SPOILED:
            self._rejects_in_row += 1
            self._count_doubted = self._count_doubted or result.condition == "feed_unproven"
        elif result.verdict is Verdict.STILL_BLANK:
            self._put_off(result.condition)
        self._since = result.before
        self._tell(condition=None, detail=result.detail, passage_id=None, job_id=None)
        self._links.passage_over(result)

    def _put_off(self, condition: str) -> None:
        """Nothing came of the last try and no blank was spent: wait longer each time before the next."""
        self._setback, self._next_try = condition, Deadline.after(_back_off_s(self._setbacks))
        self._setbacks += 1

    def _on_stage(self, group: asyncio.TaskGroup, stage: Stage, passage_id: int) -> None:
        self._heard_until_s = monotonic_s() + stage.deadline_s + SILENCE_S
        self._workshop.start_ahead(group)
        repeated = stage.name == self.status.activity  # then what was in its way may still be: say so until it works
        condition, detail = (self.status.condition, self.status.detail) if repeated else (None, "")
        if not repeated and stage is not FEED:  # a feed may be refused again; what follows it shows that it was not
            self._setbacks = 0
        self._tell(activity=stage.name, passage_id=passage_id, condition=condition, detail=detail, heard=False)

    async def _try_again(self, trouble: Trouble) -> bool:
        """The card is inside and can be seen; say what is in the way and wait for it to go, or for somebody to do something."""
        self._tell(condition=trouble.condition, detail=trouble.detail)
        wait_s = _back_off_s(self._setbacks)
        self._setbacks += 1
        self._heard_until_s = monotonic_s() + wait_s + SILENCE_S
        self._woken.clear()  # the card's own beam has set it
        if not self._stopping:
            await self._rest(min(wait_s, BACK_OFF_S[0]))  # a beam that flickers must not drive the motor
            await self._pause(wait_s - BACK_OFF_S[0])
        return not self._stopping

    async def _gather(self) -> tuple[LaneFacts, dict[str, str]]:
        """Ask everything that bears on feeding a blank; also what the devices themselves said, by condition."""
        balance = await self._store.read(ledger.of_lane, self.status.name)
        printer, witness, printer_trouble = await self._ask_printer()
        reader_trouble = await self._ask_reader()
        if printer is not None:
            await self._watch.look(self._store, printer.serial, witness, self._devices.sensors.levels)
        troubles = [error for error in (printer_trouble, reader_trouble) if error is not None]
        levels = self._devices.sensors.levels
        self._tell(printer=printer or self.status.printer, printer_up=printer_trouble is None, reader_up=reader_trouble is None,
                   pins_up=levels is not None, hopper_low=levels is not None and levels.hopper_low,
                   ribbon_remaining=None if witness is None else witness.ribbon_remaining, passage_id=None)  # fmt: skip
        facts = LaneFacts(
            stopping=self._stopping, held=self._links.is_held(), panel_up=self._links.panel_up(),
            disk_full=not self._spool.has_room(),
            count_doubted=self._count_doubted, rejects_in_row=self._rejects_in_row,
            max_rejects_in_row=self._policy.max_rejects_in_row,
            printer_trouble=None if printer_trouble is None else printer_trouble.condition,
            reader_trouble=None if reader_trouble is None else reader_trouble.condition,
            witness=witness, levels=levels, hopper_count=balance.hopper,
            setback=None if self._next_try.passed else self._setback,
        )  # fmt: skip
        return facts, {error.condition: error.detail for error in troubles}

    async def _ask_printer(self) -> tuple[PrinterIdentity | None, PrinterWitness | None, DeviceError | None]:
        try:
            return await self._devices.printer.open(), await self._devices.printer.witness(), None
        except DeviceError as error:
            return None, None, error

    async def _ask_reader(self) -> DeviceError | None:
        try:
            await self._devices.chip.check()
        except DeviceError as error:
            return error
        return None

    async def _rest(self, seconds: float) -> None:
        """Wait, unless a person or the end of the station cuts it short."""
        self._heard_until_s = max(self._heard_until_s, monotonic_s() + seconds + SILENCE_S)
        try:
            async with asyncio.timeout(seconds):
                await self._urged.wait()
        except TimeoutError:
            pass
        self._urged.clear()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _tell(self, *, heard: bool = True, **changes: object) -> None:
        if heard:
            self._heard_until_s = monotonic_s() + SILENCE_S
        status = replace(self.status, **changes)  # type: ignore[arg-type]  # field names are checked by LaneStatus itself
        if status != self.status:
            self.status = status
            self._links.status(status)


def _back_off_s(tries: int) -> float:
    return BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)]
