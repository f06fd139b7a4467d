"""The work of one lane: settle what was interrupted, look whether a blank may be fed, run the next prepared job's passage, again.

One task per lane owns the lane's printer and reader, so that a dead printer never holds up another lane.
"""

from __future__ import annotations

import asyncio
from functools import partial

from controller.clock import monotonic_s
from controller.jobs import gate, lane_doubts, questions
from controller.jobs.beside import Beside
from controller.jobs.care import ACTIVITY, LIMIT_S, Care
from controller.jobs.care_acts import CareAct
from controller.jobs.evidence import Ask
from controller.jobs.journal import Claim, Passage
from controller.jobs.lane_calls import LaneCalls
from controller.jobs.lane_doubts import LaneDoubts
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_look import LaneLook
from controller.jobs.lane_report import PREPARE_S, LaneReport, of_printer
from controller.jobs.lane_rescue import LaneRescue
from controller.jobs.passage import TAKE_BLANK, Stage
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import Rescue
from controller.jobs.runner import Hooks, PassageRunner, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.stages import Before, LaneDevices, Trip
from controller.jobs.store import Store
from controller.jobs.workshop import Nothing, PreparedJob, Setback, Workshop
from controller.model import LaneStatus, Verdict


class LaneWorker:
    """Runs one lane until the station stops; finishes the card in hand first."""

    def __init__(self, name: str, devices: LaneDevices, store: Store, spool: Spool, workshop: Workshop,
                 policy: LanePolicy, links: LaneLinks) -> None:  # fmt: skip
        self._name = name
        self._devices = devices
        self._store = store
        self._workshop = workshop
        self._policy = policy
        self._links = links
        self._since: Before | None = None  # noted in this run before the act that was interrupted
        self._report = LaneReport(name, links.status)
        self._calls = LaneCalls()
        self._doubts = LaneDoubts(policy.max_rejects_in_row)
        self._care = Care(name, store, devices, policy.cool_down, watched=not policy.by_hand)
        self._beside = Beside(devices.chip, store, policy.unknown_uid, policy.max_remakes) if policy.by_hand else None
        self._look = LaneLook(devices, store, spool, policy, links, self._care, self._doubts, self._calls, self._report)
        recovery = Recovery(store, devices, policy.reader, ejects=policy.ejects_at_power_on, by_hand=policy.by_hand)
        rescue = Rescue(store, recovery, devices, workshop, policy.max_remakes, policy.unknown_uid, links.ruled)
        self._rescue = LaneRescue(rescue, self._beside, devices.sensors, links.ruled, self._doubts, self._calls, self._report)

    @property
    def status(self) -> LaneStatus:
        """What the lane does now."""
        return self._report.status

    @property
    def alive(self) -> bool:
        """Whether the lane reported in time: within SILENCE_S, or within the deadline of what it is doing."""
        return self._report.alive

    def wake(self) -> None:
        """Something changed (a button, a sensor, a load, a decision): look again now."""
        self._calls.wake()

    def job_arrived(self) -> None:
        """A job was accepted: of interest only to a lane that has nothing to do."""
        if self.status.activity == "idle":
            self.wake()

    def forgive(self) -> None:
        """GO was pressed: try again at once what was put off. What wants a look was looked at only if the lane shows it."""
        self._doubts.forgive(self.status.condition)
        self._care.forgive()
        self._calls.urge()

    def stop(self) -> None:
        """Finish the card in hand, feed no more."""
        self._workshop.abandon()
        self._calls.stop()

    async def run(self) -> None:
        """Work until stopped. Raises an ExceptionGroup with a StoreError when the journal fails: the station must not go on."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._calls.stopping:
                    await self._turn(group)
                self._workshop.abandon()
        finally:
            await self._devices.chip.release()
            await self._devices.printer.close()
            self._report.tell(activity="stopped", job_id=None, passage_id=None, printer_up=False)
            self._report.close()

    async def _turn(self, group: asyncio.TaskGroup) -> None:
        """One look, and one card when nothing is in the way and a job is at hand."""
        self._calls.heed()
        unsettled = await self._store.read(questions.unsettled, self._name)
        if unsettled is not None:
            self._workshop.give_back()
            await self._settle(group, *unsettled)
            return
        asked = await self._care.asked()
        if asked is not None:
            self._workshop.give_back()
            await self._tend(asked)
            return
        sight = await self._look.gather()
        condition = gate.obstacle(sight.facts)
        if condition is not None:
            self._workshop.give_back()
            await self._wait_for_end(condition, sight.said.get(condition))
            return
        if await self._await_blank():
            return
        self._report.tell(activity="idle", condition=None, detail="", job_id=None, passage_id=None)
        prepared = self._workshop.take()
        if prepared is None:
            await self._prepare(group)  # and look again: what was seen above is old by then
            return
        short = gate.shortage(prepared.panels, self._devices.ribbon, self.status.ribbon_remaining)
        if short is None:
            await self._issue(group, prepared)
        else:
            self._leave(prepared, short)

    async def _settle(self, group: asyncio.TaskGroup, unknown: Passage, asked: Ask | None) -> None:
        """Find out what became of the card of an interrupted passage, or wait for who can tell."""
        result = await self._rescue.settle(unknown, asked, self._since, self._hooks(group))
        if result is None:
            return
        self._passage_over(result)
        if result.verdict is None and not result.to_show:
            await self._rescue.rest(unknown)

    async def _tend(self, asked: CareAct) -> None:
        """Do what a person asked of the printer; no card is in work."""
        if self.status.activity != ACTIVITY[asked.kind]:  # else what was in its way may still be: say so until it is over
            self._report.tell(activity=ACTIVITY[asked.kind], condition=None, detail="", job_id=None, passage_id=None)
        self._report.expect(LIMIT_S[asked.kind])
        met = await self._care.do(asked)
        if met is not None and not self._calls.stopping:
            self._doubts.met(met.condition)
            self._report.tell(condition=met.condition, detail=met.detail, printer_up=not of_printer(met.condition))
            await self._calls.poll()

    async def _wait_for_end(self, condition: str, said: str | None) -> None:
        """Something keeps the lane from feeding: say so and wait a little. Meanwhile a card that lies finished is taken away."""
        if condition in gate.SUPPLIES and await self._await_blank():
            return
        detail = self._doubts.words(condition) if said is None else said
        self._report.tell(activity="waiting", condition=condition, detail=detail, job_id=None)
        await self._calls.poll()

    async def _await_blank(self) -> bool:
        """By hand: whether a person has to do something at the reader before the job at hand can begin; waits a little then."""
        if self._beside is None:
            return False
        lying = await self._beside.look(job=self._workshop.at_hand)
        if not lying.condition:
            return False
        if self._beside.shares():
            self._workshop.give_back()
        self._report.tell(activity="waiting", condition=lying.condition, detail=lying.detail, job_id=None)
        await self._calls.poll()
        return True

    async def _prepare(self, group: asyncio.TaskGroup) -> None:
        self._report.expect(PREPARE_S)
        found = await self._workshop.wait(group)
        if isinstance(found, Setback):
            self._doubts.put_off(found.condition, found.detail)
        elif found is Nothing.READY:
            await self._calls.poll()

    def _leave(self, prepared: PreparedJob, short: str) -> None:
        """The ribbon cannot print this job; another lane may have one that can."""
        self._workshop.done(prepared)
        said = self._policy.ribbon + ("" if short == "ribbon_wrong" else f": {self.status.ribbon_remaining}")
        self._doubts.put_off(short, said)
        self._report.tell(activity="waiting", condition=short, detail=said)

    async def _issue(self, group: asyncio.TaskGroup, prepared: PreparedJob) -> None:
        printer = self.status.printer
        if printer is None:  # the gate never lets an unopened printer through
            raise RuntimeError("a blank was about to be fed to a printer that was never opened")
        claim = Claim(prepared.job.id, self._name, self._policy.plan, printer.serial, self._policy.reader)
        self._report.tell(job_id=prepared.job.id)
        trip = Trip(self._devices, prepared.panels, prepared.files, unknown_uid=self._policy.unknown_uid)
        began_s = monotonic_s()
        result = await PassageRunner(self._store, trip, self._policy.max_remakes, self._hooks(group)).run(claim)
        self._workshop.done(prepared)
        if result.made or result.verdict is Verdict.SPOILED:
            await self._care.card_over(began_s)
        self._passage_over(result)

    def _passage_over(self, result: Result) -> None:
        if result.verdict is Verdict.SPOILED and self._beside is not None:
            self._beside.spoiled()
        self._care.refused(result.condition)
        self._doubts.passage_over(result)
        self._since = result.before
        self._report.tell(condition=None, detail=result.detail, passage_id=None, job_id=None)
        self._links.passage_over(result)

    def _hooks(self, group: asyncio.TaskGroup) -> Hooks:
        on_stage = partial(self._on_stage, group)
        return Hooks(on_stage, self._links.stage_took, self._try_again, self._ask_person, lambda: self._calls.stopping)

    def _on_stage(self, group: asyncio.TaskGroup, stage: Stage, passage_id: int) -> None:
        self._report.expect(stage.deadline_s)
        self._workshop.start_ahead(group)
        repeated = stage.name == self.status.activity  # then what was in its way may still be: say so until it works
        condition, detail = (self.status.condition, self.status.detail) if repeated else (None, "")
        if not repeated and stage not in TAKE_BLANK:  # these may be refused again; what follows shows that they were not
            self._doubts.gone_through()
        self._report.tell(activity=stage.name, passage_id=passage_id, condition=condition, detail=detail, heard=False)

    def _ask_person(self, condition: str | None) -> None:
        """By hand: a stage waits for a person, or no longer does."""
        self._report.tell(heard=False, condition=condition, detail="")

    async def _try_again(self, trouble: Trouble) -> bool:
        """The card is inside and can be seen; say what is in the way and wait for it to go, or for somebody to do something."""
        self._report.tell(condition=trouble.condition, detail=trouble.detail)
        wait_s = self._doubts.refused(trouble.condition)
        self._report.expect(wait_s)
        self._calls.heed()  # the card's own beam has called
        if not self._calls.stopping:
            at_least_s = min(wait_s, lane_doubts.BACK_OFF_S[0])
            await self._calls.rest(at_least_s)  # a beam that flickers must not drive the motor
            await self._calls.pause(wait_s - at_least_s)
        return not self._calls.stopping
