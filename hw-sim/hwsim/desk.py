"""The desk reader: a PC/SC reader of its own, on which a person lays one card."""

from __future__ import annotations

from hwsim.clock import Clock
from hwsim.config import DeskConfig
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.field import Field, Speed
from hwsim.devices.sam_slot import SamSlot
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges
from hwsim.profiles import ChipProfile
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import Place, Spot, World

NAME = "desk"  # where a lane's name is asked for
DESK_SEED = 0  # lanes have theirs from their names


class Desk:
    """One reader, at most one card."""

    def __init__(self, config: DeskConfig, world: World, clock: Clock, profile: ChipProfile) -> None:
        self._world, self.profile = world, profile
        self.exchanges = Exchanges()
        self.slot = VpcdSlot(config.vpcd.host, config.vpcd.port)
        masters = load_masters()
        self.field = Field(NAME, world, profile, self.slot, clock, LaneMeter(), self.exchanges, masters, Speed())
        self._sam = None if config.sam is None else SamSlot(config.sam, masters, DESK_SEED, self.exchanges)

    async def start(self) -> None:
        """Open the reader's slots."""
        await self.slot.start()
        if self._sam is not None:
            await self._sam.start()

    async def close(self) -> None:
        """Let go of them."""
        await self.slot.close()
        if self._sam is not None:
            await self._sam.close()

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
