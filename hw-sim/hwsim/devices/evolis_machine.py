"""What an Evolis printer remembers between commands: settings, the print sequence, five bitmaps (printers.md 3.4-3.8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwsim.devices.evolis_mechanics import Mechanics
from hwsim.devices.evolis_panels import Geometry
from hwsim.devices.evolis_press import DuePanel, Press
from hwsim.profiles import PrinterProfile

FRONT, BACK = "front", "back"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the printer says it is."""

    model: str
    serial: str
    firmware: str = "hw-sim 1.0"  # Rtp and Rfv are free text; real strings are not public (printers.md 3.13)
    head_kit: str = "320000001"  # resistance x 10 and serial


@dataclass(slots=True)
class Settings:
    """Parameters that power-on sets back."""

    host_errors: bool  # Pem;2
    no_eject: bool  # Pneab;E
    ribbon: str  # as chosen with Pr
    stored: dict[str, str] = field(default_factory=dict)  # what other P commands were given, to be read back


@dataclass(frozen=True, slots=True)
class Bitmap:
    """One downloaded panel."""

    levels: int
    dots: bytes


class Machine:
    """The printer behind its commands. One command at a time."""

    def __init__(self, identity: Identity, profile: PrinterProfile, mechanics: Mechanics) -> None:
        self.identity, self.profile, self.mechanics = identity, profile, mechanics
        self.geometry = Geometry(profile.width_dots, profile.height_lines)
        self.press = Press(mechanics)
        self.saved_host_errors = profile.power_on_host_errors
        self.power_on()

    def power_on(self) -> None:
        """Forget what is not kept without power."""
        self.settings = Settings(self.saved_host_errors, self.profile.power_on_no_eject, self.profile.ribbon_type)
        self.bitmaps: dict[str, Bitmap] = {}
        self.drop_sequence()
        self.prefilled: set[str] = set()  # panels that Wcb filled: they print with the next sequence

    def drop_sequence(self) -> None:
        """Forget the print sequence; the card stays where it is."""
        self.in_sequence, self.side = False, FRONT
        self.press.reset()

    def start_sequence(self) -> None:
        """Ss: from now on, downloaded panels are printed."""
        self.drop_sequence()
        self.in_sequence = True

    async def download(self, panel: str, bitmap: Bitmap) -> None:
        """Keep a panel, and print it when a sequence is under way."""
        self.bitmaps[panel] = bitmap
        self.prefilled.discard(panel)
        if self.in_sequence:
            await self.print(panel)

    async def print(self, panel: str) -> None:
        """Make a panel in memory due on the current side."""
        bitmap = self.bitmaps[panel]
        await self.press.print(DuePanel(self.side, panel, bitmap.levels, bitmap.dots), self.settings.ribbon)

    async def finish(self) -> bool:
        """Print all that is due; returns whether anything was printed in this sequence. The sequence ends."""
        if self.in_sequence:
            for panel in sorted(self.prefilled):
                await self.print(panel)
                self.prefilled.discard(panel)
        await self.press.finished()
        printed = bool(self.press.sides)
        self.drop_sequence()
        return printed
