"""What the upper layers may ask of the hardware.

Every method raises `DeviceAbsent` when nothing was sent, `DeviceRefused` when the device said no, and `DeviceUnknown` when
the act may or may not have happened. One task uses one device at a time; a second one is a bug and raises RuntimeError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from controller.clock import Deadline
from controller.model import (
    Beam,
    Button,
    ChipFile,
    ChipSight,
    Lamps,
    LaneLevels,
    Panel,
    PrinterCare,
    PrinterIdentity,
    PrinterWitness,
)

NOT_DRAWN_IN = "card_not_fed"  # `print_by_hand` is refused with it: the printer's own word that it took no card


class ChipPhase(StrEnum):
    """A part of the conversation with a chip that is measured by itself."""

    IDENTIFY = "identify"
    WRITE = "write"
    READ = "read"
    LOCK = "lock"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class ChipCost:
    """What such a part took on the reader's thread, the wait for a card left out."""

    commands: int  # APDUs sent, those included that only fetch the rest of an answer
    sent_bytes: int
    received_bytes: int  # status words included
    chip_s: float  # waited for the reader: it, the air and the chip
    keys_s: float  # waited for the key holder
    whole_s: float

    @property
    def own_s(self) -> float:
        """What this program took."""
        return self.whole_s - self.chip_s - self.keys_s


OnPhase = Callable[[ChipPhase, ChipCost, str | None], None]  # what a phase cost, and the condition it failed with


class CardPrinter(Protocol):
    """One card printer. A card is fed, moved, printed and let go by separate acts; each returns once the printer says done."""

    async def open(self) -> PrinterIdentity:
        """Find the printer, take the USB interface, switch to host error mode and drain old replies. Idempotent."""

    async def witness(self) -> PrinterWitness:
        """Read position and counters. Moves nothing; repeat freely."""

    async def examine(self) -> PrinterWitness:
        """Position and counters as evidence: the conversation is brought in step anew, so that no stale reply can stand in, and
        the record is read twice. DeviceUnknown when the two differ: something still moves. Moves nothing; repeat freely."""

    async def feed(self, deadline: Deadline) -> None:
        """Bring one blank from the hopper to the contactless station."""

    async def print(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print the panels on the card inside and keep it inside. Only when the profile can hold the card."""

    async def print_and_deliver(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print the panels on the card inside and eject it in one act. For profiles that cannot hold the card."""

    async def to_chip_station(self, deadline: Deadline) -> None:
        """Move the card inside back to the contactless station."""

    async def deliver(self, deadline: Deadline) -> None:
        """Eject the card inside into the output bin."""

    async def reject(self, deadline: Deadline) -> None:
        """Move the card inside into the reject bin."""

    async def print_by_hand(self, panels: Sequence[Panel], deadline: Deadline) -> None:
        """Print the panels on a card that a person puts into the slot, and eject it. For profiles with the plan `external`.

        DeviceRefused NOT_DRAWN_IN: the printer says that no card was drawn in, and has dropped the job.
        """

    async def care(self) -> PrinterCare:
        """Read what bears on upkeep: cleaning and settings. Moves nothing; slower than `witness`, so asked at quiet moments."""

    async def clean(self, deadline: Deadline) -> None:
        """Run the cleaning cycle. DeviceRefused `option_missing` when the profile has none."""

    async def print_test_card(self, deadline: Deadline) -> None:
        """Print the printer's own test card: takes one blank from the hopper and ejects it. DeviceRefused as for `clean`."""

    async def close(self) -> None:
        """Let go of the device. Closing twice is fine, and so is closing what is already gone."""


class ChipStation(Protocol):
    """The contactless reader of a lane, the chip profile it speaks, and the key holder it asks."""

    async def check(self) -> None:
        """Raise DeviceError when PC/SC, the reader or the key holder could not be used now. Touches no card."""

    async def look(self, deadline: Deadline) -> str:
        """Wait for a card, take it for ourselves, read its UID: of any card, ours or not. It needs no key holder.

        Only `identify` or `release` may follow.
        """

    async def identify(self, deadline: Deadline) -> ChipSight:
        """Wait for a card, take it for ourselves, read its UID, open the secure channel, read whether its files are empty.

        DeviceAbsent too when the key holder cannot be used: that says nothing of the card.
        """

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        """Write every file, content first and length prefix last, to the chip last identified."""

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """Read the content of the files back from the chip last identified."""

    async def finish(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """Put the keys of the chip last identified and close it, as far as its profile says so and it was not done before.

        Then as `verify`. For a chip whose read-back was right.
        """

    async def verify(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """Reset the chip last identified and read the files in a new session: independent proof that it is closed and signed."""

    async def confirm(self, deadline: Deadline) -> None:
        """Reset the chip last identified, so that the reader listens anew: DeviceRefused("chip_swapped") when another answers.

        `write`, `read`, `finish` and `verify` do so by themselves before they raise DeviceRefused: then it was this chip.
        """

    async def release(self) -> None:
        """Let go of the card so that it may be moved. Never fails."""

    async def close(self) -> None:
        """Stop the reader's thread. Closing twice is fine."""


class LaneSensors(Protocol):
    """Beams and hopper sensors of one lane."""

    @property
    def levels(self) -> LaneLevels | None:
        """The levels now; None while the pin source is not trusted."""

    @property
    def gaps(self) -> int:
        """How often the sensors were blind since the station started. If it grew, a pass that was not seen proves nothing."""

    def passes(self, beam: Beam) -> int:
        """How many cards this beam has seen since the station started."""

    async def wait_pass(self, beam: Beam, after: int, deadline: Deadline) -> bool:
        """Wait until the beam has seen more than `after` cards; False when the deadline comes first."""


class FrontPanel(Protocol):
    """Buttons and lamps that staff use."""

    @property
    def trusted(self) -> bool:
        """Whether the pin source answers."""

    def on_press(self, handler: Callable[[Button], None]) -> None:
        """Call `handler` on the event loop for every debounced press."""

    def set_lamps(self, lamps: Lamps) -> None:
        """Show these lamps, now and again after the pin source comes back."""


class OperatorDisplay(Protocol):
    """Two lines of 20 characters."""

    def show(self, first: str, second: str) -> None:
        """Show these lines, now and again after the display comes back. Longer text is cut."""
