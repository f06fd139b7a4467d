"""A lane without sensors: never blind, and nothing ever seen."""

from __future__ import annotations

from dataclasses import astuple

from controller.clock import Deadline
from controller.hal.pins.no_sensors import NoSensors
from controller.model import Beam


def test_nothing_is_ever_seen_and_nothing_ever_blind() -> None:
    sensors = NoSensors()
    assert sensors.levels is not None
    assert not any(astuple(sensors.levels))
    assert (sensors.gaps, [sensors.passes(beam) for beam in Beam]) == (0, [0, 0, 0])


async def test_nobody_waits_for_a_card_that_cannot_be_seen() -> None:
    assert not await NoSensors().wait_pass(Beam.EXIT, 0, Deadline.after(3600))
