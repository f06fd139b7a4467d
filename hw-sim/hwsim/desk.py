"""The desk reader: a PC/SC reader of its own, on which a person lays one card."""

from __future__ import annotations

from hwsim.clock import Clock
from hwsim.config import DeskConfig
from hwsim.devices.field import Field
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges
from hwsim.profiles import ChipProfile
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import Place, Spot, World

NAME = "desk"  # where a lane's name is asked for


class Desk:
    """One reader, at most one card."""

    def __init__(self, config: DeskConfig, world: World, clock: Clock, profile: ChipProfile) -> None:
        self._world, self.profile = world, profile
        self.exchanges = Exchanges()
        self.slot = VpcdSlot(config.vpcd.host, config.vpcd.port)
        self.field = Field(NAME, world, profile, self.slot, clock, LaneMeter(), self.exchanges)

    @property
    def blank(self) -> str | None:
        """The card that lies there."""
        return next(iter(self._world.at(Spot.DESK)), None)

    def check_room(self) -> None:
        """Raise SimError while a card lies there."""
        if self.blank is not None:
            raise SimError(f"{self.blank} lies on the desk reader; take it away first")

    def lay(self, blank: str) -> None:
        """A person lays a card on the reader."""
        self.check_room()
        self._world.move(blank, Place(Spot.DESK))
        self.field.arrive(blank)

    def clear(self) -> list[str]:
        """A person takes the card away. Returns its id, if there was one."""
        taken = self._world.at(Spot.DESK)
        for blank in taken:
            self.field.leave()
            self.field.forget(blank)
            self._world.move(blank, Place(Spot.PERSON))
        return taken
