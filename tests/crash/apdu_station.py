"""A station that can be struck at any APDU of its chips (tests/fakes/apdu_lane.py), and what must be true of its blanks then."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from controller.clock import Deadline
from controller.errors import DeviceError, DeviceRefused, DeviceUnknown, RequestRefused
from controller.jobs import questions
from controller.jobs.evidence import Ask, ChipEvidence
from controller.jobs.recovery import read_contents
from controller.jobs.store import Store
from controller.model import JobState, Verdict
from tests.crash.person import Person
from tests.crash.station import Killed, MortalStore, Station, Strikes
from tests.fakes.apdu_chip import SamSlot, on_chip
from tests.fakes.apdu_faults import KINDS, SAM_KINDS, STATIC_SAM_KINDS
from tests.fakes.apdu_lane import READER, SAM, ApduHandLane, ApduLane, ChipBench, ChipCard
from tests.fakes.lane import Card
from tests.fakes.pcscd import Hung, PcscError

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens: at an APDU (`where` is "chip", or "taken": somebody takes the card away and leaves another), at a call of the
    key holder ("SAM"), at the n-th presentation to the reader ("field"), or to the card itself on its way back there ("card")."""

    where: str
    number: int
    kind: str
    kill: bool = False  # the daemon dies at the same moment

    def __str__(self) -> str:
        return f"{self.where} {self.number}: {self.kind}{', daemon killed' if self.kill else ''}"


class ApduPerson(Person):
    """Lays cards on a real desk reader. A card that is asked for while one is in the printer is taken out of there."""

    def __init__(self, station: ApduStation, lane: ApduLane) -> None:
        super().__init__(station)
        self._lane = lane

    async def _read(self, store: Store, card: Card) -> ChipEvidence | None:
        assert isinstance(card, ChipCard)
        desk, field = self._lane.bench.desk, self._lane.bench.desk_field
        field.place(card.blank)
        try:
            sight = await desk.identify(Deadline.after(1))
            asked = await store.read(questions.card_for, sight.uid)
            return await read_contents(desk, sight, asked.past)
        except (DeviceRefused, DeviceUnknown):
            self._unreadable.append(card)
            return None
        except RequestRefused:
            return None
        finally:
            await desk.release()
            field.place(None)

    def _candidates(self, kind: Ask) -> list[Card]:
        if kind is Ask.DESK:
            self._lane.take_out()
        return super()._candidates(kind)


class ApduStation(Station):
    """See Station."""

    def __init__(self, folder: Path, lane: ApduLane | ApduHandLane, faults: tuple[Fault, ...] = (), plan: str = "held") -> None:
        super().__init__(folder, plan, lane, Strikes())
        self.bench = lane.bench
        if isinstance(lane, ApduLane):
            self.person = ApduPerson(self, lane)
        self.files = self.bench.files
        self.faults = faults
        self.struck: list[Fault] = []  # those that came to pass
        self._loop: asyncio.AbstractEventLoop | None = None
        self.bench.field.before_each = self.bench.sam.before_each = self._alive
        for fault in faults:
            self._arm(fault)

    @property
    def honest(self) -> bool:
        """No chip was told to lie or to forget."""
        return all(KINDS[fault.kind].honest for fault in self.faults if fault.where == "chip")

    async def live(self) -> None:
        """As of every station."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().live()
        finally:
            await self.bench.let_go()
            await self.bench.desk.close()

    async def _let_go(self) -> None:
        await self.bench.let_go()

    async def _judge(self, store: MortalStore) -> list[str]:
        return [*await super()._judge(store), *await store.read(chip_promises, self)]

    def _look_again(self) -> None:
        if isinstance(self.lane, ApduHandLane):
            self.lane.look_again(self.status.condition)

    def _come_back(self) -> None:
        super()._come_back()
        self.bench.come_back()

    def _alive(self) -> None:
        if self._dead:
            raise Killed

    def _arm(self, fault: Fault) -> None:
        field, sam = self.bench.field, self.bench.sam
        if fault.where == "card":
            self.lane.before["to_chip_station"] = lambda: self._exchange(fault)
        elif fault.where == "taken":
            field.plan[fault.number] = lambda _field, raw: self._strike_with(fault, lambda: self._take_unseen(fault.kind, raw))
        elif fault.where == "field":
            make = field.make_stranger
            field.swap_at = (fault.number, fault.kind)
            field.make_stranger = lambda whose: self._note(fault, make(whose))
        elif fault.where == "chip":
            effect = KINDS[fault.kind].effect
            field.plan[fault.number] = lambda field, raw: self._strike_with(fault, lambda: effect(field, raw))
        elif isinstance(sam, SamSlot):
            sam_effect = SAM_KINDS[fault.kind]
            sam.plan[fault.number] = lambda slot, raw: self._strike_with(fault, lambda: sam_effect(slot, raw))
        else:
            raising = STATIC_SAM_KINDS[fault.kind]
            sam.plan[fault.number] = lambda: self._strike_with(fault, raising)

    def _strike_with(self, fault: Fault, effect: Callable[[], R]) -> R:
        """Called on a reader's thread."""
        self.struck.append(fault)
        self.losses += 1
        if not fault.kill:
            return effect()
        try:
            with suppress(PcscError, DeviceError):
                effect()
        except Hung:
            self.bench.pcscd.readers[READER if fault.where == "chip" else SAM].stuck = True
        self._dead = True
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._news.set)
        raise Killed

    def _exchange(self, fault: Fault) -> None:
        if not self.struck and isinstance(self.lane, ApduLane):
            self.lane.exchange(self._note(fault, fault.kind))

    def _take_unseen(self, whose: str, raw: bytes) -> bytes:
        assert isinstance(self.lane, ApduLane)
        self.lane.exchange_unseen(self.bench.stranger(whose))
        return self.bench.field.act(raw)

    def _note(self, fault: Fault, thing: R) -> R:
        self.struck.append(fault)
        self.losses += 1
        return thing


