"""A person puts the next blank into the slot instead of the written card: the face is on a card that no passage knows.

Of its own, because belief and truth cannot agree about that card: it is a missing blank until somebody explains it.
"""

from __future__ import annotations

from pathlib import Path

from tests.scenario.scene import Scene
from tools.by_hand import EDITS as BY_HAND
from tools.by_hand import Hands


def test_a_face_on_the_wrong_card_is_never_issued(tmp_path: Path) -> None:
    scene = Scene(tmp_path, edits=BY_HAND)
    with scene.rig:
        _make_the_mistake(scene.start(), Hands(scene.rig))


def _make_the_mistake(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    card = hands.lay_blank()
    hands.until_asked("feed_by_hand")
    other = scene.rig.put("next", "person")
    hands.feed(card, other=other)
    hands.bring_back(other)
    hands.until_asked("lay_other")
    scene.rig.put(other, "person")
    scene.rig.put(card, "reader")
    question = scene.until_asked("look")
    scene.person.say("hold", question)
    hands.put_away(card)
    assert scene.verdicts(job) == [("spoiled", "called_spoiled")]
    scene.rig.until(lambda: scene.rig.station()["incidents"]["count_required"] == 1, "a count to be asked for")
    hands.until_asked("lay_blank")
    counted = scene.rig.command("stock", "count", "hopper", "1", str(scene.there()["hopper"]))  # one is missing: it has the face
    assert "1 missing" in counted.stdout, counted
    hands.make_one()
    scene.until_state("issued", job)
    assert scene.cards_of(job) == 1
