"""An Evolis card printer as the passage sees it (port `CardPrinter`). Everything it says comes from the printer profile.

An act is one trip to the link's thread. After DeviceUnknown nothing goes on until `open` has brought commands and replies
in step again (see `evolis.line`); until then acts and `witness` raise DeviceAbsent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from controller.cards.raster import BACK, FRONT, check_shapes
from controller.clock import Deadline
from controller.errors import DeviceRefused
from controller.hal.evolis.line import EvolisLine
from controller.hal.evolis.session import look, perform, serve, tend
from controller.hal.profiles.printer import EvolisProfile
from controller.hal.usb.link import UsbLink, UsbWanted
from controller.model import Panel, PrinterCare, PrinterIdentity, PrinterWitness


class EvolisPrinter:
    """One printer of an Evolis profile. Methods and errors: `controller.hal.ports.CardPrinter`."""

    def __init__(self, profile: EvolisProfile, link: UsbLink) -> None:
        """The link is owned from here on. No I/O happens before `open`."""
        self._profile = profile
        self._link = link
        self._line = EvolisLine(link.pipe, profile, link.wanted.serial)

    @classmethod
    def at(cls, profile: EvolisProfile, address: str, serial: str, port: str | None = None) -> EvolisPrinter:
        """The printer with this serial number behind an address (``usb`` or ``usbip://HOST:PORT``; ValueError otherwise).

        `port`: only a printer plugged in there, e.g. "1-1.2". The profile's `ribbon` is what it prints with.
        """
        return cls(profile, UsbLink(address, UsbWanted.by(profile.usb, serial, port)))

    async def open(self) -> PrinterIdentity:
        """Find the printer and bring the conversation in step; DeviceRefused when it has something to say, e.g. no ribbon."""
        return await self._link.run(self._line.greet)

    async def witness(self) -> PrinterWitness:
        """Position and counters."""
        limit = Deadline.after(self._profile.timeouts_s.reset)
        return await self._link.run(self._line.ask, look(self._profile), limit)

    async def examine(self) -> PrinterWitness:
        """Position and counters, in step anew and twice equal; DeviceUnknown otherwise."""
        return await self._link.run(self._line.examine, partial(look, self._profile))

    async def feed(self, deadline: Deadline) -> None:
        """A blank to the contactless station."""
        await self._act("feed", self._profile.acts.feed, deadline)

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print and keep. RenderError, before anything is sent, when a panel is not exactly what the profile says."""
        self._check(panels)
        await self._act("print", self._profile.acts.print, deadline, panels)

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print and eject. RenderError as for `print`."""
        self._check(panels)
        await self._act("print_and_deliver", self._profile.acts.print_and_deliver, deadline, panels)

    async def to_chip_station(self, deadline: Deadline) -> None:
        """Back to the contactless station."""
        await self._act("to_chip_station", self._profile.acts.to_chip_station, deadline)

    async def deliver(self, deadline: Deadline) -> None:
        """Out into the output bin."""
        await self._act("deliver", self._profile.acts.deliver, deadline)

    async def reject(self, deadline: Deadline) -> None:
        """Out into the reject bin."""
        await self._act("reject", self._profile.acts.reject, deadline)

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Never: DeviceRefused. These printers draw their cards from the hopper."""
        del panels, deadline
        raise DeviceRefused("option_missing", f"profile {self._profile.name} has no act 'print_by_hand'")

    async def care(self) -> PrinterCare:
        """Cards until cleaning and the settings; what this printer does not tell is absent."""
        limit = Deadline.after(self._profile.timeouts_s.reset)
        return await self._link.run(self._line.ask, tend(self._profile), limit)

    async def clean(self, deadline: Deadline) -> None:
        """The cleaning cycle, as the profile has it."""
        await self._serve("clean", self._profile.acts.clean, deadline)

    async def print_test_card(self, deadline: Deadline) -> None:
        """The printer's own test card, as the profile has it."""
        await self._serve("test_card", self._profile.acts.test_card, deadline)

    async def close(self) -> None:
        """Final; twice is fine."""
        await self._link.close()

    def _check(self, panels: Sequence[Panel]) -> None:
        """The front's panels, or those of both sides: RenderError for anything else."""
        sides = (FRONT, BACK) if any(panel.side == BACK for panel in panels) else (FRONT,)
        check_shapes(panels, self._profile.raster_for(self._profile.ribbon, sides))

    async def _act(self, name: str, commands: Sequence[str] | None, deadline: Deadline, panels: Sequence[Panel] = ()) -> None:
        known = self._commands(name, commands)
        await self._link.run(self._line.act, perform(self._profile, known, panels), deadline)

    async def _serve(self, name: str, commands: Sequence[str] | None, deadline: Deadline) -> None:
        known = self._commands(name, commands)
        await self._link.run(self._line.act, serve(self._profile, known), deadline)

    def _commands(self, name: str, commands: Sequence[str] | None) -> Sequence[str]:
        if commands is None:
            raise DeviceRefused("option_missing", f"profile {self._profile.name} has no act '{name}'")
        return commands
