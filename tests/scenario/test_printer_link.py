"""The USB cable and what comes through it: pulled, put back, doubled; replies split, merged, garbled, late and lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.points import FEED, fault
from tests.scenario.profiles import variant
from tests.scenario.scene import Scene

HASTY = """
[timeouts_s]
motion = 2.0
print = 2.0
[confidence]
timeouts_s = { level = "E", source = "for this test" }
"timeouts_s.print" = { level = "E", source = "for this test" }
"""


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station whose profile waits 2 s for motions and for the print, so that late replies are late soon."""
    folder = tmp_path_factory.mktemp("shared")
    scene = Scene(folder, edits=variant(folder, HASTY))
    with scene.rig:
        yield scene.start()


def test_a_cable_pulled_while_idle_and_put_back(scene: Scene) -> None:
    scene.until_free()
    scene.rig.fault("usb_unplug")
    scene.until_waits("printer_absent")
    scene.rig.fault("usb_replug")
    scene.issue()


def test_a_cable_pulled_at_the_feed_leaves_the_blank_in_the_hopper(scene: Scene) -> None:
    scene.rig.trigger("usb", 1, "before", [fault("usb_unplug")], start=FEED)
    (number,) = scene.submit()
    scene.until_waits("printer_absent")
    scene.rig.fault("usb_replug")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("still_blank", "printer_lost"), ("good", "")]


def test_a_printer_switched_off_and_on_while_idle_is_taken_up_again(scene: Scene) -> None:
    scene.rig.sim("power", device="printer", state="cycle", lane="1")
    scene.issue()


def test_a_missing_printer_is_waited_for_and_two_of_the_same_serial_are_refused(scene: Scene) -> None:
    assert scene.rig.stop_station() == 0
    scene.rig.fault("printer_off")
    scene.rig.start_station()
    (number,) = scene.submit()
    lane = scene.until_waits("printer_absent")
    assert "serial SIM-E-0001: not found" in lane["detail"]
    assert scene.rig.stop_station() == 0
    scene.rig.fault("printer_on")
    scene.rig.fault("twin_printer")
    scene.rig.start_station()
    lane = scene.until_waits("printer_doubled")
    assert "found at" in lane["detail"]
    scene.until_shown("DUA PRINTER SAMA")
    assert scene.job(number)["passages"] == []
    scene.rig.fault("twin_gone")
    scene.until_state("issued", number)


def test_replies_in_pieces_or_two_at_once_change_nothing(scene: Scene) -> None:
    assert scene.rig.stop_station() == 0
    scene.rig.fault("reply_merged")  # that of the error mode comes with the serial number
    scene.rig.start_station()
    scene.until_free()
    scene.rig.fault("reply_split", times=25)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]


def test_a_late_reply_within_the_deadline_changes_nothing(scene: Scene) -> None:
    scene.rig.fault("reply_late", at="Se", seconds=0.7)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]


def test_a_card_whose_reply_missed_its_deadline_is_good_by_the_panel_counter(scene: Scene) -> None:
    scene.rig.fault("reply_late", at="Se", seconds=2.5)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]
    assert ("print", "failed") in scene.stages(number)
    assert ("verdict", "done") in scene.stages(number)


def test_a_garbled_reply_never_makes_a_card_good_by_itself(scene: Scene) -> None:
    scene.rig.fault("reply_garbled", at="Se")
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("spoiled", "printer_error"), ("good", "")]  # it was seen inside, and seen falling
    scene.rig.fault("reply_garbled", at="Se", after=2)
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("good", "")]  # the printer did not say that it left, but the exit beam did
    assert ("deliver", "failed") in scene.stages(number)


def test_a_stalled_transfer_spoils_the_card_inside(scene: Scene) -> None:
    scene.rig.fault("stall", at="Ss")
    (number,) = scene.issue()
    assert scene.verdicts(number) == [("spoiled", "print_unproven"), ("good", "")]
