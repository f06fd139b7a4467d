"""The person at a lane in memory that is fed by hand: answers what is asked with the card before their eyes."""

from __future__ import annotations

import sqlite3

from controller.jobs import questions
from controller.jobs.evidence import Ask, Look
from controller.jobs.store import Store
from controller.model import Verdict
from tests.fakes.by_hand import HandLane
from tests.fakes.lane import Card

PATIENCE = 5  # looks at the display before a card that lies there is called dead


class HandPerson:
    """Lays cards on the lane's own reader, presses GO and HOLD. Nobody steals a card, so none is ever missing."""

    def __init__(self, lane: HandLane) -> None:
        self._lane = lane
        self._waited = 0  # looks at the display since the last card was laid down
        self._tried: tuple[int, list[Card]] = (0, [])  # the question, and what was laid down for it
        self.answered: list[Look | str] = []  # what was said

    async def come_back(self, store: Store) -> None:
        """After a restart everything lies where it was."""

    def look_round(self) -> None:
        """The display says where each card goes."""

    async def answer(self, store: Store) -> None:
        """Lay down the card that is asked for, or look at its face."""
        asked = await store.read(questions.open_all)
        if not asked:
            return
        question = asked[0]
        if question.kind is Ask.LOOK:
            card = self._lane.reader
            whole = card is not None and card.face_complete
            await self._say(store, question.id, Look.COMPLETE if whole else Look.SPOILED)
            return
        tried = self._tried[1] if self._tried[0] == question.id else []
        rest = [card for card in self._lane.loose() if card not in tried]
        if rest:
            self._tried, self._waited = (question.id, [*tried, rest[0]]), 0
            self._lane.bring(rest[0])
        elif not tried:
            await self._say(store, question.id, Look.MISSING)
        elif self._waited < PATIENCE:
            self._waited += 1
        else:  # none of them answers: the one in hand has a dead chip
            await self._say(store, question.id, Look.SPOILED)

    async def tidy(self, store: Store) -> None:
        """The job is over: put away what lies about as the books say."""
        lane = self._lane
        for card in lane.loose():
            verdict: Verdict | None = await store.read(_verdict_of, card.chip.uid)
            pile = {Verdict.GOOD: lane.output, Verdict.SPOILED: lane.rejected}.get(verdict) if verdict is not None else None
            if pile is not None:
                lane.put_away(card, pile)
            else:
                lane.bring(card)
                lane.hopper.append(card)
                lane.reader = None

    async def _say(self, store: Store, question_id: int, said: Look) -> None:
        self.answered.append(said)
        if said is Look.SPOILED and self._lane.reader is not None:
            self._lane.put_away(self._lane.reader, self._lane.rejected)
        await store.transact(questions.look, question_id, said, "budi", "seen", 1)


def _verdict_of(db: sqlite3.Connection, uid: str) -> Verdict | None:
    row = db.execute("SELECT verdict FROM passage WHERE chip_uid = ? ORDER BY id DESC LIMIT 1", (uid,)).fetchone()
    return None if row is None or row[0] is None else Verdict(row[0])
