"""How a lane settles an interrupted passage: it waits for a person's answer or its sensors, or tries and rests between two tries.

What a try does is the business of controller/jobs/rescue.py.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.hal.ports import LaneSensors
from controller.jobs.beside import Beside
from controller.jobs.evidence import Ask
from controller.jobs.journal import Passage
from controller.jobs.lane_calls import LaneCalls
from controller.jobs.lane_doubts import LaneDoubts
from controller.jobs.lane_report import PREPARE_S, LaneReport, of_keys, of_printer, of_reader
from controller.jobs.rescue import Rescue, Waiting
from controller.jobs.runner import Hooks, Result
from controller.jobs.stages import Before
from controller.jobs.verdict import Ruling

# Each try to settle a card may move it, so nothing but a person or the time brings on the next.
RESCUE_BACK_OFF_S: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
RESCUE_S = 200.0  # a card is looked for twice, moved to the reader and read, each as slowly as its deadline lets it


class LaneRescue:
    """One lane's. Called by the lane's task only, while nothing else is done there."""

    def __init__(self, rescue: Rescue, beside: Beside | None, sensors: LaneSensors, on_ruling: Callable[[Ruling], None],
                 doubts: LaneDoubts, calls: LaneCalls, report: LaneReport) -> None:  # fmt: skip
        """`beside`: the reader of a lane fed by hand, where the card of a question may be laid down."""
        self._rescue = rescue
        self._beside = beside
        self._sensors = sensors
        self._on_ruling = on_ruling
        self._doubts = doubts
        self._calls = calls
        self._report = report
        self._tries: tuple[int, int] = (0, 0)  # passage, and tries in a row to settle it

    async def settle(self, unknown: Passage, asked: Ask | None, since: Before | None, hooks: Hooks) -> Result | None:
        """Find out what became of the card. `since`: noted in this run before the act that was interrupted.

        None: nothing can be decided yet, and a while was waited. A result without a verdict was interrupted again: `rest` then.
        Raises StoreError when the journal cannot be written.
        """
        if asked is not None:
            await self._await_answer(unknown, asked)
            return None
        if self._sensors.levels is None:  # a card that leaves has to be seen
            self._tell(unknown, activity="recover", condition="pins_dead", pins_up=False)
            await self._calls.poll()
            return None
        self._tell(unknown, activity="recover", pins_up=True)
        self._report.expect(RESCUE_S + PREPARE_S)
        found = await self._rescue.attempt(unknown, since, hooks)
        if isinstance(found, Result):
            return found
        await self._put_off(unknown, found)
        return None

    async def rest(self, unknown: Passage) -> None:
        """Wait longer before each next try to settle the same passage, unless the station stops."""
        if self._calls.stopping:
            return
        number, tries = self._tries
        tries = tries if number == unknown.id else 0
        self._tries = (unknown.id, tries + 1)
        rest_s = RESCUE_BACK_OFF_S[min(tries, len(RESCUE_BACK_OFF_S) - 1)]
        self._report.expect(rest_s)
        await self._calls.rest(rest_s)

    async def _await_answer(self, unknown: Passage, asked: Ask) -> None:
        ruling = None if self._beside is None else await self._beside.answer(self._report.status.name)
        if ruling is not None:
            self._on_ruling(ruling)
            return
        self._tell(unknown, activity="waiting", condition=f"ask_{asked}", detail="")
        await self._calls.poll()

    async def _put_off(self, unknown: Passage, found: Waiting) -> None:
        self._doubts.met(found.condition)
        key_holder_up = False if of_keys(found.condition) else self._report.status.key_holder_up
        self._report.tell(activity="recover", condition=found.condition, detail=found.detail,
                          printer_up=not of_printer(found.condition), reader_up=not of_reader(found.condition),
                          key_holder_up=key_holder_up)  # fmt: skip
        if found.condition == "lay_again":
            await self._calls.poll()
        else:
            await self.rest(unknown)

    def _tell(self, unknown: Passage, **changes: object) -> None:
        self._report.tell(heard=True, job_id=unknown.job_id, passage_id=unknown.id, **changes)
