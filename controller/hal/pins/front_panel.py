"""The front panel: GO and HOLD buttons, green, amber and red lamps, over a pin source.

A press counts once, 30 ms after the button stays down (ecosystem.md 1); how long it is held means nothing. A button that is
down when the source comes back is no press. Lamps go dark when the station stops: gpiozero gives the pins back as inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.hal.pins.pin_source import PinEdge, PinSource
from controller.model import Button, Lamps

_BUTTON_BOUNCE_S = 0.03


@dataclass(frozen=True, slots=True)
class PanelPins:
    """Where the front panel is wired, BCM numbers 0-27."""

    go: int
    hold: int
    green: int
    amber: int
    red: int


class GpioFrontPanel:
    """`ports.FrontPanel` over a pin source of its own."""

    def __init__(self, source: PinSource, pins: PanelPins) -> None:
        """Takes the source for itself; the caller runs `source.run()`."""
        self._source = source
        self._pins = pins
        self._buttons = {pins.go: Button.GO, pins.hold: Button.HOLD}
        self._press_handlers: list[Callable[[Button], None]] = []
        self._change_handlers: list[Callable[[], None]] = []
        source.attach(self, dict.fromkeys(self._buttons, _BUTTON_BOUNCE_S), (pins.green, pins.amber, pins.red))

    @property
    def trusted(self) -> bool:
        """Whether the pin source answers."""
        return self._source.trusted

    def on_press(self, handler: Callable[[Button], None]) -> None:
        """Call `handler` on the event loop for every debounced press."""
        self._press_handlers.append(handler)

    def on_change(self, handler: Callable[[], None]) -> None:
        """Call `handler` on the event loop whenever `trusted` changed."""
        self._change_handlers.append(handler)

    def set_lamps(self, lamps: Lamps) -> None:
        """Show these lamps, now and again after the pin source comes back."""
        pins = self._pins
        self._source.write({pins.green: lamps.green, pins.amber: lamps.amber, pins.red: lamps.red})

    def pins_read(self, levels: Mapping[int, bool]) -> None:  # noqa: ARG002 - a button that is already down is no press
        """The source works again; for the pin source."""
        self._tell()

    def pin_changed(self, edge: PinEdge) -> None:
        """One button changed; for the pin source."""
        if edge.active:
            for handler in self._press_handlers:
                handler(self._buttons[edge.pin])

    def pins_lost(self) -> None:
        """The source is gone; for the pin source."""
        self._tell()

    def _tell(self) -> None:
        for handler in self._change_handlers:
            handler()
