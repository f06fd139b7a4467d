"""What scenarios ask of a station: hand in records, wait for what must be seen, and compare belief with truth at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.client import Answer
from controller.conditions import CONDITIONS
from tests.scenario.records import Record, as_bytes, fresh_record
from tools import ejecting
from tools.agreement import disagreements, good_cards
from tools.person import Person
from tools.rig import Rig

Json = dict[str, Any]

CARD_S = 45.0  # the longest a scenario waits for one card on a busy machine
BLANKS = 40


class Scene:
    """A station, every record that was handed in to it, and the person who answers its questions."""

    def __init__(self, folder: Path, *, speed: str = "max", edits: Mapping[str, str] | None = None, lanes: int = 1,
                 ejects: Sequence[str] = (), profiles: Path | None = None) -> None:  # fmt: skip
        """`ejects`: the lanes whose printer ejects its card at power-on; the others hold it. `profiles`: for both sides."""
        profiles = ejecting.profiles(folder) if ejects else profiles
        self.rig = Rig(folder, speed=speed, edits={**(edits or {}), **ejecting.edits(ejects)}, lanes=lanes, profiles=profiles)
        self.person = Person(self.rig)
        self.records: dict[str, Record] = {}
        self._lanes = lanes

    def start(self, blanks: int = BLANKS) -> Scene:
        """Start hardware and station, fill the hoppers and count them in."""
        self.rig.start()
        for lane in range(1, self._lanes + 1):
            if blanks:
                self.rig.load(str(lane), blanks)
        return self

    # Jobs

    def submit(self, count: int = 1) -> list[int]:
        """Hand in so many new records; returns their job numbers."""
        return [self.hand_in(fresh_record()) for _ in range(count)]

    def hand_in(self, record: Record) -> int:
        """Hand in this record; returns its job number."""
        answer = self.rig.post("/api/v1/jobs", as_bytes(record))
        assert answer.status in (200, 201), answer.body
        self.records[record["record_id"]] = record
        number: int = answer.body["job"]["id"]
        return number

    def job(self, number: int) -> Json:
        """A job with its passages."""
        answer: Json = self.rig.get(f"/api/v1/jobs/{number}").body
        return answer

    def state(self, number: int) -> str:
        """A job's state."""
        state: str = self.job(number)["job"]["state"]
        return state

    def states(self, numbers: Sequence[int]) -> list[str]:
        """The states of several jobs."""
        return [self.state(number) for number in numbers]

    def verdicts(self, number: int) -> list[tuple[str | None, str]]:
        """Verdict and reason of each passage of a job, oldest first."""
        return [(passage["verdict"], passage["reason"]) for passage in self.job(number)["passages"]]

    def stages(self, number: int) -> list[tuple[str, str | None]]:
        """Name and outcome of each stage of a job's last passage."""
        return [(stage["name"], stage["outcome"]) for stage in self.job(number)["passages"][-1]["stages"]]

    def rows(self, number: int) -> list[str]:
        """The rows of the verdict table that settled the passages of a job, oldest first."""
        stages = [stage for passage in self.job(number)["passages"] for stage in passage["stages"]]
        return [stage["evidence"]["row"] for stage in stages if stage["name"] == "verdict"]

    def until_state(self, state: str, *numbers: int) -> None:
        """Wait until the jobs are in this state."""
        for number in numbers:
            self.rig.until(lambda number=number: self.state(number) == state, f"job {number} to be '{state}'", CARD_S)  # type: ignore[misc]  # bound now

    def issue(self, count: int = 1) -> list[int]:
        """Hand in so many new records and wait for their cards."""
        numbers = self.submit(count)
        self.until_state("issued", *numbers)
        return numbers

    def cancel(self, number: int) -> None:
        """Take a job back that was not begun."""
        answer = self.rig.post(f"/api/v1/jobs/{number}/cancel", {"who": "scene", "reason": "not needed"})
        assert answer.status == 200, answer.body

    # The lane

    def lane(self, name: str = "1") -> Json:
        """What the station says of a lane."""
        return self.rig.lane(name)

    def until_waits(self, condition: str, limit_s: float = 30.0, lane: str = "1") -> Json:
        """Wait until the lane says that it waits for this; returns what it says."""
        assert condition in CONDITIONS
        return self._until_lane("condition", condition, limit_s, lane)

    def until_free(self, lane: str = "1") -> None:
        """Wait until nothing keeps the lane from working."""

        def is_free() -> bool:
            now = self.lane(lane)
            return now["condition"] is None and now["activity"] == "idle"

        self.rig.until(is_free, f"lane {lane} to be free")

    def until_stage(self, stage: str) -> Json:
        """Wait until the lane is at this stage; returns what it says."""
        return self._until_lane("activity", stage, CARD_S, "1")

    def until_shown(self, text: str) -> None:
        """Wait until the operator display, as people see it, shows this text."""
        self.rig.until(lambda: text in " ".join(self.world()["display"]), f"the display to show '{text}'")

    def until_lit(self, *lamps: str) -> None:
        """Wait until exactly these lamps are lit in the world."""
        self.rig.until(lambda: self.lit() == set(lamps), f"the lamps {lamps}")

    # What happens to the station

    def kill_at(self, wire: str, start: str, at: int = 1, when: str = "after", *more: Json) -> None:
        """The daemon dies at the `at`-th exchange from the first with the label `start`; `more` happens at the same moment."""
        kill = {"do": "kill", "pid": self.rig.station_pid}
        self.rig.trigger(wire, at, when, [kill, *more], start=start)

    def until_killed(self) -> None:
        """Wait until the daemon is dead."""
        self.rig.until(lambda: self.rig.station_exit() is not None, "the daemon to die", CARD_S)

    # What the station asks

    def until_asked(self, kind: str) -> Json:
        """Wait until the station asks a question of this kind; returns it."""
        found = self.rig.until(lambda: self._first_asked(kind), f"a question of kind '{kind}'")
        assert found is not None
        return found

    def question(self, number: int) -> Json | None:
        """This question, while it is open."""
        return next((question for question in self.person.questions() if question["id"] == number), None)

    def card(self, question: Json) -> Json:
        """The card that a question asks for, wherever it lies."""
        card = self.person.card_of(question)
        assert card is not None, question
        return card

    def until_settled(self, question: Json) -> None:
        """Wait until nobody is asked this any more."""
        self.rig.until(lambda: self.question(question["id"]) is None, f"question {question['id']} to be settled")

    def settle(self, kind: str) -> None:
        """A person answers the question of this kind by what the world shows, through the desk reader and the buttons."""
        self.person.answer(self.until_asked(kind))

    def answer(self, question: Json, answer: str, *, limit: int = 200) -> Answer:
        """Answer a question through the API; `limit` is the highest status that will do."""
        told = self.rig.post(f"/api/v1/questions/{question['id']}/answer", {"answer": answer, "who": "scene", "reason": "seen"})
        assert told.status <= limit, told.body
        return told

    def press(self, button: str) -> None:
        """Somebody presses GO or HOLD, once the station listens."""
        self.rig.until(lambda: self.rig.station()["panel_up"], "the front panel to be listened to")
        self.rig.sim("press", button=button)

    # The truth

    def world(self) -> Json:
        """The truth."""
        return self.rig.world()

    def there(self, lane: str = "1") -> Json:
        """The truth of a lane."""
        found: Json = self.world()["lanes"][int(lane) - 1]
        return found

    def lit(self) -> set[str]:
        """The lamps that are lit in the world."""
        return {lamp for lamp, lit in self.world()["lamps"].items() if lit}

    def cards_of(self, number: int) -> int:
        """How many good cards of a job came out, in the world."""
        return len(good_cards(self.world(), self.records[self.job(number)["job"]["record_id"]]))

    def must_agree(self) -> None:
        """Compare belief with truth; the counts in the snapshot may lag by a moment."""
        self.rig.until(lambda: not self._differences(), f"belief and truth to agree: {self._differences()}", limit_s=5.0)

    def _differences(self) -> list[str]:
        jobs = [self.job(job["id"]) for job in self.rig.get("/api/v1/jobs", limit=500).body["jobs"]]
        return disagreements(self.world(), self.rig.station(), jobs, self.records, self._test_cards())

    def _test_cards(self) -> dict[str, int]:
        """How many test cards each lane printed, by its own word."""
        printers = self.rig.get("/api/v1/printers").body["printers"]
        return {row["lane"]: sum(act["counted"] or 0 for act in row["care"] if act["kind"] == "test_card") for row in printers}

    def _first_asked(self, kind: str) -> Json | None:
        return next((question for question in self.person.questions() if question["kind"] == kind), None)

    def _until_lane(self, field: str, value: str, limit_s: float, lane: str) -> Json:
        found: list[Json] = []

        def looked() -> bool:
            found[:] = [self.lane(lane)]
            return bool(found[0][field] == value)

        self.rig.until(looked, f"the lane's {field} to be '{value}'", limit_s)
        return found[0]


def texts(answer: Answer) -> str:
    """Everything a refusal says, in both languages; asserts that each problem says something in both."""
    assert answer.problems, answer.body
    assert all(problem.id and problem.en for problem in answer.problems)
    return "\n".join(f"{problem.place}: {problem.id} {problem.en}" for problem in answer.problems)


NewScene = Callable[..., Scene]
