"""One contract for lane sensors and front panels: the ones in memory, and gpiozero's over hw-sim's pigpiod."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from controller.clock import Deadline
from controller.hal.pins.front_panel import GpioFrontPanel, PanelPins
from controller.hal.pins.lane_sensors import GpioLaneSensors, LanePins
from controller.hal.pins.pin_source import PinSource
from controller.model import Beam, Button, Lamps
from tests.fakes.pin_rig import LIMIT_S, PinRig, Watch, pin_rig, running
from tests.fakes.pins import CLEAR, DARK, FakeFrontPanel, FakeLaneSensors

LANE_PINS = LanePins(feed_beam=5, exit_beam=6, reject_beam=13, hopper_low=19, hopper_empty=26, bin_full=12)
PANEL_PINS = PanelPins(go=17, hold=27, green=22, amber=23, red=24)
GREEN_RED = Lamps(green=True, amber=False, red=True)

Step = Callable[[], Awaitable[None]]


@dataclass
class Lane:
    """Sensors, and what a test does to them."""

    sensors: FakeLaneSensors | GpioLaneSensors
    sense: Callable[[str, bool], None]
    lose: Step
    restore: Step
    watch: Watch = field(default_factory=Watch)

    async def pass_card(self, beam: Beam) -> None:
        seen = self.sensors.passes(beam)
        self.sense(f"{beam.value}_beam", True)
        self.sense(f"{beam.value}_beam", False)
        assert await self.sensors.wait_pass(beam, seen, Deadline.after(LIMIT_S))

    async def until_level(self, name: str, active: bool) -> None:
        await self.watch.until(lambda: getattr(self.sensors.levels, name, None) is active)

    async def until_lost(self) -> None:
        await self.watch.until(lambda: self.sensors.levels is None)


@dataclass
class Panel:
    """A front panel, and what a test does to it."""

    panel: FakeFrontPanel | GpioFrontPanel
    press: Callable[[Button], None]
    shown: Callable[[], Lamps]
    lose: Step
    restore: Step
    pressed: list[Button] = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)

    async def until_trusted(self, trusted: bool) -> None:
        await self.watch.until(lambda: self.panel.trusted is trusted)

    async def until_shown(self, lamps: Lamps) -> None:
        await self.watch.until(lambda: self.shown() == lamps)


@pytest.fixture(params=["memory", "gpiozero"])
async def lane(request: pytest.FixtureRequest) -> AsyncIterator[Lane]:
    async with {"memory": memory_lane, "gpiozero": gpiozero_lane}[request.param]() as made:
        yield made


@pytest.fixture(params=["memory", "gpiozero"])
async def panel(request: pytest.FixtureRequest) -> AsyncIterator[Panel]:
    async with {"memory": memory_panel, "gpiozero": gpiozero_panel}[request.param]() as made:
        yield made


async def test_no_card_was_seen_at_first(lane: Lane) -> None:
    assert lane.sensors.levels == CLEAR
    assert [lane.sensors.passes(beam) for beam in Beam] == [0, 0, 0]


@pytest.mark.parametrize("beam", list(Beam))
async def test_a_card_through_a_beam_counts_once_and_there_only(lane: Lane, beam: Beam) -> None:
    await lane.pass_card(beam)
    assert {seen: lane.sensors.passes(seen) for seen in Beam} == {seen: int(seen is beam) for seen in Beam}


async def test_a_card_that_stays_in_the_beam_counts_when_it_enters(lane: Lane) -> None:
    lane.sense("exit_beam", True)
    await lane.until_level("exit_beam", True)
    assert lane.sensors.passes(Beam.EXIT) == 1
    lane.sense("exit_beam", False)
    await lane.until_level("exit_beam", False)
    assert lane.sensors.passes(Beam.EXIT) == 1


async def test_cards_close_behind_each_other_all_count(lane: Lane) -> None:
    for _ in range(50):
        lane.sense("feed_beam", True)
        lane.sense("feed_beam", False)
    assert await lane.sensors.wait_pass(Beam.FEED, 49, Deadline.after(LIMIT_S))
    await lane.until_level("feed_beam", False)
    assert lane.sensors.passes(Beam.FEED) == 50


@pytest.mark.parametrize("name", ["hopper_low", "hopper_empty", "bin_full"])
async def test_levels_follow_the_switches(lane: Lane, name: str) -> None:
    lane.sense(name, True)
    await lane.until_level(name, True)
    lane.sense(name, False)
    await lane.until_level(name, False)
    assert lane.sensors.levels == CLEAR


async def test_waiting_for_a_card_that_does_not_come_ends_at_the_deadline(lane: Lane) -> None:
    assert not await lane.sensors.wait_pass(Beam.EXIT, 0, Deadline.after(0.05))


async def test_a_card_that_passed_before_the_wait_is_not_waited_for(lane: Lane) -> None:
    await lane.pass_card(Beam.EXIT)
    assert await lane.sensors.wait_pass(Beam.EXIT, 0, Deadline.after(0.0))


async def test_a_card_at_another_beam_does_not_end_the_wait(lane: Lane) -> None:
    await lane.pass_card(Beam.FEED)
    assert not await lane.sensors.wait_pass(Beam.EXIT, 0, Deadline.after(0.05))


async def test_levels_are_unknown_while_the_pins_are_lost(lane: Lane) -> None:
    await lane.lose()
    await lane.until_lost()
    assert lane.sensors.gaps == 1


async def test_levels_are_read_again_and_counts_go_on_after_a_loss(lane: Lane) -> None:
    await lane.pass_card(Beam.FEED)
    await lane.lose()
    await lane.until_lost()
    lane.sense("hopper_empty", True)
    await lane.restore()
    await lane.until_level("hopper_empty", True)
    await lane.pass_card(Beam.FEED)
    assert (lane.sensors.passes(Beam.FEED), lane.sensors.gaps) == (2, 1)


async def test_a_card_that_stands_in_the_beam_after_a_loss_is_a_level_and_no_pass(lane: Lane) -> None:
    await lane.lose()
    await lane.until_lost()
    lane.sense("exit_beam", True)
    await lane.restore()
    await lane.until_level("exit_beam", True)
    assert lane.sensors.passes(Beam.EXIT) == 0


@pytest.mark.parametrize("button", list(Button))
async def test_a_press_names_its_button(panel: Panel, button: Button) -> None:
    panel.press(button)
    await panel.watch.until(lambda: panel.pressed == [button])


async def test_lamps_are_dark_at_first_and_then_as_set(panel: Panel) -> None:
    assert panel.shown() == DARK
    panel.panel.set_lamps(GREEN_RED)
    await panel.until_shown(GREEN_RED)


async def test_only_the_newest_lamps_stay(panel: Panel) -> None:
    for lamps in (GREEN_RED, Lamps(green=True, amber=True, red=True), DARK, Lamps(green=False, amber=True, red=False)):
        panel.panel.set_lamps(lamps)
    await panel.until_shown(Lamps(green=False, amber=True, red=False))


async def test_a_lost_panel_says_so(panel: Panel) -> None:
    await panel.lose()
    await panel.until_trusted(False)


async def test_a_panel_that_came_back_shows_its_lamps_and_hears_presses(panel: Panel) -> None:
    panel.panel.set_lamps(GREEN_RED)
    await panel.until_shown(GREEN_RED)
    await panel.lose()
    await panel.until_trusted(False)
    await panel.restore()
    await panel.until_shown(GREEN_RED)
    await panel.until_trusted(True)
    panel.press(Button.HOLD)
    await panel.watch.until(lambda: panel.pressed == [Button.HOLD])


@contextlib.asynccontextmanager
async def memory_lane() -> AsyncIterator[Lane]:
    sensors = FakeLaneSensors()
    lane = Lane(sensors, lambda name, active: sensors.sense(**{name: active}), _step(sensors.lose), _step(sensors.restore))
    sensors.on_change(lane.watch.changed)
    yield lane


@contextlib.asynccontextmanager
async def gpiozero_lane() -> AsyncIterator[Lane]:
    async with pin_rig() as rig:
        source = PinSource(rig.address)
        sensors = GpioLaneSensors(source, LANE_PINS)
        lane = Lane(sensors, lambda name, active: rig.bank.drive(getattr(LANE_PINS, name), int(not active)), rig.kill, rig.revive)
        sensors.on_change(lane.watch.changed)
        async with running(source):
            await lane.watch.until(lambda: source.trusted)
            yield lane


@contextlib.asynccontextmanager
async def memory_panel() -> AsyncIterator[Panel]:
    fake = FakeFrontPanel()
    panel = Panel(fake, fake.press, lambda: fake.shown, _step(fake.lose), _step(fake.restore))
    _watch_panel(panel)
    yield panel


@contextlib.asynccontextmanager
async def gpiozero_panel() -> AsyncIterator[Panel]:
    async with pin_rig() as rig:
        source = PinSource(rig.address)
        front = GpioFrontPanel(source, PANEL_PINS)

        async def restart_dark() -> None:
            for pin in (PANEL_PINS.green, PANEL_PINS.amber, PANEL_PINS.red):
                rig.bank.set_mode(pin, 0)
            await rig.revive()

        panel = Panel(
            front,
            lambda button: rig.bank.drive(getattr(PANEL_PINS, button.value), 0),
            lambda: _lamps(rig),
            rig.kill,
            restart_dark,
        )
        rig.bank.on_write = panel.watch.changed
        _watch_panel(panel)
        async with running(source):
            await panel.watch.until(lambda: source.trusted)
            yield panel


def _watch_panel(panel: Panel) -> None:
    panel.panel.on_press(panel.pressed.append)
    panel.panel.on_press(panel.watch.changed)
    panel.panel.on_change(panel.watch.changed)


def _lamps(rig: PinRig) -> Lamps:
    green, amber, red = (bool(rig.bank.level(pin)) for pin in (PANEL_PINS.green, PANEL_PINS.amber, PANEL_PINS.red))
    return Lamps(green=green, amber=amber, red=red)


def _step(act: Callable[[], None]) -> Step:
    async def step() -> None:
        act()

    return step
