"""Makes a lane's printer of its profile's family."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.clock import Clock
from hwsim.devices.evolis import EvolisPrinter
from hwsim.devices.evolis_machine import Identity, Machine
from hwsim.devices.magicard import MagicardPrinter
from hwsim.devices.magicard_machine import MagicardMachine
from hwsim.devices.magicard_replies import Unit
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.usb_printer import UsbPrinter
from hwsim.exchanges import Exchanges
from hwsim.profiles import EvolisProfile, MagicardProfile
from hwsim.timing import LaneMeter


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands around a printer."""

    clock: Clock
    meter: LaneMeter
    exchanges: Exchanges
    hand_feed_wait_s: float


def make_printer(profile: EvolisProfile | MagicardProfile, serial: str, mechanics: Mechanics, beside: Beside) -> UsbPrinter:
    """A printer that is switched off."""
    if isinstance(profile, EvolisProfile):
        machine = Machine(Identity(profile.model, serial), profile, mechanics)
        return EvolisPrinter(machine, beside.clock, beside.meter, beside.exchanges)
    unit = Unit(profile.model, serial)
    magicard = MagicardMachine(unit, profile, mechanics, beside.clock, beside.hand_feed_wait_s)
    return MagicardPrinter(magicard, beside.clock, beside.meter, beside.exchanges)
