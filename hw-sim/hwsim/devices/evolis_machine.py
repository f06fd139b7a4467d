"""What an Evolis printer remembers between commands: settings, the print sequence, five bitmaps (printers.md 3.4-3.8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from hwsim.devices.evolis_panels import Geometry
from hwsim.devices.evolis_press import DuePanel, Press
from hwsim.devices.evolis_settings import factory_settings
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.parts import whole_number
from hwsim.errors import SimError
from hwsim.forms import Form
from hwsim.profiles import EvolisProfile

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

    error_mode: int  # as given to Pem
    no_eject: bool  # Pneab;E
    ribbon: str  # as chosen with Pr
    stored: dict[str, str] = field(default_factory=dict)  # what other P commands were given, to be read back

    @property
    def host_errors(self) -> bool:
        """Whether the host handles errors: the bit of 2, which 38 has too (printers.md 3.4)."""
        return bool(self.error_mode & 2)


@dataclass(frozen=True, slots=True)
class Bitmap:
    """One downloaded panel."""

    levels: int
    dots: bytes


class Machine:
    """The printer behind its commands. One command at a time."""

    def __init__(self, identity: Identity, profile: EvolisProfile, mechanics: Mechanics) -> None:
        self.identity, self.profile, self.mechanics = identity, profile, mechanics
        self.geometry = Geometry(profile.width_dots, profile.height_lines)
        self.form = Form("evolis", profile.width_dots, profile.height_lines)
        self.press = Press(mechanics)
        self.unit_settings = factory_settings()
        self.sensors: dict[str, str] = {}  # queries that a test lets answer something else
        self.saved_error_mode = 2 * profile.power_on_host_errors
        self.power_on()

    def power_on(self) -> None:
        """Forget what is not kept without power."""
        self.settings = Settings(self.saved_error_mode, self.profile.power_on_no_eject, self.profile.ribbon_type)
        self.bitmaps: dict[str, Bitmap] = {}
        self.last: list[DuePanel] = []  # what the last sequence printed, for copies
        self.drop_sequence()
        self.prefilled: set[str] = set()  # panels that Wcb filled: they print with the next sequence

    def adjust(self, name: str, value: str) -> None:
        """Somebody turned a setting of the unit: its name in the profile, or the query that reads it. Raises SimError."""
        query = self.profile.settings.get(name, name)
        if query not in self.unit_settings:
            raise SimError(f"a setting is one of {', '.join([*self.profile.settings, *self.unit_settings])}")
        if whole_number(value) is None:
            raise SimError(f"a setting is a number, not {value!r}")
        self.unit_settings[query] = value

    def drop_sequence(self) -> None:
        """Forget the print sequence; the card stays where it is."""
        self.in_sequence, self.side = False, FRONT
        self._sent: list[DuePanel] = []
        self._copies_left = self._copied = 0  # cards, and panels of the one under way
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
        due = DuePanel(self.side, panel, bitmap.levels, bitmap.dots, self.form)
        await self.press.print(due, self.settings.ribbon)
        self._sent = [*self._sent, due]

    async def make_copies(self, number: int) -> None:
        """So many cards like the last one. Called again after an obstacle, it goes on where it stopped."""
        if not self._copies_left:
            self.drop_sequence()
            self._copies_left = number
        while self._copies_left:
            while self._copied < len(self.last):
                await self.press.print(self.last[self._copied], self.settings.ribbon)
                self._copied += 1
            await self.press.finished()
            await self.mechanics.eject()
            self.press.reset()
            self._copied = 0
            self._copies_left -= 1

    async def finish(self) -> bool:
        """Print all that is due; returns whether anything was printed in this sequence. The sequence ends."""
        if self.in_sequence:
            for panel in sorted(self.prefilled, key="ymcko".index):
                await self.print(panel)
                self.prefilled.discard(panel)
        await self.press.finished()
        printed = bool(self.press.sides)
        if printed:
            self.last = list(self._sent)
        self.drop_sequence()
        return printed
