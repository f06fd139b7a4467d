"""A print room on simulated hardware for the crash runs: the two processes, a person who does what staff do, and the truth.

The person sees what staff see (the questions, the cards in trays and boxes) and acts with what staff have: hands, the desk
reader and the buttons. The oracle is the simulator's world; nothing of the station is believed without it. For `tools/sandbox`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from tests.scenario.records import as_bytes, fresh_record
from tools.agreement import disagreements, good_cards
from tools.rig import ROOT, Rig, RigError

Json = dict[str, Any]

EJECTS = "evolis-primacy-ejects"  # the Primacy as a machine that clears its path when its power comes back
BLANKS = 90  # a hopper's worth
DESK_LIMIT_S = 4.0  # a card that says nothing on the desk for so long has a dead chip
PRESS_LIMIT_S = 3.0
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
        self.rig = Rig(folder, speed=speed, lanes=lanes, profiles=_profiles(folder), edits=_edits(self.lanes, ejects))
        self.records: dict[str, Json] = {}
        self.kills = 0

    def __enter__(self) -> Self:
        self.rig.start()
        for lane in self.lanes:
            self.rig.load(lane, BLANKS)
        return self

    def __exit__(self, *_error: object) -> None:
        self.rig.close()

    # What staff do

    def submit(self, count: int) -> None:
        """Hand in so many new records."""
        for _ in range(count):
            record = fresh_record()
            answer = self.rig.post("/api/v1/jobs", as_bytes(record))
            if answer.status != 201:
                raise Broken(f"a record was not accepted: {answer.status} {answer.body}")
            self.records[record["record_id"]] = record

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

    def questions(self) -> list[Json]:
        """What the station asks, oldest first: the first one is on the display."""
        asked: list[Json] = self.rig.get("/api/v1/questions").body["questions"]
        return asked

    def answer_all(self) -> int:
        """Answer every open question; returns how many."""
        count = 0
        while asked := self.questions():
            self._answer(asked[0])
            count += 1
        return count

    def finish(self) -> None:
        """Do what staff do until every job has its card."""
        self.rig.until(self._all_issued, "every job to be issued", SETTLE_LIMIT_S)

    def _all_issued(self) -> bool:
        self.answer_all()
        station = self.rig.station()
        needs_go = station["held"] or any(lane["condition"] in ("rejects_in_row", "feed_unproven") for lane in station["lanes"])
        if needs_go and not self.questions():
            self._press("go")
        for job in self.rig.get("/api/v1/jobs", state="failed", limit=500).body["jobs"]:
            self.rig.post(f"/api/v1/jobs/{job['id']}/retry", {"who": "room", "reason": "looked at"})
        return self.rig.states() == {"issued": len(self.records)}

    def _answer(self, question: Json) -> None:
        card = self._card_of(question)
        if card is None:
            if question["kind"] != "tray":
                raise Broken(f"nobody has the card that question {question['id']} asks for: {question}\n{self.rig.logs()}")
            self._say("go", question)
            return
        self.rig.put(card["id"], "desk", lane=question["lane"])
        asked = self._after_reading(question)
        if asked is not None:
            whole = asked["kind"] == "look" and _face_whole(card)
            self._say("go" if whole else "hold", asked)
        verdict = self._verdict(question)
        self.rig.put(card["id"], {"good": "output", "spoiled": "reject", "still_blank": "hopper"}[verdict], lane=question["lane"])

    def _after_reading(self, question: Json) -> Json | None:
        """What the station asks once the desk reader had its time; None when it was satisfied."""
        found: list[Json | None] = []

        def changed() -> bool:
            found[:] = [self._asked(question["id"])]
            return found[0] is None or found[0]["kind"] != question["kind"]

        if question["kind"] != "look":
            try:
                self.rig.until(changed, "the desk reader", DESK_LIMIT_S)
            except RigError as error:
                if not str(error).startswith("waited"):  # only a time-out means a dead chip
                    raise
        return found[0] if found else self._asked(question["id"])

    def _asked(self, number: int) -> Json | None:
        return next((question for question in self.questions() if question["id"] == number), None)

    def _say(self, button: str, question: Json) -> None:
        """Press until it is heard: a press in the first second after a question came up does not count."""
        while (now := self._asked(question["id"])) is not None and now["kind"] == question["kind"]:
            self._press(button)
            self.rig.until(lambda: True, "a moment")

    def _press(self, button: str) -> None:
        self.rig.sim("press", button=button, ms=100)

    def _verdict(self, question: Json) -> str:
        passages = self.rig.get(f"/api/v1/jobs/{question['job']}").body["passages"]
        verdict: str = next(passage["verdict"] for passage in passages if passage["id"] == question["passage"])
        return verdict

    def _card_of(self, question: Json) -> Json | None:
        """The card that a person finds: the asked one by its number, or a blank that nobody knows of in the lane's tray."""
        lying: list[Json] = [
            blank for blank in self.rig.world(brief=True)["blanks"] if blank["place"] in ("output", "reject", "desk")
        ]
        if question["chip_uid"] is not None:
            return next((blank for blank in lying if blank["uid"] == question["chip_uid"]), None)
        known = {passage["chip_uid"] for job in self.jobs() for passage in job["passages"]}
        strange = [blank for blank in lying if blank["lane"] == question["lane"] and blank["uid"] not in known]
        return strange[-1] if strange else None

    # The truth

    def jobs(self) -> list[Json]:
        """Every job with its passages."""
        rows = self.rig.get("/api/v1/jobs", limit=500).body["jobs"]
        return [self.rig.get(f"/api/v1/jobs/{row['id']}").body for row in rows]

    def broken(self) -> list[str]:
        """Every promise that does not hold now that all work is done."""
        differing = disagreements(self.rig.world(), self.rig.station(), self.jobs(), self.records)
        return [*differing, *self._open_passages()]

    def cards(self) -> dict[str, int]:
        """How many good cards each record has in the world."""
        world, spoiled = self.rig.world(), _spoiled(self.jobs())
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


def _face_whole(card: Json) -> bool:
    """What a look tells: every panel is there, and none was printed twice."""
    front = card["printed"].get("front", {})
    return set(front) == set("ymcko") and all(panel["complete"] and panel["times"] == 1 for panel in front.values())


def _spoiled(jobs: Sequence[Json]) -> set[str]:
    return {passage["chip_uid"] for job in jobs for passage in job["passages"] if passage["verdict"] == "spoiled"}


def _profiles(folder: Path) -> Path:
    """The shipped profiles, and the Primacy once more as a machine that ejects."""
    profiles = folder / "profiles"
    shutil.copytree(ROOT / "firmware_profiles", profiles)
    text = (profiles / "printers" / "evolis-primacy.toml").read_text(encoding="utf-8")
    changed = text.replace('card_inside = "holds"', 'card_inside = "ejects"')
    if changed == text:
        raise Broken("the Primacy's profile does not say what it does with a card at power-on")
    (profiles / "printers" / f"{EJECTS}.toml").write_text(changed, encoding="utf-8")
    return profiles


def _edits(lanes: Sequence[str], ejects: Sequence[str]) -> dict[str, str]:
    """The example's one lane says which printer it has by its serial number."""
    return {
        f'profile = "evolis-primacy", {field}"SIM-E-{int(lane):04}"': f'profile = "{EJECTS}", {field}"SIM-E-{int(lane):04}"'
        for lane in lanes
        if lane in ejects
        for field in ("serial = ", 'usb = "usbip://127.0.0.1:3240", serial = ')
    }
