"""What the station believes, followed row by row from its own event log, and compared with the world after each card.

Nothing is scanned twice: every committed event is read once, its place in the chain is checked, and balances, jobs, passages and
questions are kept from it. The end compares this mirror with the tables themselves and has the log verified.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.jobs import ledger, queue
from controller.jobs.events import GENESIS_PREV
from controller.model import JobState
from tests.fakes.fast_chip import FastCard
from tools.soak.town import Broken, SoakLane, Town

KEPT_EVENTS = 40  # shown when a promise is broken
KEPT_UIDS = 50  # of issued cards: a cloned chip claims to be one of them

Facts = Mapping[str, Any]


@dataclass(slots=True)
class Open:
    """A passage without a verdict."""

    job: int
    lane: str
    question: str | None = None
    stage: str | None = None  # under way


class Books:
    """The mirror of one station. `catch_up` raises Broken when it contradicts itself or the world."""

    def __init__(self, town: Town, database: Path) -> None:
        self._town = town
        self._db = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, isolation_level=None)
        self.records: dict[str, bytes] = {}  # of every digest that was handed in
        self.hash, self.seq = GENESIS_PREV, 0
        self.last: deque[str] = deque(maxlen=KEPT_EVENTS)
        self.balances: Counter[str] = Counter()
        self.jobs: dict[int, str] = {}  # that are not issued
        self._wanted: dict[int, bytes] = {}
        self.issued: set[int] = set()
        self.failed: dict[int, None] = {}
        self.open: dict[int, Open] = {}
        self.asked: set[int] = set()
        self.verdicts: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.checks = 0
        self._kinds = {
            "job_accepted": self._job_accepted, "job_changed": self._job_changed, "passage_begun": self._passage_begun,
            "intent": self._intent, "outcome": self._outcome, "verdict": self._verdict, "question": self._question,
            "answer": self._answer, "ledger_entry": self._entry,
        }  # fmt: skip

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def catch_up(self) -> None:
        """Read what was committed since."""
        news = self._db.execute("SELECT seq, body, hash FROM event WHERE seq > ? ORDER BY seq", (self.seq,)).fetchall()
        for seq, body, digest in news:
            self.last.append(body)
            event = json.loads(body)
            linked = seq == event["seq"] == self.seq + 1 and event["prev"] == self.hash
            self._must(linked and hashlib.sha256(body.encode()).hexdigest() == digest, f"event {seq} does not continue the chain")
            self.seq, self.hash = seq, digest
            handle = self._kinds.get(event["kind"])
            if handle is not None:
                handle(event["facts"])

    def _must(self, kept: bool, promise: str) -> None:
        self.checks += 1
        if not kept:
            raise Broken(promise)

    # One event each

    def _job_accepted(self, facts: Facts) -> None:
        self.jobs[facts["job"]] = "ready"
        self._wanted[facts["job"]] = self.records[facts["record"]]

    def _job_changed(self, facts: Facts) -> None:
        job, state = facts["job"], facts["state"]
        self._must(job in self.jobs, f"job {job} changed after it was issued")
        self.jobs[job] = state
        self.failed.pop(job, None)
        if state == JobState.FAILED:
            self.failed[job] = None
        elif state == JobState.ISSUED:
            self.issued.add(job)
            del self.jobs[job], self._wanted[job]

    def _passage_begun(self, facts: Facts) -> None:
        clash = [number for number, row in self.open.items() if row.lane == facts["lane"] or row.job == facts["job"]]
        self._must(not clash, f"passage {facts['passage']} begins while {clash} is open")
        self._must(facts["job"] not in self.issued, f"job {facts['job']} is made again after it was issued")
        self.open[facts["passage"]] = Open(facts["job"], facts["lane"])

    def _intent(self, facts: Facts) -> None:
        passage = self._find(facts)
        self._must(passage.stage is None, f"passage {facts['passage']}: two stages under way")
        passage.stage = facts["stage"]

    def _outcome(self, facts: Facts) -> None:
        passage = self._find(facts)
        self._must(passage.stage is not None, f"passage {facts['passage']}: an outcome without an intent")
        passage.stage = None

    def _question(self, facts: Facts) -> None:
        passage = self._find(facts)
        others = [number for number, row in self.open.items() if row.lane == passage.lane and row.question is not None]
        self._must(not others, f"passage {facts['passage']}: lane {passage.lane} has a second open question")
        self._must(facts["passage"] not in self.asked, f"passage {facts['passage']} is asked about twice")
        self.asked.add(facts["passage"])
        passage.question = facts["kind"]
        self.questions[facts["kind"]] += 1

    def _answer(self, facts: Facts) -> None:
        self._must(self._find(facts).question is not None, f"passage {facts['passage']}: an answer that nobody asked for")
        self.answers[facts["row"]] += 1

    def _entry(self, facts: Facts) -> None:
        source, target, quantity = facts["source"], facts["target"], facts["quantity"]
        self.balances[source] -= quantity
        self.balances[target] += quantity
        floor = (ledger.SUPPLIER, ledger.SURPLUS, "ribbon_supplier", ledger.RIBBON_UNRECORDED)
        self._must(source in floor or self.balances[source] >= 0, f"account {source} is below zero")
        if source == ledger.STORE and target.startswith("hopper:"):
            self._town.lanes[target.removeprefix("hopper:")].owed += quantity
        if source == ledger.SURPLUS and target.startswith("passage:"):
            self._town.lanes[target.removeprefix("passage:")].gap += 1

    def _verdict(self, facts: Facts) -> None:
        passage = self._find(facts)
        self._must(passage.stage is None, f"passage {facts['passage']} ends while {passage.stage} is under way")
        del self.open[facts["passage"]]
        self.verdicts[facts["verdict"]] += 1
        self._compare(self._town.lanes[passage.lane], facts)

    def _find(self, facts: Facts) -> Open:
        number = facts["passage"]
        self._must(number in self.open, f"passage {number} is not open")
        return self.open[number]

    # The world

    def _compare(self, lane: SoakLane, facts: Facts) -> None:
        """A passage is over: put the card where its verdict says, as the person at the station does, and compare."""
        card, lane.current = lane.current, None
        where = self._take(lane, card)
        {"good": self._good, "spoiled": self._spoiled, "still_blank": self._still_blank}[facts["verdict"]](
            lane, card, where, facts
        )
        for extra in [*lane.tray, *lane.rejected]:
            lane.settle_extra(extra)
        lane.tray.clear()
        lane.rejected.clear()
        self._compare_lane(lane)

    @staticmethod
    def _take(lane: SoakLane, card: FastCard | None) -> str:
        """Where the passage's card is; it is picked up when it lies in a tray."""
        for name, place in (("tray", lane.tray), ("rejected", lane.rejected)):
            if card in place:
                place.remove(card)
                return name
        return "nowhere" if card is None else "inside" if card is lane.inside else "lost"

    def _good(self, lane: SoakLane, card: FastCard | None, where: str, facts: Facts) -> None:
        self._must(card is not None and where == "tray", f"lane {lane.name}: a good card that is not in the output bin: {where}")
        assert card is not None
        wanted = self._town.contents.wanted(self._wanted[facts["job"]])
        self._must(card.uid == facts["uid"], f"lane {lane.name}: card {card.uid} was called good, {facts['uid']} is on it")
        self._must(card.faces == [wanted.face], f"lane {lane.name}: a good card whose face is not printed exactly once and whole")
        self._must(card.files == wanted.files and not card.dead, f"lane {lane.name}: a good card whose chip is not whole")
        self._town.output += 1
        if len(self._town.used_uids) < KEPT_UIDS:
            self._town.used_uids.append(card.uid)

    def _spoiled(self, lane: SoakLane, card: FastCard | None, where: str, facts: Facts) -> None:
        if facts["missing"]:
            self._must(where in ("lost", "nowhere"), f"lane {lane.name}: a card was called missing and is {where}")
            lane.gap -= card is None  # the books took a blank for it that never left the hopper
            return
        self._must(where in ("tray", "rejected"), f"lane {lane.name}: a card was called spoiled and is {where}")
        assert card is not None
        lane.bin.append(card)

    def _still_blank(self, lane: SoakLane, card: FastCard | None, where: str, _facts: Facts) -> None:
        if card is not None:
            self._must(not card.faces and not any(card.files.values()), f"lane {lane.name}: a marked card was called blank")
        if where == "lost":
            # The one hole that no evidence fills: taken by somebody while all was dark, before the printer had counted it
            # (reliability.md 2.4). Then the hopper has to be counted, and the count must find it.
            asked = "SELECT 1 FROM incident WHERE kind = 'count_required' AND place = ? AND explained_us IS NULL"
            self._must(self._db.execute(asked, (lane.name,)).fetchone() is not None, f"lane {lane.name}: a blank is lost unseen")
            lane.gap += 1
            return
        self._must(where in ("nowhere", "tray"), f"lane {lane.name}: a card was called still blank and is {where}")
        if card is not None:
            lane.load([card])

    def _compare_lane(self, lane: SoakLane) -> None:
        self._equal(ledger.hopper(lane.name), len(lane.hopper) + lane.gap + lane.owed)
        self._equal(ledger.reject_bin(lane.name), len(lane.bin) + lane.bin_gap)
        self._equal(ledger.in_passage(lane.name), 0)
        self._must(lane.inside is None, f"lane {lane.name}: a card is inside and no passage knows it")
        self._equal(ledger.ISSUED, self._town.output)

    def _equal(self, account: str, world: int) -> None:
        self._must(self.balances[account] == world, f"{account}: the ledger says {self.balances[account]}, the world {world}")

    # The end

    def compare_tables(self, db: sqlite3.Connection) -> None:
        """The mirror against the tables, in full."""
        self.catch_up()
        self._must(ledger.faults(db) == [], "stored balances differ from the sum of the entries")
        for account, balance in ledger.balances(db).items():
            self._must(
                self.balances[account] == balance, f"{account}: the table says {balance}, the log {self.balances[account]}"
            )
        self._must(sum(self.balances.values()) == 0, "the sum of all balances is not zero")
        counts = queue.counts(db)
        self._must(
            counts[JobState.ISSUED] == len(self.issued) == self._town.output, f"issued: {counts}, world {self._town.output}"
        )
        good = db.execute("SELECT count(*), count(DISTINCT job_id), count(DISTINCT chip_uid) FROM passage WHERE verdict = 'good'")
        self._must(set(good.fetchone()) == {self._town.output}, "good passages, their jobs and their chips are not as many")
