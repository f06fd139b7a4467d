"""The work of one lane: look whether a blank may be fed, take the next prepared job, run its passage, again.

One task per lane owns the lane's printer and reader, so that a dead printer never holds up another lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceError
from controller.jobs import gate, journal, ledger
from controller.jobs.gate import LaneFacts
from controller.jobs.passage import REJECT, Stage
from controller.jobs.runner import Claim, Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import LaneDevices, Trip
from controller.jobs.store import Store
from controller.jobs.workshop import PreparedJob, Workshop
from controller.model import LaneStatus, PrinterIdentity, PrinterWitness, Verdict

_PrinterAnswer = tuple[PrinterIdentity | None, PrinterWitness | None, DeviceError | None]

POLL_S = 1.0  # how often an idle or waiting lane looks again without being woken
FEED_AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # after a refused feed: the cover may be closed soon, or stay open all night
SILENCE_S = 25.0  # a lane that reports nothing for this long outside a stage is stuck; a dead printer takes up to 20 s to ask


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """What the configuration says about a lane's work."""

    plan: str  # "held" or "ejecting", from the printer's profile
    max_remakes: int
    max_rejects_in_row: int


@dataclass(frozen=True, slots=True)
class LaneReports:
    """Whom a lane tells what it does."""

    status: Callable[[LaneStatus], None]
    stage_took: Callable[[str, float], None]
    passage_over: Callable[[Result], None]


