"""The work of one lane: settle what was interrupted, look whether a blank may be fed, run the next prepared job's passage, again.

One task per lane owns the lane's printer and reader, so that a dead printer never holds up another lane.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import replace
from functools import partial

from controller.clock import Deadline, monotonic_s
from controller.conditions import CONDITIONS, Clears
from controller.jobs import gate, ledger, questions
from controller.jobs.beside import Beside
from controller.jobs.care import ACTIVITY, LIMIT_S, Care
from controller.jobs.care_acts import CareAct
from controller.jobs.contradictions import Watch
from controller.jobs.evidence import Ask
from controller.jobs.journal import Claim, Passage
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.passage import PLANS, TAKE_BLANK, Stage
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import Rescue, Waiting
from controller.jobs.runner import Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import Before, LaneDevices, Trip
from controller.jobs.store import Store
from controller.jobs.workshop import Nothing, PreparedJob, Setback, Workshop
from controller.model import LaneStatus, Verdict

POLL_S = 1.0  # how often an idle or waiting lane looks again without being woken
# The cause may be gone soon, or stay all night: neither wear nor a full journal.
BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
SILENCE_S = 25.0  # a lane that reports nothing for this long outside a stage is stuck; a dead printer takes up to 20 s to ask
# Each try to settle a card may move it, so nothing but a person or the time brings on the next.
RESCUE_BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
RESCUE_S = 200.0  # a card is looked for twice, moved to the reader and read, each as slowly as its deadline lets it
PREPARE_S = 300.0  # drawing a face may wait behind a dozen submits whose pictures each run into the child's time-out


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
        by_hand = PLANS[policy.plan][0].by_hand
        recovery = Recovery(store, devices, policy.reader, ejects=policy.ejects_at_power_on, by_hand=by_hand)
        self._beside = Beside(devices.chip, store, policy.unknown_uid, policy.max_remakes) if by_hand else None
        self._watch = Watch(name)
        self._care = Care(name, store, devices, policy.cool_down, watched=not by_hand)
        self._rescue = Rescue(store, recovery, devices, workshop, policy.max_remakes, policy.unknown_uid, links.ruled)
        self._since: Before | None = None  # noted in this run before the act that was interrupted
        self._rescues = 0  # tries in a row to settle the same passage
        self._woken = asyncio.Event()
        self._urged = asyncio.Event()  # by a person, or by the end: more than a sensor that moved
        self._stopping = False
        self._rejects_in_row = 0
        self._look_first: str | None = None  # condition that nothing shows to be gone: a person has to look and press GO
        self._setbacks = 0  # tries in a row that came to nothing before a card was made
        self._setback = ""  # condition of the last one
        self._said: dict[str, str] = {}  # condition -> what a device said when the lane's last work ended with it
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
        """GO was pressed: try again at once what was put off. What wants a look was looked at only if the lane shows it."""
        if self._rejects_in_row < self._policy.max_rejects_in_row or self.status.condition == "rejects_in_row":
            self._rejects_in_row = 0
        self._look_first = None if self.status.condition == self._look_first else self._look_first
        self._setbacks = 0
        self._next_try = Deadline.after(0)
        self._care.forgive()
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
        asked = await self._care.asked()
        if asked is not None:
            self._workshop.give_back()
            await self._tend(asked)
            return
        facts, details = await self._gather()
        condition = gate.obstacle(facts)
        if condition is not None:
            self._workshop.give_back()
            if self._beside is not None and condition in gate.SUPPLIES and await self._await_blank(self._beside):
                return  # a finished card still lies there
            said = self._said.get(condition, "") if condition in (self._setback, self._look_first) else ""
            self._tell(activity="waiting", condition=condition, detail=details.get(condition, said), job_id=None)
            await self._pause(POLL_S)
            return
        if self._beside is not None and await self._await_blank(self._beside):
            return
        self._tell(activity="idle", condition=None, detail="", job_id=None, passage_id=None)
        prepared = self._workshop.take()
        if prepared is None:
            await self._prepare(group)  # and look again: what was seen above is old by then
            return
        short = gate.shortage(prepared.panels, self._devices.ribbon, self.status.ribbon_remaining)
        if short is None:
            await self._issue(group, prepared)
        else:  # another lane may have the ribbon for it
            self._workshop.done(prepared)
            said = self._policy.ribbon + ("" if short == "ribbon_wrong" else f": {self.status.ribbon_remaining}")
            self._put_off(short, said)
            self._tell(activity="waiting", condition=short, detail=said)

    async def _await_blank(self, beside: Beside) -> bool:
        """By hand: whether a person has to do something at the reader before the job at hand can begin; waits a little then."""
        lying = await beside.look(job=self._workshop.at_hand)
        if not lying.condition:
            return False
        if beside.shares():
            self._workshop.give_back()
        self._tell(activity="waiting", condition=lying.condition, detail=lying.detail, job_id=None)
        await self._pause(POLL_S)
        return True

    async def _tend(self, asked: CareAct) -> None:
        """Do what a person asked of the printer; no card is in work."""
        if self.status.activity != ACTIVITY[asked.kind]:  # else what was in its way may still be: say so until it is over
            self._tell(activity=ACTIVITY[asked.kind], condition=None, detail="", job_id=None, passage_id=None)
        self._heard_until_s = monotonic_s() + LIMIT_S[asked.kind] + SILENCE_S
        met = await self._care.do(asked)
        if met is not None and not self._stopping:
            self._doubt(met.condition)
            self._tell(condition=met.condition, detail=met.detail, printer_up=not met.condition.startswith("printer_"))
            await self._pause(POLL_S)

    async def _settle(self, group: asyncio.TaskGroup, unknown: Passage, asked: Ask | None) -> None:
        """Find out what became of the card of an interrupted passage, or wait for who can tell."""
        if asked is not None:
            ruling = None if self._beside is None else await self._beside.answer(self.status.name)
            if ruling is not None:
                self._links.ruled(ruling)
                return
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
            self._doubt(found.condition)
            self._tell(activity="recover", condition=found.condition, detail=found.detail,
                       printer_up=not found.condition.startswith("printer_"),
                       reader_up=not found.condition.startswith(("reader_", "pcsc_")))  # fmt: skip
        else:
            self._after(found)
        if isinstance(found, Waiting) and found.condition == "lay_again":
            await self._pause(POLL_S)
            return
        if not self._stopping and (isinstance(found, Waiting) or found.verdict is None):
            await self._rest(RESCUE_BACK_OFF_S[min(self._rescues, len(RESCUE_BACK_OFF_S) - 1)])
            self._rescues += 1

    def _hooks(self, group: asyncio.TaskGroup) -> Hooks:
        on_stage = partial(self._on_stage, group)
        return Hooks(on_stage, self._links.stage_took, self._try_again, self._ask_person, lambda: self._stopping)

    def _ask_person(self, condition: str | None) -> None:
        """By hand: a stage waits for a person, or no longer does."""
        self._tell(heard=False, condition=condition, detail="")

    async def _prepare(self, group: asyncio.TaskGroup) -> None:
        self._heard_until_s = monotonic_s() + PREPARE_S
        found = await self._workshop.wait(group)
        if isinstance(found, Setback):
            self._put_off(found.condition, found.detail)
        elif found is Nothing.READY:
            await self._pause(POLL_S)

    async def _issue(self, group: asyncio.TaskGroup, prepared: PreparedJob) -> None:
        printer = self.status.printer
        if printer is None:  # the gate never lets an unopened printer through
            raise RuntimeError("a blank was about to be fed to a printer that was never opened")
        claim = Claim(prepared.job.id, self.status.name, self._policy.plan, printer.serial, self._policy.reader)
        self._tell(job_id=prepared.job.id)
        trip = Trip(self._devices, prepared.panels, prepared.files, unknown_uid=self._policy.unknown_uid)
        began_s = monotonic_s()
        result = await PassageRunner(self._store, trip, self._policy.max_remakes, self._hooks(group)).run(claim)
        self._workshop.done(prepared)
        if result.verdict in (Verdict.GOOD, Verdict.SPOILED):
            await self._care.card_over(began_s)
        self._after(result)

    def _after(self, result: Result) -> None:
        if result.verdict is Verdict.GOOD:
            self._rejects_in_row = self._setbacks = 0
        elif result.verdict is Verdict.SPOILED:
            self._rejects_in_row += 1
            if self._beside is not None:
                self._beside.spoiled()
        elif result.verdict is Verdict.STILL_BLANK:
            self._put_off(result.condition, result.detail)
        self._care.refused(result.condition)
        self._doubt(result.condition)
        self._said = {result.condition: result.detail}
        self._since = result.before
        self._tell(condition=None, detail=result.detail, passage_id=None, job_id=None)
        self._links.passage_over(result)

    def _doubt(self, condition: str) -> None:
        """Feed nothing more until GO when only a person can tell whether it is over; a question waits for its own answer."""
        if condition and CONDITIONS[condition].clears is Clears.GO and not condition.startswith("ask_"):
            self._look_first = condition

    def _put_off(self, condition: str, said: str) -> None:
        """Nothing came of the last try and no blank was spent: wait longer each time before the next."""
        self._setback, self._next_try = condition, Deadline.after(_back_off_s(self._setbacks))
        self._said = {condition: said}
        self._setbacks += 1

    def _on_stage(self, group: asyncio.TaskGroup, stage: Stage, passage_id: int) -> None:
        self._heard_until_s = monotonic_s() + stage.deadline_s + SILENCE_S
        self._workshop.start_ahead(group)
        repeated = stage.name == self.status.activity  # then what was in its way may still be: say so until it works
        condition, detail = (self.status.condition, self.status.detail) if repeated else (None, "")
        if not repeated and stage not in TAKE_BLANK:  # these may be refused again; what follows shows that they were not
            self._setbacks = 0
        self._tell(activity=stage.name, passage_id=passage_id, condition=condition, detail=detail, heard=False)

    async def _try_again(self, trouble: Trouble) -> bool:
        """The card is inside and can be seen; say what is in the way and wait for it to go, or for somebody to do something."""
        self._tell(condition=trouble.condition, detail=trouble.detail)
        self._doubt(trouble.condition)  # once this card is out
        wait_s = _back_off_s(self._setbacks)
        self._setbacks += 1
        self._heard_until_s = monotonic_s() + wait_s + SILENCE_S
        self._woken.clear()  # the card's own beam has set it
        if not self._stopping:
            await self._rest(min(wait_s, BACK_OFF_S[0]))  # a beam that flickers must not drive the motor
            await self._pause(wait_s - BACK_OFF_S[0])
        return not self._stopping

    async def _gather(self) -> tuple[gate.LaneFacts, dict[str, str]]:
        """Ask everything that bears on feeding a blank; also what the devices themselves said, by condition."""
        balance = await self._store.read(ledger.of_lane, self.status.name)
        printer, witness, printer_trouble = await self._devices.ask_printer()
        reader_trouble = await self._devices.ask_reader()
        if printer is None:
            self._care.lost()
        else:
            if self._beside is None:  # by hand no sensor watches, and a blank is booked out before the printer counts it
                await self._watch.look(self._store, printer.serial, witness, self._devices.sensors.levels)
            printer_trouble = await self._care.look(printer, busy=self.status.activity not in ("idle", "waiting"))
        troubles = [error for error in (printer_trouble, reader_trouble) if error is not None]
        for error in troubles:
            self._doubt(error.condition)
        levels = self._devices.sensors.levels
        self._tell(printer=printer or self.status.printer, printer_up=printer_trouble is None, reader_up=reader_trouble is None,
                   pins_up=levels is not None, hopper_low=levels is not None and levels.hopper_low,
                   ribbon_remaining=None if witness is None else witness.ribbon_remaining, passage_id=None,
                   asks=self._care.asks, cards_until_cleaning=self._care.cards_until_cleaning,
                   rest_s=self._care.rest_s)  # fmt: skip
        facts = gate.LaneFacts(
            stopping=self._stopping, held=self._links.is_held(), panel_up=self._links.panel_up(),
            disk_full=not self._spool.has_room(),
            look_first=self._look_first, rejects_in_row=self._rejects_in_row,
            max_rejects_in_row=self._policy.max_rejects_in_row,
            printer_trouble=None if printer_trouble is None else printer_trouble.condition,
            reader_trouble=None if reader_trouble is None else reader_trouble.condition,
            witness=witness, levels=levels, hopper_count=balance.hopper,
            setback=None if self._next_try.passed else self._setback,
            must_clean=self._care.must_clean, resting=self.status.rest_s > 0,
        )  # fmt: skip
        details = {error.condition: error.detail for error in troubles}
        wanted = {"ribbon_wrong": " ".join(filter(None, (self._policy.ribbon, details.get("ribbon_wrong"))))}
        return facts, {"cool_down": f"{self.status.rest_s} s", **details, **wanted}

    async def _rest(self, seconds: float) -> None:
        """Wait, unless a person or the end of the station cuts it short."""
        self._heard_until_s = max(self._heard_until_s, monotonic_s() + seconds + SILENCE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._urged.wait()
        self._urged.clear()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _tell(self, *, heard: bool = True, **changes: object) -> None:
        if heard:
            self._heard_until_s = monotonic_s() + SILENCE_S
        status = replace(self.status, **changes)  # type: ignore[arg-type]  # field names are checked by LaneStatus itself
        if status != self.status:
            self.status = status
            self._links.status(status)


def _back_off_s(tries: int) -> float:
    return BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)]
