"""What lane sensors conclude from what their pin source tells; without a wire. The rest is in tests/contract/test_pins.py."""

from __future__ import annotations

import asyncio

import pytest

from controller.clock import Deadline
from controller.hal.pins.lane_sensors import GpioLaneSensors, LanePins
from controller.hal.pins.pin_source import PinEdge, PinSource
from controller.model import Beam

PINS = LanePins(feed_beam=5, exit_beam=6, reject_beam=13, hopper_low=19, hopper_empty=26, bin_full=12)
CLEAR = dict.fromkeys((5, 6, 13, 19, 26, 12), False)


@pytest.fixture
def source() -> PinSource:
    return PinSource("lgpio")


@pytest.fixture
def sensors(source: PinSource) -> GpioLaneSensors:
    return GpioLaneSensors(source, PINS)


def edge(pin: int, active: bool) -> PinEdge:
    return PinEdge(pin, active, at_s=0.0)


def test_levels_are_unknown_before_the_first_reading(sensors: GpioLaneSensors) -> None:
    assert sensors.levels is None
    assert sensors.gaps == 0


@pytest.mark.parametrize("name", ["feed_beam", "exit_beam", "reject_beam", "hopper_low", "hopper_empty", "bin_full"])
def test_every_level_comes_from_its_own_pin(sensors: GpioLaneSensors, name: str) -> None:
    sensors.pins_read(CLEAR | {getattr(PINS, name): True})
    assert sensors.levels is not None
    assert [field for field in PINS.__slots__ if getattr(sensors.levels, field)] == [name]


def test_only_entering_a_beam_counts(sensors: GpioLaneSensors) -> None:
    sensors.pins_read(CLEAR | {6: True})
    sensors.pin_changed(edge(6, False))
    assert sensors.passes(Beam.EXIT) == 0
    sensors.pin_changed(edge(6, True))
    assert sensors.passes(Beam.EXIT) == 1


def test_a_switch_is_no_pass(sensors: GpioLaneSensors) -> None:
    sensors.pins_read(CLEAR)
    sensors.pin_changed(edge(26, True))
    assert [sensors.passes(beam) for beam in Beam] == [0, 0, 0]


def test_every_loss_is_a_gap_and_counts_stay(sensors: GpioLaneSensors) -> None:
    sensors.pins_read(CLEAR)
    sensors.pin_changed(edge(5, True))
    sensors.pins_lost()
    assert sensors.levels is None
    assert (sensors.passes(Beam.FEED), sensors.gaps) == (1, 1)


def test_whoever_asked_is_told_of_reading_change_and_loss(sensors: GpioLaneSensors) -> None:
    told: list[object] = []
    sensors.on_change(lambda: told.append(sensors.levels))
    sensors.on_change(lambda: told.append("second"))
    sensors.pins_read(CLEAR)
    sensors.pin_changed(edge(26, True))
    sensors.pins_lost()
    assert told[1::2] == ["second"] * 3
    assert [level is not None for level in told[::2]] == [True, True, False]


async def test_every_waiter_of_a_beam_wakes(sensors: GpioLaneSensors) -> None:
    sensors.pins_read(CLEAR)
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(sensors.wait_pass(Beam.FEED, 0, Deadline.after(10))) for _ in range(2)]
        await asyncio.sleep(0)
        sensors.pin_changed(edge(5, True))
    assert [wait.result() for wait in waits] == [True, True]


async def test_a_wait_for_the_second_card_does_not_end_with_the_first(sensors: GpioLaneSensors) -> None:
    sensors.pins_read(CLEAR)
    async with asyncio.TaskGroup() as group:
        wait = group.create_task(sensors.wait_pass(Beam.FEED, 1, Deadline.after(0.05)))
        await asyncio.sleep(0)
        sensors.pin_changed(edge(5, True))
    assert not wait.result()


def test_beams_have_no_debounce_and_switches_have_fifty_milliseconds(source: PinSource, sensors: GpioLaneSensors) -> None:
    assert sensors.levels is None
    assert source._inputs == {5: None, 6: None, 13: None, 19: 0.05, 26: 0.05, 12: 0.05}


def test_one_source_serves_one_lane(source: PinSource, sensors: GpioLaneSensors) -> None:
    assert sensors.levels is None
    with pytest.raises(RuntimeError, match="one user"):
        GpioLaneSensors(source, PINS)
