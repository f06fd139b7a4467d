"""A SAM card of hw-sim in a slot without a reader (`pcsc_sam.SamSlot`)."""

from __future__ import annotations

from hwsim.devices.chip_keys import load_masters
from hwsim.devices.sam import SamCard, SamMemory


class InProcessSlot:
    """Whoever lets go of the card resets it: pcscd takes the power from one that nobody holds."""

    def __init__(self, card: SamCard | None = None) -> None:
        """`card`; None: one with the synthetic masters."""
        self._card = SamCard(load_masters(), SamMemory(bytes(8)), seed=1) if card is None else card
        self._held = False

    def connect(self) -> bool:
        """True when it was connected only now."""
        held, self._held = self._held, True
        return not held

    def send(self, command: bytes) -> bytes:
        """One command and its answer."""
        return self._card.transmit(command)

    def drop(self) -> None:
        """Let go of it. Twice is fine."""
        self._held = False
        self._card.reset()

    def close(self) -> None:
        """As `drop`."""
        self.drop()
