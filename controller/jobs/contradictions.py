"""Compares what a lane's sensors and its printer's counter say with the books. They only contradict: no balance is changed.

`contradictions` is pure; `Watch` gathers the facts between passages and raises the incidents, writing only when there is news.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from controller.clock import monotonic_s
from controller.jobs import incidents, ledger
from controller.jobs.store import Store
from controller.model import Balance, LaneLevels, PrinterWitness

HOPPER_GRACE_S = 30.0  # a person who fills the hopper needs this long to type the number, before or after
COMPARED_ENTRIES = 600  # about 200 cards: take a new base line for the counter then, so that the feeds since are counted fast


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that bears on it, while no card is in work in the lane."""

    levels: LaneLevels | None
    balance: Balance
    cards_fed: int | None  # the printer's life counter now; None when it cannot be asked
    last_cards_fed: int | None  # the same at the last comparison; None for a printer never seen in this lane
    fed: int  # blanks the books fed through this printer since
    hopper_odd_s: float  # how long the hopper's sensor has contradicted the books


@dataclass(frozen=True, slots=True)
class _News:
    """What has to be written: incidents, and the printer's counter as the new base line."""

    found: list[tuple[str, str]]
    lane: str
    serial: str
    cards_fed: int | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A printer's last comparison, and what the books hold since."""

    cards_fed: int | None  # its counter then; None for a printer never seen in this lane
    fed: int  # blanks fed through it since
    entries: int  # of any kind since: what there is to search


def contradictions(facts: Facts) -> list[tuple[str, str]]:
    """Incident kinds with their details. Pure."""
    found = []
    if facts.levels is not None and hopper_odd(facts.levels, facts.balance) and facts.hopper_odd_s >= HOPPER_GRACE_S:
        seen = "empty" if facts.levels.hopper_empty else "not empty"
        found.append(("hopper_sensor", f"the sensor sees the hopper {seen}, the ledger says {facts.balance.hopper}"))
    if facts.cards_fed is not None and facts.last_cards_fed is not None:
        moved = facts.cards_fed - facts.last_cards_fed
        if moved != facts.fed:
            found.append(("printer_counter", f"the printer counted {moved} cards, this station fed {facts.fed}"))
    return found


def hopper_odd(levels: LaneLevels, balance: Balance) -> bool:
    """Whether the sensor and the books disagree about an empty hopper."""
    return levels.hopper_empty == (balance.hopper > 0)


class Watch:
    """One lane's comparison. `look` is called once per turn, between passages."""

    def __init__(self, lane: str, clock: Callable[[], float] = monotonic_s) -> None:
        """`clock`: seconds that never jump."""
        self._lane = lane
        self._clock = clock
        self._odd_since_s: float | None = None

    async def look(self, store: Store, serial: str, witness: PrinterWitness | None, levels: LaneLevels | None) -> None:
        """Compare, and raise what is new. Does nothing while a passage of the lane is open: its counts are not settled yet."""
        news = await store.read(self._news, serial, witness, levels)
        if news is not None:
            await store.transact(_write, news)

    def _news(
        self, db: sqlite3.Connection, serial: str, witness: PrinterWitness | None, levels: LaneLevels | None
    ) -> _News | None:
        if db.execute("SELECT 1 FROM passage WHERE lane = ? AND state <> 'ended'", (self._lane,)).fetchone() is not None:
            return None
        balance = ledger.of_lane(db, self._lane)
        cards_fed = None if witness is None else witness.cards_fed
        seen = _Seen(None, 0, 0) if cards_fed is None else _last_seen(db, self._lane, serial)
        facts = Facts(levels, balance, cards_fed, seen.cards_fed, seen.fed, self._odd_s(levels, balance))
        found = contradictions(facts)
        is_old = seen.cards_fed is None or seen.entries >= COMPARED_ENTRIES
        counter_is_news = is_old or any(kind == "printer_counter" for kind, _ in found)
        fresh = [row for row in found if row[0] == "printer_counter" or not incidents.is_open(db, row[0], self._lane)]
        if not fresh and (facts.cards_fed is None or not counter_is_news):
            return None
        return _News(fresh, self._lane, serial, facts.cards_fed if counter_is_news else None)

    def _odd_s(self, levels: LaneLevels | None, balance: Balance) -> float:
        if levels is None or not hopper_odd(levels, balance):
            self._odd_since_s = None
            return 0.0
        now_s = self._clock()
        self._odd_since_s = now_s if self._odd_since_s is None else self._odd_since_s
        return now_s - self._odd_since_s


def _last_seen(db: sqlite3.Connection, lane: str, serial: str) -> _Seen:
    row = db.execute("SELECT cards_fed, entry_id FROM printer_seen WHERE serial = ? AND lane = ?", (serial, lane)).fetchone()
    if row is None:
        return _Seen(None, 0, 0)
    fed = db.execute(
        """SELECT count(*) FROM entry JOIN passage ON passage.id = entry.passage_id
           WHERE entry.target = ? AND entry.id > ? AND passage.printer_serial = ?""",
        (ledger.in_passage(lane), row["entry_id"], serial),
    ).fetchone()
    newest = db.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()
    return _Seen(row["cards_fed"], fed[0], newest[0] - row["entry_id"])


def _write(db: sqlite3.Connection, news: _News) -> None:
    for kind, detail in news.found:
        incidents.raise_incident(db, kind, news.lane, detail, add=kind == "printer_counter")
    if news.cards_fed is not None:
        db.execute(
            """INSERT INTO printer_seen (serial, lane, cards_fed, entry_id)
               VALUES (?, ?, ?, (SELECT coalesce(max(id), 0) FROM entry))
               ON CONFLICT (serial, lane) DO UPDATE SET cards_fed = excluded.cards_fed, entry_id = excluded.entry_id""",
            (news.serial, news.lane, news.cards_fed),
        )
