"""What scenarios ask of a station: hand in records, wait for what must be seen, and compare belief with truth at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controller.client import Answer
from controller.conditions import CONDITIONS
from tests.scenario.records import Record, as_bytes, fresh_record
from tools.agreement import disagreements, good_cards
from tools.rig import Rig

Json = dict[str, Any]

CARD_S = 45.0  # the longest a scenario waits for one card on a busy machine
BLANKS = 40


class Scene:
    """A station, and every record that was handed in to it."""

    def __init__(self, folder: Path, *, speed: str = "max", edits: Mapping[str, str] | None = None) -> None:
        self.rig = Rig(folder, speed=speed, edits=edits)
        self.records: dict[str, Record] = {}

    def start(self, blanks: int = BLANKS) -> Scene:
        """Start hardware and station, fill the hopper and count it in."""
        self.rig.start()
        if blanks:
            self.rig.load("1", blanks)
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

    def verdicts(self, number: int) -> list[tuple[str | None, str]]:
        """Verdict and reason of each passage of a job, oldest first."""
        return [(passage["verdict"], passage["reason"]) for passage in self.job(number)["passages"]]

    def stages(self, number: int) -> list[tuple[str, str | None]]:
        """Name and outcome of each stage of a job's last passage."""
        return [(stage["name"], stage["outcome"]) for stage in self.job(number)["passages"][-1]["stages"]]

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

    def lane(self) -> Json:
        """What the station says of its lane."""
        return self.rig.lane()

    def until_waits(self, condition: str, limit_s: float = 30.0) -> Json:
        """Wait until the lane says that it waits for this; returns what it says."""
        assert condition in CONDITIONS
        return self._until_lane("condition", condition, limit_s)

    def until_free(self) -> None:
        """Wait until nothing keeps the lane from working."""
        self.rig.until(lambda: self.lane()["condition"] is None and self.lane()["activity"] == "idle", "the lane to be free")

    def until_stage(self, stage: str) -> Json:
        """Wait until the lane is at this stage; returns what it says."""
        return self._until_lane("activity", stage, CARD_S)

    def until_shown(self, text: str) -> None:
        """Wait until the operator display, as people see it, shows this text."""
        self.rig.until(lambda: text in " ".join(self.world()["display"]), f"the display to show '{text}'")

    def until_lit(self, *lamps: str) -> None:
        """Wait until exactly these lamps are lit in the world."""
        self.rig.until(lambda: self.lit() == set(lamps), f"the lamps {lamps}")

    def resolve(self, number: int, verdict: str) -> None:
        """A person looks at the card of a job's last passage and says what became of it."""
        passage = self.job(number)["passages"][-1]["id"]
        command = self.rig.command("passage", "resolve", str(passage), verdict, "--reason", "seen by a person")
        assert command.returncode == 0, command.stderr

    def spoil(self, number: int, *, where: str) -> None:
        """A person takes the card of a job's last passage away, out of the printer or the bin, and calls it spoiled."""
        assert self.rig.take(where)
        self.resolve(number, "spoiled")

    def press(self, button: str) -> None:
        """Somebody presses GO or HOLD, once the station listens."""
        self.rig.until(lambda: self.rig.station()["panel_up"], "the front panel to be listened to")
        self.rig.sim("press", button=button)

    # The truth

    def world(self) -> Json:
        """The truth."""
        return self.rig.world()

    def there(self) -> Json:
        """The truth of the lane."""
        lane: Json = self.world()["lanes"][0]
        return lane

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
        return disagreements(self.world(), self.rig.station(), jobs, self.records)

    def _until_lane(self, field: str, value: str, limit_s: float) -> Json:
        found: list[Json] = []

        def looked() -> bool:
            found[:] = [self.lane()]
            return bool(found[0][field] == value)

        self.rig.until(looked, f"the lane's {field} to be '{value}'", limit_s)
        return found[0]


def texts(answer: Answer) -> str:
    """Everything a refusal says, in both languages; asserts that each problem says something in both."""
    assert answer.problems, answer.body
    assert all(problem.id and problem.en for problem in answer.problems)
    return "\n".join(f"{problem.place}: {problem.id} {problem.en}" for problem in answer.problems)


NewScene = Callable[..., Scene]