class LaneWorker:
    """Runs one lane until the station stops; finishes the card in hand first."""

    def __init__(self, name: str, devices: LaneDevices, store: Store, spool: Spool, workshop: Workshop, policy: LanePolicy,
                 is_held: Callable[[], bool], reports: LaneReports) -> None:  # fmt: skip
        self.status = LaneStatus(name)
        self._devices = devices
        self._store = store
        self._spool = spool
        self._workshop = workshop
        self._policy = policy
        self._is_held = is_held
        self._reports = reports
        self._woken = asyncio.Event()
        self._stopping = False
        self._rejects_in_row = 0
        self._refused_feeds = 0  # in a row
        self._refused = ""  # why the last feed was refused
        self._feed_again = Deadline.after(0)
        self._heard_until_s = monotonic_s() + SILENCE_S

    @property
    def alive(self) -> bool:
        """Whether the lane reported in time: within SILENCE_S, or within the deadline of the stage under way."""
        return monotonic_s() < self._heard_until_s

    def wake(self) -> None:
        """Something changed (a job, a button, a sensor, a load): look again now."""
        self._woken.set()

    def forgive_rejects(self) -> None:
        """GO was pressed: start counting rejects in a row again, and do not wait after a refused feed."""
        self._rejects_in_row = self._refused_feeds = 0
        self._feed_again = Deadline.after(0)
        self.wake()

    def stop(self) -> None:
        """Finish the card in hand, feed no more."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Work until stopped. Raises StoreError when the journal fails: the station must not go on."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping:
                    await self._turn(group)
        finally:
            await self._devices.chip.release()
            await self._devices.printer.close()
            self._tell(activity="stopped", job_id=None, passage_id=None, printer_up=False)

    async def _turn(self, group: asyncio.TaskGroup) -> None:
        self._woken.clear()
        self._workshop.start_ahead(group)
        facts, details = await self._gather()
        condition = gate.obstacle(facts)
        if condition is not None:
            self._tell(activity="waiting", condition=condition, detail=details.get(condition, self.status.detail), job_id=None)
            await self._pause()
            return
        self._tell(activity="idle", condition=None, job_id=None, passage_id=None)
        prepared = await self._workshop.take(group)
        if prepared is None:
            await self._pause()
        elif self._stopping or self._is_held():  # meanwhile
            self._workshop.keep(prepared)
        else:
            await self._issue(group, prepared)

    async def _issue(self, group: asyncio.TaskGroup, prepared: PreparedJob) -> None:
        printer = self.status.printer
        if printer is None:  # the gate never lets an unopened printer through
            raise RuntimeError("a blank was about to be fed to a printer that was never opened")
        claim = Claim(prepared.job.id, self.status.name, self._policy.plan, printer.serial)
        self._tell(job_id=prepared.job.id)
        hooks = Hooks(
            lambda stage, passage_id: self._on_stage(group, stage, passage_id), self._reports.stage_took, self._try_again
        )
        trip = Trip(self._devices, prepared.panels, prepared.files)
        try:
            result = await PassageRunner(self._store, trip, claim, self._policy.max_remakes, hooks).run()
        except DeviceError as error:  # the witnesses for the first intent could not be read: nothing was begun
            result = Result(None, None, error.condition, error.detail)
        self._workshop.done(prepared)
        self._after(result)

    def _after(self, result: Result) -> None:
        if result.verdict is Verdict.GOOD:
            self._rejects_in_row = 0
        elif result.verdict is Verdict.SPOILED:
            self._rejects_in_row += 1
        if result.verdict is Verdict.STILL_BLANK:
            wait_s = FEED_AGAIN_S[min(self._refused_feeds, len(FEED_AGAIN_S) - 1)]
            self._refused, self._feed_again = result.condition, Deadline.after(wait_s)
            self._refused_feeds += 1
        elif result.passage_id is not None:
            self._refused_feeds = 0
        self._tell(condition=None, detail=result.detail, passage_id=None, job_id=None)
        self._reports.passage_over(result)

    def _on_stage(self, group: asyncio.TaskGroup, stage: Stage, passage_id: int | None) -> None:
        self._heard_until_s = monotonic_s() + stage.deadline_s + SILENCE_S
        self._workshop.start_ahead(group)
        repeated = stage.name == self.status.activity  # then what was in its way may still be: say so until it works
        condition, detail = (self.status.condition, self.status.detail) if repeated else (None, "")
        self._tell(activity=stage.name, passage_id=passage_id, condition=condition, detail=detail, heard=False)

    async def _try_again(self, trouble: Trouble) -> bool:
        """The card is inside and can be seen; say what is in the way and wait a moment for it to go."""
        self._tell(condition=trouble.condition, detail=trouble.detail)
        if self._stopping:
            return False
        await self._pause()
        return True

    async def _gather(self) -> tuple[LaneFacts, dict[str, str]]:
        """Ask everything that bears on feeding a blank; also what the devices themselves said, by condition."""
        unknown = await self._store.read(journal.unknown_in, self.status.name)
        balance = await self._store.read(ledger.balance, self.status.name)
        printer, witness, printer_trouble = await self._ask_printer(unknown_passage=unknown is not None)
        reader_trouble = await self._ask_reader()
        details = {error.condition: error.detail for error in (printer_trouble, reader_trouble) if error is not None}
        levels = self._devices.sensors.levels
        self._tell(printer=printer or self.status.printer, printer_up=printer_trouble is None, reader_up=reader_trouble is None,
                   pins_up=levels is not None, ribbon_remaining=None if witness is None else witness.ribbon_remaining,
                   passage_id=None if unknown is None else unknown.id)  # fmt: skip
        facts = LaneFacts(
            stopping=self._stopping, held=self._is_held(), passage_unknown=unknown is not None,
            disk_full=not self._spool.has_room(), rejects_in_row=self._rejects_in_row,
            max_rejects_in_row=self._policy.max_rejects_in_row,
            printer_trouble=None if printer_trouble is None else printer_trouble.condition,
            reader_trouble=None if reader_trouble is None else reader_trouble.condition,
            witness=witness, levels=levels, hopper_count=balance.hopper,
            feed_refused=None if self._feed_again.passed else self._refused,
        )  # fmt: skip
        return facts, details

    async def _ask_printer(self, *, unknown_passage: bool) -> _PrinterAnswer:
        try:
            identity = await self._devices.printer.open()
            witness = await self._devices.printer.witness()
            if witness.position.value != "none" and not unknown_passage:
                witness = await self._clear_path(witness)
        except DeviceError as error:
            return None, None, error
        return identity, witness, None

    async def _clear_path(self, witness: PrinterWitness) -> PrinterWitness:
        """A card that a person declared spoiled and that can be seen inside goes to the reject bin. Any other card stays."""
        if not await self._store.read(journal.left_spoiled_inside, self.status.name):
            return witness
        await self._devices.chip.release()
        await self._devices.printer.reject(Deadline.after(REJECT.deadline_s))
        return await self._devices.printer.witness()

    async def _ask_reader(self) -> DeviceError | None:
        try:
            await self._devices.chip.check()
        except DeviceError as error:
            return error
        return None

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _tell(self, *, heard: bool = True, **changes: object) -> None:
        if heard:
            self._heard_until_s = monotonic_s() + SILENCE_S
        status = replace(self.status, **changes)  # type: ignore[arg-type]  # field names are checked by LaneStatus itself
        if status != self.status:
            self.status = status
            self._reports.status(status)