def chip_promises(db: sqlite3.Connection, station: ApduStation) -> list[str]:
    """What each blank is, held against what the books say of it: every promise that was not kept."""
    lane, bench = station.lane, station.bench
    verdicts: dict[str, list[Verdict]] = {}
    for uid, verdict in db.execute("SELECT chip_uid, verdict FROM passage WHERE chip_uid IS NOT NULL ORDER BY id"):
        verdicts.setdefault(uid, []).append(Verdict(verdict))
    wrong = [f"ribbon was spent on {uid}, whose chip is not good" for uid in bench.spoiled_ribbon]
    for place, cards in (("hopper", lane.hopper), ("tray", lane.output), ("bin", lane.rejected)):
        for card in cards:
            assert isinstance(card, ChipCard)
            wrong += _of_card(card, place, verdicts.get(card.chip.uid, []), bench)
            if station.honest and card.seems_other(bench.files):
                wrong.append(f"{card.chip.uid} in the {place} was not written to its end and reads as if it was")
    wrong += [f"{uid} was written again after it had been begun" for uid in bench.field.rewritten]
    wrong += [f"{blank.uid.hex()} is another's card and was written" for blank, was in bench.strangers if on_chip(blank) != was]
    if len(station.faults) == 1 and isinstance(lane, ApduLane):  # by hand a person may have to say what shall be done
        wrong += _of_job(db)
    return wrong


def _of_card(card: ChipCard, place: str, verdicts: list[Verdict], bench: ChipBench) -> Iterator[str]:
    uid = card.chip.uid
    proven = card.good_chip(bench.files) and card.face_complete
    if (place == "tray") != (Verdict.GOOD in verdicts):
        yield f"{uid} lies in the {place} and is {', '.join(verdicts) or 'nothing'} by the books"
    if Verdict.GOOD in verdicts and not proven:
        yield f"{uid} is good by the books and not in the world"
    if place == "tray" and not proven:
        yield f"{uid} is in the tray and is no good card"
    if verdicts and all(verdict is Verdict.STILL_BLANK for verdict in verdicts) and (card.touched or card.face):
        yield f"{uid} is still blank by the books and not in the world"
    if place == "hopper" and (card.touched or card.face):
        yield f"{uid} lies in the hopper and is no blank"


def _of_job(db: sqlite3.Connection) -> Iterator[str]:
    """One trouble is never more than one new blank can mend."""
    state = db.execute("SELECT state FROM job WHERE id = 1").fetchone()[0]
    if state != JobState.ISSUED:
        yield f"one fault, and the job is {state}"
