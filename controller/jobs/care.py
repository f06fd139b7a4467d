"""The care of one lane's printer: reads its upkeep at quiet moments, paces it, and does what a person asked of it.

- Cleaning due by the printer's own count is asked for (`asks`) while printing goes on; that the printer refuses a command with
  NEED CLEANING stops the lane (`must_clean`) until it was cleaned, its count says so, or somebody pressed GO.
- Changed settings are asked for as well; the lane prints on (controller/jobs/printer_settings.py).
- Acts of a person (controller/jobs/care_acts.py) run here, on the lane's own task: nobody else uses the printer meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from controller.clock import Deadline, monotonic_s, time_stamp
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.ports import CardPrinter
from controller.jobs import care_acts, ledger, pace, printer_settings
from controller.jobs.care_acts import CareAct, End, Kind, Outcome
from controller.jobs.pace import Pace, Rule
from controller.jobs.stages import LaneDevices
from controller.jobs.store import Store
from controller.model import Beam, PrinterCare, PrinterIdentity, PrinterWitness

logger = logging.getLogger(__name__)

QUIET_S = 60.0  # a lane with nothing to do reads its printer's upkeep this often: some 20 short questions
STOPPED_S = 5.0  # a person has cleaned it by its own buttons and waits for the lane to see that
CARDS_BETWEEN = 20  # a lane that never stands still reads it after so many cards: half a second in ten minutes
CLEANING = frozenset({"cleaning_due", "cleaning_required"})  # what a printer says that will not go on before
# The ribbon is out and a cleaning card lies where the blanks do: what the printer says of that keeps nobody from cleaning it.
MAY_CLEAN = CLEANING | {"ribbon_end", "ribbon_wrong", "ribbon_unreadable", "hopper_empty"}
# A person puts the cleaning card in, which goes through five times (Evolis Programming Guide, Scp); a test card is one card.
LIMIT_S: Mapping[Kind, float] = {Kind.CLEAN: 240.0, Kind.TEST_CARD: 120.0}
ASKS = ("cleaning_due", "settings_changed")  # what a lane may ask for while it works, the more urgent first
ACTIVITY: Mapping[Kind, str] = {Kind.CLEAN: "clean", Kind.TEST_CARD: "test card"}


@dataclass(frozen=True, slots=True)
class _Reading:
    """When the upkeep was last read."""

    at_s: float
    cards: int  # printed since


def is_due(reading: _Reading | None, now_s: float, *, busy: bool, stopped: bool = False) -> bool:
    """Whether the upkeep has to be read again. Pure.

    `busy`: cards wait, and each second counts; `stopped`: the lane waits for the cleaning and has nothing else to do.
    """
    if reading is None:
        return True
    if stopped:
        return now_s - reading.at_s >= STOPPED_S
    return reading.cards >= CARDS_BETWEEN if busy else now_s - reading.at_s >= QUIET_S


class Care:
    """One lane's. Every method is called by the lane's task only, between passages."""

    def __init__(self, lane: str, store: Store, devices: LaneDevices, rule: Rule, *, watched: bool = True,
                 clock: Callable[[], float] = monotonic_s) -> None:  # fmt: skip
        """`watched`: beams see the cards of this lane. `clock`: seconds that never jump."""
        self._lane = lane
        self._store = store
        self._devices = devices
        self._rule = rule
        self._watched = watched
        self._clock = clock
        self._serial: str | None = None
        self._reading: _Reading | None = None
        self._upkeep = PrinterCare()
        self._changed = False  # a setting is not as it was accepted
        self._pace: Pace | None = None
        self.must_clean = False  # the printer refused a command until it is cleaned

    @property
    def asks(self) -> tuple[str, ...]:
        """Keys of CONDITIONS: what a person should see to soon."""
        left = self._upkeep.cards_until_cleaning
        found = {"cleaning_due": left is not None and left <= 0, "settings_changed": self._changed}
        return tuple(code for code in ASKS if found[code])

    @property
    def cards_until_cleaning(self) -> int | None:
        """As the printer last said."""
        return self._upkeep.cards_until_cleaning

    @property
    def rest_s(self) -> int:
        """How long the printer still has to rest, as people are told; 0: it may print."""
        return pace.told_s(pace.rest_left_s(self._pace, self._rule, self._clock()))

    def lost(self) -> None:
        """The printer cannot be asked: whoever answers next is read anew, for somebody may have turned its settings."""
        self._reading = None

    def refused(self, condition: str) -> None:
        """Something was refused with this condition."""
        self.must_clean = self.must_clean or condition in CLEANING

    def forgive(self) -> None:
        """GO was pressed: somebody has looked, perhaps cleaned it by its own buttons. Its settings are read anew."""
        self.must_clean, self._reading = False, None

    async def look(self, printer: PrinterIdentity, *, busy: bool) -> DeviceError | None:
        """Read the upkeep of the printer that answers, if that is due. Returns what broke the conversation, if anything did."""
        if printer.serial != self._serial:
            await self._meet(printer.serial)
        if self._changed:  # a person may have accepted it since
            self._changed = await self._differs(printer.serial)
        if not is_due(self._reading, self._clock(), busy=busy, stopped=self.must_clean):
            return None
        self._reading = _Reading(self._clock(), 0)  # also when it fails: no more often than that
        try:
            upkeep = await self._devices.printer.care()
        except DeviceError as error:
            logger.warning("upkeep not read", extra={"facts": {"lane": self._lane, "condition": error.condition}})
            self.refused(error.condition)
            return None if isinstance(error, DeviceRefused) else error
        self._upkeep = upkeep
        if upkeep.cards_until_cleaning is not None and upkeep.cards_until_cleaning > 0:
            self.must_clean = False
        await self._compare(printer.serial, upkeep.settings)
        return None

    async def card_over(self, began_s: float) -> None:
        """A card was printed since this moment."""
        if self._reading is not None:
            self._reading = _Reading(self._reading.at_s, self._reading.cards + 1)
        if self._rule.cards <= 0 or self._serial is None:
            return
        self._pace = pace.after_card(self._pace, self._rule, began_s, self._clock())
        await self._store.transact(pace.save, self._serial, self._pace, time_stamp())

    async def asked(self) -> CareAct | None:
        """What a person asked for and nobody did yet, or what was interrupted."""
        return await self._store.read(care_acts.open_in, self._lane)

    async def do(self, act: CareAct) -> DeviceError | None:
        """Do it, or find out how it ended. Returns the trouble that was met: while it leaves the act open, ask again later."""
        if act.begun:
            return await self._settle(act)
        try:
            serial, before = await self._before(act)
        except DeviceError as error:
            await self._end(act, End(Outcome.REFUSED, error.condition, error.detail))
            return None
        balance = await self._store.read(ledger.of_lane, self._lane)
        why = care_acts.obstacle(act.kind, before, self._devices.sensors.levels, balance.hopper)
        if why is not None:
            await self._end(act, End(Outcome.REFUSED, why))
            return None
        begun = await self._store.transact(care_acts.begin, act, serial, before)
        return await self._perform(begun)

    async def _perform(self, act: CareAct) -> DeviceError | None:
        sensors = self._devices.sensors
        passes, gaps = sensors.passes(Beam.FEED), sensors.gaps
        refusal: DeviceRefused | None = None
        try:
            await _ACTS[act.kind](self._devices.printer, Deadline.after(LIMIT_S[act.kind]))
        except DeviceUnknown as error:
            return error
        except DeviceAbsent as error:  # nothing was sent
            await self._end(act, End(Outcome.FAILED, error.condition, error.detail))
            return None
        except DeviceRefused as error:
            refusal = error
        try:
            after = await self._devices.printer.witness()
        except DeviceError as error:
            return error
        seen = self._watched and sensors.levels is not None and sensors.gaps == gaps
        passed = sensors.passes(Beam.FEED) - passes if seen else None
        if refusal is None:
            await self._end(act, End(Outcome.DONE, after=after, passed=passed))
        else:
            self.refused(refusal.condition)
            await self._end(act, End(Outcome.FAILED, refusal.condition, refusal.detail, after, passed))
        return refusal

    async def _settle(self, act: CareAct) -> DeviceError | None:
        """The end was not seen: the printer's counters are asked, unless it is another printer."""
        try:
            serial, after = await self._before(act)
        except DeviceError as error:
            return error
        await self._end(act, End(Outcome.UNKNOWN, "care_interrupted", "", after if serial == act.serial else None))
        return None

    async def _before(self, act: CareAct) -> tuple[str, PrinterWitness]:
        printer = self._devices.printer
        try:
            serial = (await printer.open()).serial
        except DeviceRefused as error:
            if act.kind is not Kind.CLEAN or error.condition not in MAY_CLEAN:
                raise
            serial = act.serial or self._serial or ""
        return serial, await printer.witness()

    async def _end(self, act: CareAct, how: End) -> None:
        if act.kind is Kind.CLEAN and how.outcome is Outcome.DONE:
            self.must_clean = False
        self._reading = None
        ended = await self._store.transact(care_acts.end, act, how)
        facts = {"lane": self._lane, "act": ended.kind, "outcome": ended.outcome, "condition": ended.condition,
                 "detail": ended.detail, "counted": ended.counted}  # fmt: skip
        logger.info("care", extra={"facts": facts})

    async def _meet(self, serial: str) -> None:
        self._serial, self._reading, self._upkeep = serial, None, PrinterCare()
        self._changed = await self._differs(serial)
        self._pace = await self._store.transact(pace.take_up, serial, time_stamp()) if self._rule.cards > 0 else None

    async def _differs(self, serial: str) -> bool:
        return any(setting.differs for setting in await self._store.read(printer_settings.known, serial))

    async def _compare(self, serial: str, read: Mapping[str, str]) -> None:
        old = await self._store.read(printer_settings.known, serial)
        if printer_settings.is_news(old, read):
            old = await self._store.transact(printer_settings.note, self._lane, serial, read)
        self._changed = any(setting.differs for setting in old)


_ACTS: Mapping[Kind, Callable[[CardPrinter, Deadline], Awaitable[None]]] = {
    Kind.CLEAN: lambda printer, deadline: printer.clean(deadline),
    Kind.TEST_CARD: lambda printer, deadline: printer.print_test_card(deadline),
}
