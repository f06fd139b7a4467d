"""A SAM card of hw-sim in a slot without a reader (`pcsc_sam.SamSlot`)."""

from __future__ import annotations

from hwsim.devices.sam import SamCard


class InProcessSlot:
    """Whoever lets go of the card resets it: pcscd takes the power from one that nobody holds."""

    def __init__(self, card: SamCard) -> None:
        self._card, self._held = card, False

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
