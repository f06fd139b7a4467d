"""A lane bound to a printer's serial number and to its USB port: a twin elsewhere is never taken, a moved printer is said."""

from __future__ import annotations

from tests.scenario.scene import Scene

EDITS = {'serial = "SIM-E-0001" }': 'serial = "SIM-E-0001", port = "1-1" }'}


def test_a_twin_at_another_port_is_never_taken_for_the_lanes_printer(scene: Scene) -> None:
    scene.rig.fault("twin_printer")
    scene.rig.fault("usb_unplug")
    (number,) = scene.submit()
    lane = scene.until_waits("printer_elsewhere")
    assert "found at 1-1.9, not at 1-1 as lanes.printer.port says" in lane["detail"]
    scene.until_shown("PRINTER SALAH")
    assert scene.job(number)["passages"] == []
    scene.rig.fault("usb_replug")
    scene.until_state("issued", number)
    scene.rig.fault("twin_gone")
    assert scene.verdicts(number) == [("good", "")]


def test_another_printer_at_the_port_is_said_and_gets_no_card(scene: Scene) -> None:
    scene.rig.fault("swapped_printer")
    (number,) = scene.submit()
    lane = scene.until_waits("printer_swapped")
    assert "port 1-1: found " in lane["detail"]
    assert scene.job(number)["passages"] == []
    scene.rig.fault("swapped_printer", serial="SIM-E-0001")
    scene.until_state("issued", number)
    assert scene.verdicts(number) == [("good", "")]
