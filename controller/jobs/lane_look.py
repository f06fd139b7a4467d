"""One look of a lane before it feeds: printer, reader, sensors, books and the station, gathered for controller/jobs/gate.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.errors import DeviceError
from controller.jobs import gate, ledger
from controller.jobs.care import Care
from controller.jobs.contradictions import Watch
from controller.jobs.lane_calls import LaneCalls
from controller.jobs.lane_doubts import LaneDoubts
from controller.jobs.lane_links import LaneLinks, LanePolicy
from controller.jobs.lane_report import LaneReport, of_keys
from controller.jobs.spool import Spool
from controller.jobs.stages import LaneDevices
from controller.jobs.store import Store
from controller.model import LaneLevels, PrinterIdentity, PrinterWitness

AT_REST = frozenset({"idle", "waiting"})  # activities of a lane for which no second counts


@dataclass(frozen=True, slots=True)
class LaneSight:
    """What one look found."""

    facts: gate.LaneFacts
    said: Mapping[str, str]  # condition -> what the device itself says of it, or what is wanted of a person


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the devices answered."""

    printer: PrinterIdentity | None
    witness: PrinterWitness | None
    levels: LaneLevels | None
    printer_trouble: DeviceError | None
    reader_trouble: DeviceError | None

    @property
    def keys_trouble(self) -> bool:
        """The reader answers, and its key holder does not."""
        return self.reader_trouble is not None and of_keys(self.reader_trouble.condition)

    @property
    def troubles(self) -> Sequence[DeviceError]:
        return [error for error in (self.printer_trouble, self.reader_trouble) if error is not None]


class LaneLook:
    """One lane's. Called by the lane's task only, between passages."""

    def __init__(self, devices: LaneDevices, store: Store, spool: Spool, policy: LanePolicy, links: LaneLinks,
                 care: Care, doubts: LaneDoubts, calls: LaneCalls, report: LaneReport) -> None:  # fmt: skip
        self._devices = devices
        self._store = store
        self._spool = spool
        self._policy = policy
        self._links = links
        self._care = care
        self._doubts = doubts
        self._calls = calls
        self._report = report
        self._watch = Watch(report.status.name)

    async def gather(self) -> LaneSight:
        """Ask everything that bears on feeding a blank, and report it. Raises StoreError when the books cannot be read."""
        hopper_count = (await self._store.read(ledger.of_lane, self._report.status.name)).hopper
        answers = await self._ask()
        for error in answers.troubles:
            self._doubts.met(error.condition)
        self._tell(answers)
        return LaneSight(self._facts(answers, hopper_count), self._said(answers))

    async def _ask(self) -> _Answers:
        printer, witness, printer_trouble = await self._devices.ask_printer()
        reader_trouble = await self._devices.ask_reader()
        if printer is None:
            self._care.lost()
        else:
            if not self._policy.by_hand:  # else no sensor watches, and a blank is booked out before the printer counts it
                await self._watch.look(self._store, printer.serial, witness, self._devices.sensors.levels)
            printer_trouble = await self._care.look(printer, busy=self._report.status.activity not in AT_REST)
        return _Answers(printer, witness, self._devices.sensors.levels, printer_trouble, reader_trouble)

    def _tell(self, answers: _Answers) -> None:
        levels, witness = answers.levels, answers.witness
        reader_up = answers.reader_trouble is None or answers.keys_trouble
        self._report.tell(
            printer=answers.printer or self._report.status.printer,
            printer_up=answers.printer_trouble is None,
            reader_up=reader_up,
            key_holder_up=not answers.keys_trouble if reader_up and self._policy.needs_keys else None,
            pins_up=levels is not None,
            hopper_low=levels is not None and levels.hopper_low,
            ribbon_remaining=None if witness is None else witness.ribbon_remaining,
            passage_id=None,
            asks=self._care.asks,
            cards_until_cleaning=self._care.cards_until_cleaning,
            rest_s=self._care.rest_s,
        )

    def _facts(self, answers: _Answers, hopper_count: int) -> gate.LaneFacts:
        return gate.LaneFacts(
            stopping=self._calls.stopping,
            held=self._links.is_held(),
            panel_up=self._links.panel_up(),
            disk_full=not self._spool.has_room(),
            look_first=self._doubts.look_first,
            rejects_in_row=self._doubts.rejects_in_row,
            max_rejects_in_row=self._policy.max_rejects_in_row,
            printer_trouble=None if answers.printer_trouble is None else answers.printer_trouble.condition,
            reader_trouble=None if answers.reader_trouble is None else answers.reader_trouble.condition,
            witness=answers.witness,
            levels=answers.levels,
            hopper_count=hopper_count,
            setback=self._doubts.setback,
            must_clean=self._care.must_clean,
            resting=self._report.status.rest_s > 0,
        )

    def _said(self, answers: _Answers) -> Mapping[str, str]:
        details = {error.condition: error.detail for error in answers.troubles}
        wanted = " ".join(filter(None, (self._policy.ribbon, details.get("ribbon_wrong"))))
        return {"cool_down": f"{self._report.status.rest_s} s", **details, "ribbon_wrong": wanted}
