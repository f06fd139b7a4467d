"""A person at a station on simulated hardware, for the scenario tests and the crash runs.

The person sees what staff see (the questions, the cards in trays and boxes and in their own hands) and acts with what staff have:
hands, the desk reader and the buttons. Nothing of the station is believed that the world does not show.
"""

from __future__ import annotations

from typing import Any

from controller.conditions import CONDITIONS
from tools.rig import Rig, RigError

Json = dict[str, Any]

DESK_LIMIT_S = 4.0  # a card that says nothing on the desk for so long has a dead chip
PATIENCE_S = 0.4  # between two presses of a button, which has to be seen released
BELONGS = {"good": "output", "spoiled": "reject", "still_blank": "hopper"}  # where the display says that a card goes


class CardGone(RigError):
    """The station asks for a card that nobody has."""


class Person:
    """Answers questions by what can be seen, and puts each card where it then belongs."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    # What the station asks

    def questions(self) -> list[Json]:
        """What the station asks, oldest first: the first one is on the display."""
        asked: list[Json] = self._rig.get("/api/v1/questions").body["questions"]
        return asked

    def answer_all(self) -> int:
        """Answer every open question; returns how many. Raises CardGone when nobody has the card."""
        count = 0
        while asked := self.questions():
            self.answer(asked[0])
            count += 1
        return count

    def answer(self, question: Json) -> None:
        """Lay the card on the desk reader, look at its face when asked to, put it where it belongs; GO when no blank was fed."""
        card = self.card_of(question)
        if card is None:
            if question["kind"] != "tray":
                raise CardGone(f"nobody has the card that question {question['id']} asks for: {question}\n{self._rig.logs()}")
            self.say("go", question)
            return
        self.lay_down(card)
        asked = self.after_reading(question)
        if asked is not None:
            whole = asked["kind"] == "look" and face_whole(card)
            self.say("go" if whole else "hold", asked)
        self._rig.put(card["id"], BELONGS[self._verdict(question)], lane=question["lane"])

    def card_of(self, question: Json) -> Json | None:
        """The card that a person finds: the asked one by its number, or a blank that nobody knows of from the lane's tray."""
        blanks = self._rig.world(brief=True)["blanks"]
        lying = [blank for blank in blanks if blank["place"] in ("output", "reject", "desk", "person")]
        if question["chip_uid"] is not None:
            return next((blank for blank in lying if blank["uid"] == question["chip_uid"]), None)
        known = {passage["chip_uid"] for job in self.jobs() for passage in job["passages"]}
        strange = [blank for blank in lying if blank["uid"] not in known and _came_from(blank, question["lane"])]
        return strange[-1] if strange else None

    def jobs(self) -> list[Json]:
        """Every job with its passages."""
        rows = self._rig.get("/api/v1/jobs", limit=500).body["jobs"]
        return [self._rig.get(f"/api/v1/jobs/{row['id']}").body for row in rows]

    # What the person does

    def lay_down(self, card: Json) -> None:
        """Lay a card on the desk reader, once it works: what lay there before its first look answers for nothing but itself."""
        if card["place"] != "desk":
            self._rig.until(lambda: self._rig.station()["desk_reader_up"], "the desk reader to work")
            self._rig.put(card["id"], "desk")

    def after_reading(self, question: Json) -> Json | None:
        """What the station asks once the desk reader had its time; None when it was satisfied."""
        if question["kind"] != "look":
            self._is_over(question, DESK_LIMIT_S)
        return self._asked(question["id"])

    def say(self, button: str, question: Json) -> None:
        """Press until it is heard, once the display asks: a press in the first second after that does not count."""
        short = CONDITIONS[f"ask_{question['kind']}"].short
        self._rig.until(lambda: short in " ".join(self._rig.world(brief=True)["display"]), f"the display to ask '{short}'")
        self.press(button)
        while not self._is_over(question, PATIENCE_S):
            self.press(button)

    def press(self, button: str) -> None:
        """GO or HOLD."""
        self._rig.sim("press", button=button, ms=100)

    def _is_over(self, question: Json, limit_s: float) -> bool:
        """Whether within this time the question is settled, or another thing is asked about its card."""

        def changed() -> bool:
            now = self._asked(question["id"])
            return now is None or now["kind"] != question["kind"]

        try:
            return self._rig.until(changed, "an answer", limit_s)
        except RigError as error:
            if not str(error).startswith("waited"):  # only that it took too long is an answer
                raise
            return False

    def _asked(self, number: int) -> Json | None:
        return next((question for question in self.questions() if question["id"] == number), None)

    def _verdict(self, question: Json) -> str:
        passages = self._rig.get(f"/api/v1/jobs/{question['job']}").body["passages"]
        verdict: str = next(passage["verdict"] for passage in passages if passage["id"] == question["passage"])
        return verdict


def face_whole(card: Json) -> bool:
    """What a look tells: every panel is there, and none was printed twice."""
    front = card["printed"].get("front", {})
    return set(front) == set("ymcko") and all(panel["complete"] and panel["times"] == 1 for panel in front.values())


def _came_from(card: Json, lane: str) -> bool:
    """Whether a card lies at this lane, or was taken from its printer or bins."""
    if card["lane"] is not None:
        return bool(card["lane"] == lane)
    before = card["taken_from"]
    return before is not None and before["lane"] == lane and before["place"] != "hopper"
