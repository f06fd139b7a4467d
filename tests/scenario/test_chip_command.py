"""`print-station chip` at the desk reader, over the simulated SAM card, which the running station holds for itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.scene import Scene


@pytest.fixture
def laid(scene: Scene) -> Iterator[None]:
    """A finished card lies on the desk reader, and the station is stopped."""
    (number,) = scene.issue()
    scene.rig.put(scene.job(number)["passages"][-1]["chip_uid"], "desk")
    scene.rig.stop_station()
    yield
    scene.rig.take("desk")
    scene.rig.start_station()


def test_a_finished_card_is_good_and_nobody_is_told_whose_it_is(scene: Scene, laid: None) -> None:
    said = scene.rig.command("chip", "check", "--config", scene.rig.config, "--wait", "20")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[1:] == ["GOOD: complete and closed, signed by the centre"]


def test_a_finished_card_is_never_written_by_the_test(scene: Scene, laid: None) -> None:
    said = scene.rig.command("chip", "wipe-test", "--yes", "--config", scene.rig.config, "--wait", "20")
    assert said.returncode == 1
    assert "NOT GOOD: chip_used: the card holds something else than this test: it was not touched" in said.stderr


def test_a_sam_card_that_the_running_station_holds_is_told(scene: Scene) -> None:
    said = scene.rig.command("chip", "check", "--lane", "1", "--config", scene.rig.config, "--wait", "1")
    assert said.returncode == 1
    assert "another program holds the SAM" in said.stderr
