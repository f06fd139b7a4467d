"""Care of a printer that is fed by hand, over the real wires: cleaning and test card between two cards, and the books stay true."""

from __future__ import annotations

import re

import pytest

from tests.scenario.scene import Scene
from tools.by_hand import EDITS as BY_HAND
from tools.by_hand import Hands

EDITS = BY_HAND


@pytest.fixture
def hands(scene: Scene) -> Hands:
    return Hands(scene.rig)


def _care(scene: Scene, verb: str) -> str:
    """What `print-station printer VERB` says; it must succeed."""
    done = scene.rig.command("printer", verb, "--lane", "1", "--who", "ani", "--reason", "seen by the scene")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cleaning_cycle_is_run_while_the_lane_waits_for_a_blank(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    hands.until_asked("lay_blank")
    assert "the cleaning cycle is done" in _care(scene, "clean")
    assert re.search(r"cleaning: in \d+ cards, last \S+ by ani", scene.rig.command("printer", "status").stdout)
    hands.make_one()
    scene.until_state("issued", job)


def test_a_test_card_takes_a_blank_of_the_stack_and_the_next_card_is_made(scene: Scene, hands: Hands) -> None:
    before, there = scene.lane(), scene.there()["hopper"]
    assert "the test card is printed" in _care(scene, "test-card")
    assert scene.there()["hopper"] == there - 1
    scene.rig.until(lambda: scene.lane()["rejected"] == before["rejected"] + 1, "the test card to be booked")
    (job,) = scene.submit()
    hands.make_one()
    scene.until_state("issued", job)
    kinds = [row["kind"] for row in scene.rig.get("/api/v1/incidents").body["incidents"]]
    assert set(kinds) <= {"ribbon_unrecorded"}
