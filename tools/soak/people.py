"""The people of the office: they fill hoppers and ribbons, clear jams, answer questions with what they really see, press HOLD and
GO, hand records in, try failed jobs again, count at the end of the day. Everything goes through the station's own functions.

What a person books is done once however often the station dies meanwhile: the key of the act remembers (controller.jobs.acts).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from controller.clock import Deadline
from controller.errors import DeviceError, RequestRefused
from controller.jobs import acts, batches, incidents, journal, ledger, questions, queue, ribbons, stock
from controller.jobs.evidence import Ask, Look
from controller.jobs.questions import Question
from controller.jobs.recovery import read_contents
from controller.jobs.spool import Spool
from controller.jobs.verdict import Answer, Ruling
from tests.fakes.fast_chip import FastCard, FastChipStation
from tools.soak.books import Books
from tools.soak.contents import Contents
from tools.soak.station import MAX_REMAKES, Life, StationGoneError
from tools.soak.town import LANES, Broken, SoakLane, Town

WHO = "budi"
BACKLOG = 4 * LANES  # jobs that wait, so that no lane is ever without one
BATCH = 2000
RIBBON = 200
RIBBONS_AT_ONCE = 50
LOADED = (60, 120)
AGAIN_S = 5.0  # somebody who could do nothing looks again
COUNT_EVERY = 700  # cards

Work = Callable[[sqlite3.Connection], Mapping[str, Any]]


class People:
    """Everybody. `life` is the station as it is now; each of its lives gets the same people."""

    def __init__(self, town: Town, books: Books, spool: Spool, records: dict[str, bytes], wanted: int,
                 fail: Callable[[BaseException], None]) -> None:  # fmt: skip
        self._town = town
        self._books = books
        self._spool = spool
        self._records = records
        self._wanted = wanted  # jobs to hand in
        self._handed_in = 0
        self._keys = 0
        self._handing_in = self._counting = False
        self._count_due = COUNT_EVERY
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._desk_card: FastCard | None = None
        self._at_desk = asyncio.Lock()
        self._desk = FastChipStation(town.chip, lambda: self._desk_card, town.air_s)
        self._fail = fail
        self.finished = asyncio.Event()
        self.life: Life | None = None
        self._up = asyncio.Event()
        self._answers: dict[str, Callable[[SoakLane], Coroutine[Any, Any, None]]] = {
            "hopper_empty": self._load, "hopper_uncounted": self._load, "ribbon_end": self._new_ribbon,
            "rejects_in_row": self._go, "feed_unproven": self._recount, "held_by_operator": self._go,
            "card_jam": self._clear, "card_stuck": self._clear, "printer_refused": self._clear, "card_inside": self._clear,
            "ask_tray": self._answer, "ask_desk": self._answer, "ask_look": self._answer,
        }  # fmt: skip

    def station_is_up(self, life: Life) -> None:
        """A new life of the station."""
        self.life = life
        self._up.set()
        self.card_over()
        for lane in self._town.lanes.values():
            self.see(lane)

    def station_is_down(self) -> None:
        """It died."""
        self._up.clear()
        self.life = None

    def see(self, lane: SoakLane) -> None:
        """What a lane shows has changed: somebody may have to do something, in a moment."""
        if lane.status.condition in self._answers and not lane.busy:
            lane.busy = True
            self._town.conditions[str(lane.status.condition)] += 1
            asyncio.get_running_loop().call_later(self._town.spread(0.5, 4.0), self.start, self._attend(lane))

    def card_over(self) -> None:
        """A card is done: hand in more, retry what failed, count when it is time."""
        books = self._books
        if len(books.issued) >= self._wanted:
            self.finished.set()
            return
        waiting = len(books.jobs)
        if not self._handing_in and self._handed_in < self._wanted and waiting < BACKLOG:
            self._handing_in = True
            self.start(self._hand_in())
        for job in books.failed:
            if self._town.rng.random() < 0.2:
                self.start(self._retry(job))
        if len(books.issued) >= self._count_due and not self._counting:
            self._counting, self._count_due = True, self._count_due + COUNT_EVERY
            self.start(self._day_count())

    def press(self, *, held: bool) -> None:
        """HOLD or GO."""
        self.start(self._press(held=held))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Somebody does something, whatever becomes of the station meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    # How they do it

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StationGoneError):
            self._fail(error)

    async def _attend(self, lane: SoakLane) -> None:
        """Do what the lane's condition asks for, then look again in a while in case it did not help."""
        handle = self._answers.get(lane.status.condition or "")
        try:
            if handle is not None and self.life is not None:
                await handle(lane)
        finally:
            lane.busy = False
        asyncio.get_running_loop().call_later(AGAIN_S, self.see, lane)

    async def _book(self, work: Work) -> Mapping[str, Any]:
        """Book something, surely and once. Raises RequestRefused."""
        self._keys += 1
        key = f"soak {self._keys}"
        while True:
            life = await self._station()
            try:
                return await life.transact(acts.once, key, {"key": key}, work)
            except StationGoneError:
                await asyncio.sleep(1.0)

    async def _station(self) -> Life:
        while self.life is None:
            await self._up.wait()
        return self.life

    def _changed(self) -> None:
        if self.life is not None:
            self.life.changed()

    # Stock

    async def _load(self, lane: SoakLane) -> None:
        town = self._town
        number = town.rng.randint(*LOADED)
        await self._receive(number)
        await self._book(lambda db: {"held": stock.load(db, lane.name, number, WHO, "loaded")})
        really = number
        chance = town.rng.random()
        if chance < 0.02:
            really += 1 if chance < 0.01 else -1
            town.faults["hopper miscounted"] += 1
        self._books.catch_up()
        lane.owed -= number
        lane.gap += number - really
        town.stored -= number  # what lies beside the hopper is back in the cupboard only when it is counted
        lane.load([town.blank() for _ in range(really)])
        self._changed()

    async def _receive(self, number: int) -> None:
        town = self._town
        while town.stored < number:
            town.batches += 1
            first, last = town.listed_up_to + 1, town.listed_up_to + BATCH
            town.listed_up_to = last
            name, uids = f"B{town.batches}", [f"{first:014X}-{last:014X}"]
            town.stored += BATCH
            await self._book(lambda db, n=name, u=uids: {"batch": batches.receive(db, n, BATCH, "DO-1", WHO, "delivery", u).id})  # type: ignore[misc]  # bound now

    async def _new_ribbon(self, lane: SoakLane) -> None:
        def fit(db: sqlite3.Connection) -> Mapping[str, Any]:
            if ledger.held(db, ledger.RIBBON_STORE) < RIBBON:
                name = f"R{self._keys}"
                batches.receive(db, name, RIBBON * RIBBONS_AT_ONCE, "DO-2", WHO, "delivery", item=ledger.RIBBON)
            ribbons.fit(db, lane.name, RIBBON, WHO, "used up")
            return {}

        await self._book(fit)
        lane.ribbon = RIBBON
        self._changed()

    async def _recount(self, lane: SoakLane) -> None:
        """Printer and beam disagreed: count this hopper, then GO."""
        if lane.motion is None and not any(row.lane == lane.name for row in self._books.open.values()):
            await self._count(ledger.hopper(lane.name), lane)
        await self._go(lane)

    async def _count(self, account: str, lane: SoakLane) -> None:
        """A blind count: what the station answers must be exactly what is known to differ."""
        in_hopper = account == ledger.hopper(lane.name)
        self._books.catch_up()
        if in_hopper and lane.owed:
            return  # somebody is filling it
        counted, off = (len(lane.hopper), lane.gap) if in_hopper else (len(lane.bin), lane.bin_gap)

        def work(db: sqlite3.Connection) -> Mapping[str, Any]:
            return {"difference": stock.count(db, account, counted, WHO, "day count", lane.name).difference}

        try:
            difference = (await self._book(work))["difference"]
        except RequestRefused:
            return  # a card came into work meanwhile: another time
        if difference != -off:
            raise Broken(f"{account}: a count found {difference}, {-off} are known to differ")
        self._town.faults["counts"] += 1
        self._town.faults["counts that found a difference"] += off != 0
        if in_hopper:
            lane.gap -= off
        else:
            lane.bin_gap -= off

    async def _day_count(self) -> None:
        """HOLD, wait until every lane rests, count everything, destroy the rejects, explain what was odd, GO."""
        await self._press(held=True)
        while any(lane.motion is not None for lane in self._town.lanes.values()) or self._books.open:
            await asyncio.sleep(AGAIN_S)
            self._books.catch_up()
        for lane in self._town.lanes.values():
            await self._count(ledger.hopper(lane.name), lane)
            await self._count(ledger.reject_bin(lane.name), lane)
            await self._destroy(lane)
        await self._book(self._explain)
        await self._press(held=False)
        self._counting = False

    async def _destroy(self, lane: SoakLane) -> None:
        number = len(lane.bin)
        if number == 0 or lane.bin_gap:
            return
        await self._book(lambda db: {"left": stock.destroy(db, ledger.reject_bin(lane.name), number, "BA-1", WHO, "day end")})
        del lane.bin[:number]

    @staticmethod
    def _explain(db: sqlite3.Connection) -> Mapping[str, Any]:
        found = incidents.open_incidents(db)
        for incident in found:
            incidents.explain(db, incident.id, WHO, "looked into")
        return {"explained": len(found)}

    # Jobs

    async def _hand_in(self) -> None:
        while self._handed_in < self._wanted and len(self._books.jobs) < BACKLOG:
            number = self._handed_in
            record, digest = Contents.record(number), f"digest {number}"
            self._records[digest] = record
            life = await self._station()
            try:
                await life.transact(queue.accept, self._spool, digest, f"r{number}", record)
            except StationGoneError:
                await asyncio.sleep(1.0)
                continue  # the centre sends it again
            self._handed_in += 1
            self._books.catch_up()
        self._handing_in = False
        if self.life is not None:
            self.life.job_arrived()

    async def _retry(self, job: int) -> None:
        try:
            await self._book(lambda db: {"job": queue.retry(db, job, WHO, "try again").id})
        except RequestRefused:
            return  # somebody was quicker
        self._changed()

    # Buttons and hands

    async def _press(self, *, held: bool) -> None:
        life = await self._station()
        life.go(held=held)
        await self._book(lambda db: {"held": journal.set_held_flag(db, held=held)})
        if self.life is not None and self.life.held != held:  # it died in between, before it had written that down
            self.life.go(held=held)

    async def _go(self, lane: SoakLane) -> None:
        if lane.status.condition == "held_by_operator" and self._counting:
            return
        await self._press(held=False)

    async def _clear(self, lane: SoakLane) -> None:
        """Open the printer. A card that is taken out lies in the tray after that."""
        if lane.motion is not None:
            return
        lane.misfeeds = 0
        orphan = lane.status.condition == "card_inside"
        if orphan:
            self._town.faults["card inside without a passage"] += 1
        lane.tray.extend(lane.clear(take_out=orphan or self._town.rng.random() < 0.3))
        self._changed()

    async def _answer(self, _lane: SoakLane) -> None:
        """The display shows the oldest question: that one is answered first, whichever lane called."""
        async with self._at_desk:
            life = await self._station()
            shown = await life.read(questions.open_all)
            if shown:
                await self._answer_shown(life, shown[0], self._town.lanes[shown[0].passage.lane])

    async def _answer_shown(self, life: Life, question: Question, lane: SoakLane) -> None:
        if lane.inside is not None and lane.motion is None:  # of a printer that was exchanged, or that nobody believes
            lane.tray.extend(lane.clear(take_out=True))
        card = next((card for card in (*lane.tray, *lane.rejected) if card is lane.current), None)
        ruling = None
        if card is not None and not card.dead and question.kind is not Ask.LOOK:
            ruling = await self._lay_down(life, question, card)
        if ruling is None:
            await self._say(life, question, card)
        self._books.catch_up()
        self._changed()

    async def _lay_down(self, life: Life, question: Question, card: FastCard) -> Ruling | None:
        """Put the card on the desk reader, as controller.desk_reader reads it. None: it is not the one that is asked for."""
        self._desk_card = card
        try:
            sight = await self._desk.identify(Deadline.after(5.0))
            found = await life.read(questions.card_for, sight.uid)
            chip = await read_contents(self._desk, sight, found.past)
            ruling = await life.transact(questions.sight, found.id, chip, MAX_REMAKES)
        except (RequestRefused, DeviceError):
            self._town.faults["desk: not that card"] += 1
            return None
        finally:
            self._desk_card = None
        self._town.rulings[ruling.row] += 1
        if found.id != question.id:
            raise Broken(f"question {question.id}: its card answered question {found.id}")
        return None if ruling.answer is Answer.ASK else ruling

    async def _say(self, life: Life, question: Question, card: FastCard | None) -> None:
        """Say what is seen, of the question as it is by now."""
        kind = next((row.kind for row in await life.read(questions.open_all) if row.id == question.id), None)
        if kind is None:
            return
        if card is None:
            said = Look.NONE if kind is Ask.TRAY else Look.MISSING
        elif kind is Ask.LOOK and len(card.faces) == 1 and len(card.faces[0]) == len(self._town.lanes["1"].profile.raster.panels):
            said = Look.COMPLETE
        else:
            said = Look.SPOILED
        ruling = await life.transact(questions.look, question.id, said, WHO, "looked", MAX_REMAKES)
        self._town.rulings[ruling.row] += 1
