"""A print room on simulated hardware for the crash runs: the two processes, the person who works there, and the truth.

The oracle is the simulator's world; nothing of the station is believed without it. For `tools/sandbox`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from controller.client import StationUnreachable
from tests.scenario.records import as_bytes, fresh_record
from tools import ejecting
from tools.agreement import disagreements, good_cards
from tools.person import Person
from tools.rig import Rig

Json = dict[str, Any]

BLANKS = 90  # a hopper's worth
SETTLE_LIMIT_S = 240.0  # until every job of a round has its card


class Broken(Exception):
    """A promise was broken; the text says which, and where to look."""


class Room:
    """One station from the first blank to the last. A context manager: both processes are ended whatever happens."""

    def __init__(self, folder: Path, *, lanes: int = 1, ejects: Sequence[str] = (), speed: str = "20") -> None:
        """`ejects`: the lanes whose printer ejects its card at power-on; the others hold it."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.lanes = [str(number) for number in range(1, lanes + 1)]
        self.rig = Rig(folder, speed=speed, lanes=lanes, profiles=ejecting.profiles(folder), edits=ejecting.edits(ejects))
        self.person = Person(self.rig)
        self.records: dict[str, Json] = {}
        self.kills = 0
        self._unacknowledged: list[Json] = []

    def __enter__(self) -> Self:
        self.rig.start()
        for lane in self.lanes:
            self.rig.load(lane, BLANKS)
        return self

    def __exit__(self, *_error: object) -> None:
        self.rig.close()

    # What staff do

    def submit(self, count: int) -> None:
        """Hand in so many new records. What a dying station did not acknowledge is handed in again after the restart."""
        for _ in range(count):
            record = fresh_record()
            self.records[record["record_id"]] = record
            try:
                self._hand_in(record)
            except StationUnreachable:
                self._unacknowledged.append(record)

    def _hand_in(self, record: Json) -> None:
        answer = self.rig.post("/api/v1/jobs", as_bytes(record))
        if answer.status not in (200, 201):
            raise Broken(f"a record was not accepted: {answer.status} {answer.body}")

    def kill(self, power: Sequence[str] = ()) -> None:
        """The power goes: the daemon is killed, and so many printers lose theirs at the same moment."""
        self.rig.kill_station()
        for lane in power:
            self.rig.sim("power", device="printer", lane=lane, state="off")
        self.kills += 1

    def restart(self, power: Sequence[str] = ()) -> None:
        """The power comes back."""
        for lane in power:
            self.rig.sim("power", device="printer", lane=lane, state="on")
        self.rig.start_station()
        while self._unacknowledged:
            self._hand_in(self._unacknowledged.pop())

    def finish(self) -> None:
        """Do what staff do until every job has its card."""
        self.rig.until(self._all_issued, "every job to be issued", SETTLE_LIMIT_S)

    def _all_issued(self) -> bool:
        self.person.answer_all()
        station = self.rig.station()
        needs_go = station["held"] or any(lane["condition"] in ("rejects_in_row", "feed_unproven") for lane in station["lanes"])
        if needs_go and not self.person.questions():
            self.person.press("go")
        for job in self.rig.get("/api/v1/jobs", state="failed", limit=500).body["jobs"]:
            self.rig.post(f"/api/v1/jobs/{job['id']}/retry", {"who": "room", "reason": "looked at"})
        return self.rig.states() == {"issued": len(self.records)}

    # The truth

    def broken(self) -> list[str]:
        """Every promise that does not hold now that all work is done."""
        differing = disagreements(self.rig.world(), self.rig.station(), self.person.jobs(), self.records)
        return [*differing, *self._open_passages()]

    def cards(self) -> dict[str, int]:
        """How many good cards each record has in the world."""
        world, spoiled = self.rig.world(), _spoiled(self.person.jobs())
        return {name: len(good_cards(world, record, spoiled)) for name, record in self.records.items()}

    def _open_passages(self) -> list[str]:
        with closing(self._database()) as db:
            rows = db.execute("SELECT id, state FROM passage WHERE state <> 'ended'").fetchall()
        return [f"passage {number} is '{state}': its blank has no verdict" for number, state in rows]

    def verdicts(self) -> Counter[str]:
        """How often each row of the verdict table was the answer, and how many questions were asked."""
        with closing(self._database()) as db:
            rows = db.execute("SELECT json_extract(evidence, '$.row') FROM stage WHERE name = 'verdict'").fetchall()
            asked = db.execute("SELECT count(*) FROM question").fetchone()[0]
        return Counter(row[0] for row in rows) + Counter({"(questions)": asked})

    def questions_between(self, since_us: int, until_us: int) -> Mapping[str, int]:
        """Questions asked in this time, by lane."""
        with closing(self._database()) as db:
            rows = db.execute(
                "SELECT lane, count(*) FROM question WHERE asked_us >= ? AND asked_us < ? GROUP BY lane", (since_us, until_us)
            ).fetchall()
        return dict(rows)

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.folder / 'state' / 'station.db'}?mode=ro", uri=True)


def _spoiled(jobs: Sequence[Json]) -> set[str]:
    return {passage["chip_uid"] for job in jobs for passage in job["passages"] if passage["verdict"] == "spoiled"}
