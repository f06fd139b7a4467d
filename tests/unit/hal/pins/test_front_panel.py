"""What the front panel makes of its pin source; without a wire. The rest is in tests/contract/test_pins.py."""

from __future__ import annotations

import pytest

from controller.hal.pins.front_panel import GpioFrontPanel, PanelPins
from controller.hal.pins.pin_source import PinEdge, PinSource
from controller.model import Button, Lamps

PINS = PanelPins(go=17, hold=27, green=22, amber=23, red=24)
UP = {17: False, 27: False}


@pytest.fixture
def source() -> PinSource:
    return PinSource("lgpio")


@pytest.fixture
def panel(source: PinSource) -> GpioFrontPanel:
    return GpioFrontPanel(source, PINS)


@pytest.fixture
def presses(panel: GpioFrontPanel) -> list[Button]:
    pressed: list[Button] = []
    panel.on_press(pressed.append)
    return pressed


def test_the_panel_is_not_trusted_before_its_source_works(panel: GpioFrontPanel) -> None:
    assert not panel.trusted


def test_a_press_counts_when_the_button_goes_down_and_not_when_it_comes_up(panel: GpioFrontPanel, presses: list[Button]) -> None:
    panel.pin_changed(PinEdge(17, True, at_s=0.0))
    panel.pin_changed(PinEdge(17, False, at_s=0.1))
    panel.pin_changed(PinEdge(27, True, at_s=0.2))
    assert presses == [Button.GO, Button.HOLD]


def test_a_button_that_is_down_when_the_source_comes_back_is_no_press(panel: GpioFrontPanel, presses: list[Button]) -> None:
    panel.pins_read(UP | {17: True})
    panel.pin_changed(PinEdge(17, False, at_s=0.1))
    assert presses == []


def test_whoever_asked_is_told_that_the_source_came_or_went(panel: GpioFrontPanel) -> None:
    told: list[str] = []
    panel.on_change(lambda: told.append("changed"))
    panel.pins_read(UP)
    panel.pins_lost()
    assert told == ["changed", "changed"]


def test_each_lamp_has_its_own_pin(panel: GpioFrontPanel, source: PinSource) -> None:
    panel.set_lamps(Lamps(green=True, amber=False, red=True))
    assert source._wanted == {22: True, 23: False, 24: True}


def test_buttons_are_debounced_for_thirty_milliseconds(panel: GpioFrontPanel, source: PinSource) -> None:
    assert not panel.trusted
    assert source._inputs == {17: 0.03, 27: 0.03}
