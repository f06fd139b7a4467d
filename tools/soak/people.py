"""The people of the office: each condition that a lane shows has somebody who does what it asks for, with what they really see.

They fill hoppers and ribbons, clear jams, answer questions, press HOLD and GO, hand records in, try failed jobs again and count
at the end of the day. Everything goes through the station's own functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from controller.clock import Deadline
from controller.errors import DeviceError, RequestRefused
from controller.jobs import questions, queue
from controller.jobs.evidence import Ask, Look
from controller.jobs.questions import Question
from controller.jobs.recovery import read_contents
from controller.jobs.spool import Spool
from controller.jobs.verdict import Answer, Ruling
from tests.fakes.fast_chip import FastCard, FastChipStation
from tools.soak.books import Books
from tools.soak.clerk import Clerk
from tools.soak.contents import Contents
from tools.soak.station import MAX_REMAKES, Life, StationGoneError
from tools.soak.storeroom import Storeroom
from tools.soak.town import LANES, WHO, Broken, SoakLane, Town

BACKLOG = 4 * LANES  # jobs that wait, so that no lane is ever without one
COMES_S = (0.5, 4.0)  # until somebody comes
AGAIN_S = 5.0  # somebody who could do nothing looks again
LOOK_S = 5.0  # at most for one card on the desk reader
COUNT_EVERY = 700  # cards
RETRIED = 0.2  # of the failed jobs, at each card
TAKEN_OUT = 0.3  # of the cards in a jam: the person takes them out


class People:
    """Everybody; they outlive the station."""

    def __init__(self, town: Town, books: Books, spool: Spool, wanted: int, fail: Callable[[BaseException], None]) -> None:
        """`wanted`: jobs to hand in."""
        self.clerk = Clerk()
        self.finished = asyncio.Event()
        self._town = town
        self._books = books
        self._spool = spool
        self._wanted = wanted
        self._fail = fail
        self._storeroom = Storeroom(town, books, self.clerk)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._handed_in = 0
        self._handing_in = self._counting = False
        self._count_due = COUNT_EVERY
        self._at_desk = asyncio.Lock()
        self._desk_card: FastCard | None = None
        self._desk = FastChipStation(town.chip, lambda: self._desk_card, town.air_s)
        self._does: dict[str, Callable[[SoakLane], Coroutine[Any, Any, None]]] = {
            "hopper_empty": self._storeroom.load, "hopper_uncounted": self._storeroom.load,
            "ribbon_end": self._storeroom.new_ribbon, "rejects_in_row": self._go, "feed_unproven": self._recount,
            "held_by_operator": self._go, "card_jam": self._clear, "card_stuck": self._clear, "printer_refused": self._clear,
            "printer_error": self._clear, "card_inside": self._clear, "interrupted": self._look_at_feeder,
            "ask_tray": self._answer, "ask_desk": self._answer, "ask_look": self._answer,
        }  # fmt: skip

    def station_is_up(self, life: Life) -> None:
        """A new life of the station: the same people."""
        self.clerk.station_is_up(life)
        self.card_over()
        for lane in self._town.lanes.values():
            self.see(lane)

    def see(self, lane: SoakLane) -> None:
        """What a lane shows has changed: somebody may have to do something, in a moment."""
        if lane.status.condition in self._does and not lane.busy:
            lane.busy = True
            asyncio.get_running_loop().call_later(self._town.spread(*COMES_S), self.start, self._attend(lane))

    def card_over(self) -> None:
        """A card is done: hand in more, retry what failed, count when it is time."""
        books = self._books
        if len(books.issued) >= self._wanted:
            self.finished.set()
            return
        if not self._handing_in and self._handed_in < self._wanted and len(books.jobs) < BACKLOG:
            self._handing_in = True
            self.start(self._hand_in())
        for job in books.failed:
            if self._town.rng.random() < RETRIED:
                self.start(self._retry(job))
        if len(books.issued) >= self._count_due and not self._counting:
            self._counting, self._count_due = True, self._count_due + COUNT_EVERY
            self.start(self._day_count())

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Somebody does something, whatever becomes of the station meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StationGoneError):
            self._fail(error)

    async def _attend(self, lane: SoakLane) -> None:
        """Do what the lane's condition asks for, then look again in a while in case it did not help."""
        handle = self._does.get(lane.status.condition or "")
        try:
            if handle is not None and self.clerk.life is not None:
                await handle(lane)
        finally:
            lane.busy = False
            asyncio.get_running_loop().call_later(AGAIN_S, self.see, lane)

    # Jobs

    async def _hand_in(self) -> None:
        while self._handed_in < self._wanted and len(self._books.jobs) < BACKLOG:
            number = self._handed_in
            record, digest = Contents.record(number), f"digest {number}"
            self._books.records[digest] = record
            life = await self.clerk.station()
            try:
                await life.transact(queue.accept, self._spool, digest, f"r{number}", record)
            except StationGoneError:
                await asyncio.sleep(AGAIN_S)
                continue  # the centre sends it again
            self._handed_in += 1
            self._books.catch_up()
        self._handing_in = False
        if self.clerk.life is not None:
            self.clerk.life.job_arrived()

    async def _retry(self, job: int) -> None:
        try:
            await self.clerk.book(lambda db: {"job": queue.retry(db, job, WHO, "try again").id})
        except RequestRefused:
            return  # somebody was quicker
        self.clerk.changed()

    # Buttons and hands

    async def _go(self, lane: SoakLane) -> None:
        if lane.status.condition != "held_by_operator" or not self._counting:
            await self.clerk.press(held=False)

    async def _recount(self, lane: SoakLane) -> None:
        """Printer and beam disagreed: count this hopper, then GO."""
        await self._storeroom.recount(lane)
        await self._go(lane)

    async def _day_count(self) -> None:
        await self._storeroom.day_count()
        self._counting = False

    async def _clear(self, lane: SoakLane) -> None:
        """Open the printer. A card that is taken out lies in the tray after that."""
        if lane.motion is not None:
            return
        lane.misfeeds = 0
        orphan = lane.status.condition == "card_inside"
        if orphan:
            self._town.faults["card inside without a passage"] += 1
        lane.tray.extend(lane.clear(take_out=orphan or self._town.rng.random() < TAKEN_OUT))
        self.clerk.changed()

    async def _look_at_feeder(self, lane: SoakLane) -> None:
        """Nothing came out of the hopper again and again: straighten the blanks, then GO."""
        lane.misfeeds = 0
        await self._go(lane)

    # Questions

    async def _answer(self, _lane: SoakLane) -> None:
        """The display shows the oldest question: that one is answered first, whichever lane called."""
        async with self._at_desk:
            life = await self.clerk.station()
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
        self.clerk.changed()

    async def _lay_down(self, life: Life, question: Question, card: FastCard) -> Ruling | None:
        """Put the card on the desk reader, as controller.desk_reader reads it. None: that was no answer yet."""
        self._desk_card = card
        try:
            sight = await self._desk.identify(Deadline.after(LOOK_S))
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
        elif kind is Ask.LOOK and self._town.looks_whole(card):
            said = Look.COMPLETE
        else:
            said = Look.SPOILED
        ruling = await life.transact(questions.look, question.id, said, WHO, "looked", MAX_REMAKES)
        self._town.rulings[ruling.row] += 1
