"""One lane: a printer with its hopper, bins, beams and chip reader, joined to the world and to its wires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from hwsim.clock import Clock
from hwsim.config import LaneConfig
from hwsim.devices.chip_keys import load_masters
from hwsim.devices.field import Field, Speed
from hwsim.devices.mechanics import Mechanics
from hwsim.devices.parts import Capacities, fitted_ribbon, known_ribbons
from hwsim.devices.pins import LaneSensors
from hwsim.devices.sam_slot import SamSlot
from hwsim.devices.usb_printer import UsbPrinter
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges
from hwsim.printers import Beside, make_printer
from hwsim.profiles import ChipProfile, EvolisProfile, MagicardProfile
from hwsim.timing import LaneMeter
from hwsim.wires.pigpiod import PigpiodServer, PinBank
from hwsim.wires.usbip import UsbIpServer
from hwsim.wires.vpcd import VpcdSlot
from hwsim.world import Place, Spot, Station, World


class Lane:
    """The lane's devices. `start` opens its wires; the printer is switched on and off apart."""

    def __init__(
        self,
        config: LaneConfig,
        world: World,
        clock: Clock,
        profiles: tuple[EvolisProfile | MagicardProfile, ChipProfile],
        usb: UsbIpServer,
        on_finished: Callable[[str], None],
    ) -> None:
        self.config, self._world, self._clock, self._usb = config, world, clock, usb
        self.profile, self.chip_profile = profiles
        if config.card_at_power_on is not None:
            self.profile = replace(self.profile, power_on_ejects=config.card_at_power_on == "ejects")
        self._on_finished = on_finished
        self.meter = LaneMeter()
        self.exchanges = Exchanges()
        self.bank = PinBank()
        self.external = self.profile.external if config.external is None else config.external
        if not config.pins and not self.external:
            raise SimError(f"lane {config.name}: pins are missing; only a lane with an external reader goes without")
        self.sensors = LaneSensors(self.bank, config.pins, clock)
        self._gpio = None if config.gpio is None else PigpiodServer(config.gpio.host, config.gpio.port, self.bank)
        self.slot = VpcdSlot(config.vpcd.host, config.vpcd.port)
        masters, speed = load_masters(), Speed(config.apdu_delay_s, config.rf_kbit)
        self._sam = None if config.sam is None else SamSlot(config.sam, masters, crc32(config.name.encode()), self.exchanges)
        self.field = Field(config.name, world, self.chip_profile, self.slot, clock, self.meter, self.exchanges, masters, speed,
                           config.uid_type)  # fmt: skip
        self.printer = self._printer(config.name, self.meter, self.exchanges)
        self.mechanics = self.printer.mechanics
        self._fit_ribbon()
        self.plugged = False
        self._life: asyncio.Task[None] | None = None
        world.on_move.append(self._show_levels)
        self._show_levels()

    # Wires and power

    async def start(self) -> None:
        """Open the pins and the reader slot."""
        if self._gpio is not None:
            await self._gpio.start()
        await self.slot.start()
        if self._sam is not None:
            await self._sam.start()

    async def close(self) -> None:
        """Let go of the wires."""
        self.unplug()
        await self.slot.close()
        if self._sam is not None:
            await self._sam.close()
        if self._gpio is not None:
            await self._gpio.close()

    @property
    def gpio(self) -> PigpiodServer:
        """The pin server. Raises SimError when the lane has none."""
        if self._gpio is None:
            raise SimError(f"lane {self.config.name} has no gpio")
        return self._gpio

    @property
    def sam(self) -> SamSlot:
        """The slot with the lane's SAM. Raises SimError when the lane has none."""
        if self._sam is None:
            raise SimError(f"lane {self.config.name} has no SAM: its hw-sim.toml has no sam")
        return self._sam

    @property
    def has_sam(self) -> bool:
        """Whether the lane's reader has a slot with a SAM."""
        return self._sam is not None

    @property
    def gpio_port(self) -> int | None:
        """Where the pin server listens; None without one."""
        return None if self._gpio is None else self._gpio.port

    @property
    def powered(self) -> bool:
        """Whether the printer is switched on."""
        return self._life is not None

    def switch_on(self, group: asyncio.TaskGroup) -> None:
        """The printer's power comes; its USB shows up at once."""
        if self._life is None:
            self._life = group.create_task(self.printer.run(), name=f"printer of lane {self.config.name}")
            self.plug()

    def switch_off(self) -> None:
        """The power goes: whatever moves stops at once, what is not kept is forgotten. The card inside stays."""
        self.unplug()
        if self._life is not None:
            self.printer.cut_power()
            self._life.cancel()
            self._life = None

    def plug(self) -> None:
        """Put the USB cable in; a printer without power stays invisible."""
        if not self.plugged and self.powered:
            self._usb.plug(self.config.busid, self.printer)
            self.plugged = True

    def unplug(self) -> None:
        """Pull the USB cable: what lay in the USB buffers is lost, the machine goes on."""
        if self.plugged:
            self._usb.unplug(self.config.busid)
            self.printer.bus_reset()
            self.plugged = False

    def twin(self) -> UsbPrinter:
        """Another printer with the same serial and nothing in its hopper."""
        return self._printer(f"{self.config.name} (twin)", LaneMeter(), Exchanges())

    def _printer(self, path: str, meter: LaneMeter, exchanges: Exchanges) -> UsbPrinter:
        config, profile = self.config, self.profile
        capacities = Capacities(config.bin_capacity, config.reject_capacity)
        mechanics = Mechanics(path, self._world, self._clock, profile, capacities, self, meter)
        wait_s = profile.timing_s["hand_feed_wait"] if config.hand_feed_wait_s is None else config.hand_feed_wait_s
        return make_printer(profile, config.serial, mechanics, Beside(self._clock, meter, exchanges, wait_s))

    def _fit_ribbon(self) -> None:
        kind = self.config.ribbon_type or self.profile.ribbon_type
        if kind not in known_ribbons(self.profile):
            raise SimError(
                f"lane {self.config.name}: there is no ribbon {kind!r}; there are: {', '.join(known_ribbons(self.profile))}"
            )
        self.mechanics.ribbon = fitted_ribbon(self.profile, kind, self.config.ribbon_cards)

    # What people do

    def load(self, count: int, dead_at: frozenset[int]) -> list[str]:
        """Put new blanks into the hopper; `dead_at` counts from 1 in the order of feeding. Returns their ids."""
        free = self.config.hopper_capacity - self._world.count(Spot.HOPPER, self.config.name)
        if not 0 < count <= free:
            raise SimError(f"the hopper of lane {self.config.name} has room for {free} blanks; asked for {count}")
        if dead_at and not 1 <= min(dead_at) <= max(dead_at) <= count:
            raise SimError(f"dead blanks must be numbered 1 to {count}, not {sorted(dead_at)}")
        loaded = self._world.make(count, self.chip_profile, self.config.uid_type)
        for number, blank in enumerate(loaded, 1):
            self._world.blank(blank).chip.dead = number in dead_at
            self._world.move(blank, Place(Spot.HOPPER, self.config.name))
        self.mechanics.touched()
        return loaded

    def take(self, spot: Spot) -> list[str]:
        """A person takes every card from one place of this lane. Returns their ids."""
        taken = self._world.at(spot, self.config.name)
        for blank in taken:
            self.take_one(blank)
        self.mechanics.touched()
        return taken

    def take_one(self, blank: str) -> None:
        """A person takes one card that is somewhere in this lane."""
        place = self._world.where(blank)
        if place.spot is Spot.READER or (place.spot is Spot.INSIDE and not self.external):
            self.field.leave()
        if place.spot is Spot.INSIDE and place.station is not Station.SLOT:
            self.meter.left(self._clock.now_s(), Spot.PERSON)
        self._world.move(blank, Place(Spot.PERSON))
        self._world.drop_dots(blank)
        self._forget(blank)
        self.mechanics.touched()

    def check_room(self, spot: Spot) -> None:
        """Raise SimError when no further card fits into this hopper, bin or slot, or onto this reader."""
        config = self.config
        if spot is Spot.READER and not self.external:
            raise SimError(f"the reader of lane {config.name} is inside its printer: no hand reaches it")
        if spot is Spot.INSIDE:
            self._check_slot()
            return
        rooms = {Spot.HOPPER: config.hopper_capacity, Spot.OUTPUT: config.bin_capacity, Spot.REJECT: config.reject_capacity}
        rooms[Spot.READER] = 1
        if self._world.count(spot, config.name) >= rooms[spot]:
            raise SimError(f"the {spot} of lane {config.name} is full: {rooms[spot]} cards lie there")

    def lay(self, blank: str, spot: Spot) -> None:
        """A person puts one card into the hopper, a bin or the hand-feed slot, or onto the reader; no beam sees that."""
        self.check_room(spot)
        self._world.move(blank, Place(spot, self.config.name, Station.SLOT if spot is Spot.INSIDE else None))
        if spot is Spot.READER:
            self.field.arrive(blank)
        self.mechanics.touched()

    def _check_slot(self) -> None:
        name = self.config.name
        if not isinstance(self.profile, MagicardProfile):
            raise SimError(f"the printer of lane {name} has no hand-feed slot")
        if self.mechanics.slot_card is not None:
            raise SimError(f"{self.mechanics.slot_card} is in the slot of lane {name}; take it out first")

    # What a card touches (devices.mechanics.Surroundings)

    async def pass_beam(self, beam: str, seconds: float) -> None:
        """See LaneSensors."""
        await self.sensors.pass_beam(beam, seconds)

    def chip_arrives(self, blank: str) -> None:
        """See Field; an external reader hears nothing of it."""
        if not self.external:
            self.field.arrive(blank)

    def chip_leaves(self) -> None:
        """See Field."""
        if not self.external:
            self.field.leave()

    def card_left(self, blank: str) -> None:
        """The card is in a bin."""
        self._forget(blank)
        self._on_finished(blank)

    def _forget(self, blank: str) -> None:
        """The card will not come to this antenna again; to an external reader it does."""
        if not self.external:
            self.field.forget(blank)

    def _show_levels(self) -> None:
        name, config = self.config.name, self.config
        blanks = self._world.count(Spot.HOPPER, name)
        self.sensors.show("hopper_empty", blanks == 0)
        self.sensors.show("hopper_low", blanks <= config.hopper_low_at)
        self.sensors.show("bin_full", self._world.count(Spot.OUTPUT, name) >= config.bin_capacity)
        self.meter.hopper(blanks)
