"""The person at a station in memory: answers a question by what can be seen, and puts each card where it then belongs."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from controller.clock import Deadline
from controller.errors import DeviceRefused, RequestRefused
from controller.jobs import questions
from controller.jobs.evidence import Ask, ChipEvidence, Look
from controller.jobs.questions import Question
from controller.jobs.recovery import read_contents
from controller.jobs.store import Store
from controller.model import Verdict
from tests.fakes.chip import ektp
from tests.fakes.chip_station import FakeChipStation
from tests.fakes.lane import Card, FakeLane


class Workplace(Protocol):
    """Where the person stands."""

    lane: FakeLane


class Person:
    """Reads the display, lays cards on the desk reader, presses GO and HOLD. Nobody steals a card, so none is ever missing."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._desk = FakeChipStation(ektp())
        self._in_hand: Card | None = None  # it was laid down, and where it belongs is not known yet
        self._unreadable: list[Card] = []  # the desk reader got no answer from these
        self._done: list[Card] = []  # cards that need no more care
        self.answered: list[Look | str] = []  # what was said

    async def come_back(self, store: Store) -> None:
        """After a restart: a card in hand whose passage got its verdict meanwhile goes where it belongs."""
        if self._in_hand is not None:
            verdict = await store.read(_verdict_of, self._in_hand.chip.uid)
            if verdict is not None:
                self._put_away(verdict)

    async def answer(self, store: Store) -> None:
        """Do what the display asks for; nothing when the question is gone already."""
        asked = await store.read(questions.open_all)
        if not asked:
            return
        question = asked[0]
        if question.kind is Ask.LOOK:
            await self._look(store, question)
        elif not await self._lay_down(store, question.kind):
            await self._say(store, question, self._about_the_rest(question.kind))

    async def tidy(self, store: Store) -> None:
        """The job is over: every card lies where it belongs."""

    def look_round(self) -> None:
        """Nothing is asked: whatever lies in tray and reject bin now belongs there."""
        self._done.extend((*self._place.lane.output, *self._place.lane.rejected))

    async def _look(self, store: Store, question: Question) -> None:
        if self._in_hand is None:
            raise AssertionError("a look is asked for and no card is in hand")
        await self._say(store, question, Look.COMPLETE if self._in_hand.face_complete else Look.SPOILED)

    def _about_the_rest(self, kind: Ask) -> Look:
        """No card that can be read is the one: one that cannot be read is spoiled; without one, tray empty or card missing."""
        dead = [card for card in self._candidates(kind) if card in self._unreadable]
        self._in_hand = dead[0] if dead else None
        if dead:
            return Look.SPOILED
        return Look.NONE if kind is Ask.TRAY else Look.MISSING

    async def _say(self, store: Store, question: Question, said: Look) -> None:
        self.answered.append(said)
        ruling = await store.transact(questions.look, question.id, said, "budi", "seen", 1)
        self._put_away(Verdict(ruling.answer))

    async def _lay_down(self, store: Store, kind: Ask) -> bool:
        """Lay each card that lies about on the desk reader, newest first, until one is the one."""
        for card in self._candidates(kind):
            chip = await self._read(store, card)
            if chip is None:
                continue
            self._in_hand = card
            try:
                question = await store.read(questions.card_for, card.chip.uid)
                ruling = await store.transact(questions.sight, question.id, chip, 1)
            except RequestRefused:
                self._in_hand = None
                continue
            self.answered.append("desk")
            if ruling.ask is None:
                self._put_away(Verdict(ruling.answer))
            return True
        return False

    async def _read(self, store: Store, card: Card) -> ChipEvidence | None:
        wire, card.chip.wire = card.chip.wire, lambda _point: None  # the desk reader is no part of the lane
        self._desk.card = card.chip
        try:
            sight = await self._desk.identify(Deadline.after(1))
            asked = await store.read(questions.card_for, sight.uid)
            return await read_contents(self._desk, sight, asked.past)
        except DeviceRefused:
            self._unreadable.append(card)
            return None
        except RequestRefused:
            return None
        finally:
            card.chip.wire = wire

    def _candidates(self, kind: Ask) -> list[Card]:
        """Cards that lie about: in the output tray, and when any card is asked for in the reject bin too; newest first."""
        lane = self._place.lane
        cards = [*reversed(lane.output), *(() if kind is Ask.TRAY else reversed(lane.rejected))]
        return [card for card in cards if card not in self._done]

    def _put_away(self, verdict: Verdict) -> None:
        card, self._in_hand = self._in_hand, None
        if card is None:
            return
        lane = self._place.lane
        if verdict is Verdict.GOOD:
            self._done.append(card)
            return
        for pile in (lane.output, lane.rejected):
            if card in pile:
                pile.remove(card)
        if verdict is Verdict.STILL_BLANK:
            lane.hopper.append(card)
        else:
            lane.rejected.append(card)
            self._done.append(card)


def _verdict_of(db: sqlite3.Connection, uid: str) -> Verdict | None:
    row = db.execute("SELECT verdict FROM passage WHERE chip_uid = ? ORDER BY id DESC LIMIT 1", (uid,)).fetchone()
    return None if row is None or row[0] is None else Verdict(row[0])
