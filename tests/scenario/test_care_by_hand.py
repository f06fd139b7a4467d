"""Care of a printer that is fed by hand, over the real wires: cleaning and test cards between cards; the books stay true."""

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


def _put_test_card_away(scene: Scene) -> None:
    """The card in the tray whose chip was never written goes into the reject box."""
    blank = next(blank for blank in scene.world()["blanks"] if blank["place"] == "output"
                 and set(blank["printed"].get("front", {})) <= {"k", "o"})  # fmt: skip
    scene.rig.put(blank["id"], "reject")


def _open_incidents(scene: Scene) -> list[str]:
    rows = scene.rig.get("/api/v1/incidents").body["incidents"]
    return [row["kind"] for row in rows if row["kind"] != "ribbon_unrecorded"]


def test_a_test_card_takes_a_blank_of_the_stack_and_the_next_card_is_made(scene: Scene, hands: Hands) -> None:
    scene.until_free()
    before, there = scene.lane(), scene.there()["hopper"]
    assert "the test card is printed" in _care(scene, "test-card")
    assert scene.there()["hopper"] == there - 1
    scene.rig.until(lambda: scene.lane()["rejected"] == before["rejected"] + 1, "the test card to be booked")
    _put_test_card_away(scene)
    (job,) = scene.submit()
    hands.make_one()
    scene.until_state("issued", job)
    assert _open_incidents(scene) == []


def test_no_care_is_taken_of_a_printer_whose_card_is_in_a_persons_hand(scene: Scene, hands: Hands) -> None:
    (job,) = scene.submit()
    blank = hands.lay_blank()
    hands.until_asked("feed_by_hand")
    refused = scene.rig.command("printer", "test-card", "--lane", "1", "--who", "ani", "--reason", "pale")
    assert (refused.returncode, "press HOLD" in refused.stderr, "tekan HOLD" in refused.stderr) == (1, True, True)
    hands.feed(blank)
    hands.bring_back(blank)
    hands.put_away(blank)
    scene.until_state("issued", job)


def test_a_kill_in_the_middle_of_a_test_card_is_settled_and_the_stack_counted(scene: Scene, hands: Hands) -> None:
    scene.until_free()
    before, there = scene.lane(), scene.there()["hopper"]
    scene.kill_at("usb", "> REQ,TST")
    scene.rig.command("printer", "test-card", "--lane", "1", "--who", "ani", "--reason", "look at the dots")
    scene.until_killed()
    scene.rig.start_station()
    scene.rig.until(lambda: _open_incidents(scene) == ["count_required"], "the test card to be settled")
    scene.rig.until(lambda: scene.lane()["hopper"] == before["hopper"] - 1, "the blank to be booked")
    assert scene.there()["hopper"] == there - 1
    said = scene.rig.command("printer", "status").stdout
    assert "by ani: sudah dimulai, akhirnya tidak terlihat: Akhir perawatan printer ini tidak terlihat" in said
    _put_test_card_away(scene)
    scene.press("hold")
    scene.until_waits("held_by_operator")
    assert scene.rig.command("stock", "count", "hopper", "1", str(there - 1)).returncode == 0
    scene.press("go")
    (job,) = scene.submit()
    hands.make_one()
    scene.until_state("issued", job)
    assert _open_incidents(scene) == []
