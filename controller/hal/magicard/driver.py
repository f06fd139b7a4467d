"""A Magicard card printer as the passage sees it (port `CardPrinter`). Everything it says comes from the printer profile.

It prints on a card that a person puts into its slot; it brings no card to a reader and never says where one is. After
DeviceUnknown nothing goes on until `open` has brought questions and answers in step again (see `magicard.line`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from controller.clock import Deadline, wall_us
from controller.errors import DeviceRefused
from controller.hal.magicard.codec import Info
from controller.hal.magicard.job import check_panels, job_blocks
from controller.hal.magicard.session import MagicardSession
from controller.hal.magicard.view import care_of, witness_of
from controller.hal.profiles.printer import MagicardProfile
from controller.hal.usb.link import UsbLink, UsbWanted
from controller.model import Panel, PrinterCare, PrinterIdentity, PrinterWitness


class MagicardPrinter:
    """One printer of a Magicard profile. Methods and errors: `controller.hal.ports.CardPrinter`."""

    def __init__(self, profile: MagicardProfile, link: UsbLink) -> None:
        """The link is owned from here on. No I/O happens before `open`."""
        self._profile = profile
        self._link = link
        self._session = MagicardSession(link.pipe, profile, link.wanted.serial)

    @classmethod
    def at(cls, profile: MagicardProfile, address: str, serial: str, port: str | None = None) -> MagicardPrinter:
        """The printer with this serial number behind an address (``usb`` or ``usbip://HOST:PORT``; ValueError otherwise)."""
        return cls(profile, UsbLink(address, UsbWanted.by(profile.usb, serial, port)))

    async def open(self) -> PrinterIdentity:
        """Find the printer, prove make and serial number; DeviceRefused while it works or has an error."""
        return await self._link.run(self._session.greet)

    async def witness(self) -> PrinterWitness:
        """Counters; the position is never told. DeviceRefused while it works."""
        return witness_of(await self._link.run(self._session.look))

    async def examine(self) -> PrinterWitness:
        """Counters, in step anew and twice equal; DeviceUnknown otherwise."""
        return witness_of(await self._link.run(self._session.examine))

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print on the card that comes through the slot. RenderError, before anything is sent, for panels of another printer."""
        check_panels(panels, self._profile.raster_for(self._profile.ribbon))

        def job(info: Info) -> Iterator[bytes]:
            return job_blocks(self._profile, panels, wall_us() // 1_000_000, info.head_position)

        await self._link.run(self._session.print_by_hand, job, deadline)

    async def care(self) -> PrinterCare:
        """Cards until cleaning and the settings that the profile names."""
        return care_of(await self._link.run(self._session.look), self._profile)

    async def clean(self, deadline: Deadline) -> None:
        """Run the cleaning cycle; a person puts the cleaning card in."""
        command = self._offered("clean", self._profile.acts.clean)
        await self._link.run(self._session.clean, command, deadline)

    async def print_test_card(self, deadline: Deadline) -> None:
        """Have the printer print its own card on a blank of its hopper."""
        command = self._offered("test_card", self._profile.acts.test_card)
        await self._link.run(self._session.print_test_card, command, deadline)

    async def feed(self, deadline: Deadline) -> None:
        """DeviceRefused: there is no station to bring a blank to."""
        self._lacks("feed", deadline)

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """DeviceRefused: it keeps no card."""
        self._lacks("print", panels, deadline)

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """DeviceRefused: it prints on cards fed by hand only."""
        self._lacks("print_and_deliver", panels, deadline)

    async def to_chip_station(self, deadline: Deadline) -> None:
        """DeviceRefused: there is none."""
        self._lacks("to_chip_station", deadline)

    async def deliver(self, deadline: Deadline) -> None:
        """DeviceRefused: a printed card comes out by itself."""
        self._lacks("deliver", deadline)

    async def reject(self, deadline: Deadline) -> None:
        """DeviceRefused: there is no reject box."""
        self._lacks("reject", deadline)

    async def close(self) -> None:
        """Final; twice is fine."""
        await self._link.close()

    def _offered(self, name: str, command: str | None) -> str:
        return self._lacks(name) if command is None else command

    def _lacks(self, name: str, *_asked: object) -> NoReturn:
        raise DeviceRefused("option_missing", f"profile {self._profile.name} has no act '{name}'")
