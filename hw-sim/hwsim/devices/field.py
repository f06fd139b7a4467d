"""The contactless station of a lane: which chip is in the field, on the vpcd wire, exactly while its card stands there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hwsim.clock import Clock
from hwsim.devices.chip import Chip
from hwsim.devices.chip_air import air_s
from hwsim.devices.chip_apdu import ChipDied
from hwsim.devices.chip_eeprom import ChipTroubles
from hwsim.devices.chip_ektp import EktpChip
from hwsim.devices.chip_gp import GpChip
from hwsim.devices.chip_keys import Masters
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges, apdu_label
from hwsim.profiles import ChipProfile
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import CardDied, VpcdSlot
from hwsim.world import Blank, Place, Spot, World

KINDS: dict[str, type[Chip]] = {"none": EktpChip, "icao": EktpChip, "scp03": GpChip}  # by the profile's channel


@dataclass(frozen=True, slots=True)
class Speed:
    """What an APDU costs besides the host's own time."""

    think_s: float = 0.0  # wall clock
    rf_kbit: int | None = None  # device time; None: the air takes none


@dataclass(slots=True)
class Swap:
    """Another chip answers when a card is presented for the n-th time."""

    presentation: int
    card_too: bool  # the whole card was exchanged, not only the chip that the reader hears


class FieldCard:
    """A chip as the reader sees it (wires.vpcd.ChipCard)."""

    def __init__(
        self,
        chip: Chip,
        clock: Clock,
        meter: LaneMeter,
        exchanges: Exchanges,
        speed: Speed,
        troubles: ChipTroubles,
        on_back: Callable[[], object] | None = None,
    ) -> None:
        """`on_back` is called when a chip that lost its field is to have it again."""
        self._chip, self._clock, self._meter, self._exchanges = chip, clock, meter, exchanges
        self._speed, self._troubles, self._on_back = speed, troubles, on_back
        self.atr = chip.atr

    def power(self, on: bool) -> None:
        """Switched off, the chip forgets what was selected."""
        if not on:
            self._chip.reset()

    def reset(self) -> None:
        """See power."""
        self._chip.reset()

    async def apdu(self, command: bytes) -> bytes | None:
        """The chip's response, after the time it takes."""
        number, disturbed = self._exchanges.begin("apdu", apdu_label(command))
        if disturbed:
            await asyncio.sleep(0)  # the card may have been taken away
        started = self._clock.now_s()
        try:
            response = self._chip.transmit(command)
        except ChipDied as died:
            self._end(number, started)
            if self._troubles.cut_back and self._on_back is not None:
                asyncio.get_running_loop().call_soon(self._on_back)  # once the slot knows that this one died
            raise CardDied from died
        if self._end(number, started):
            await asyncio.sleep(0)  # the response of a card that was taken away is not sent
        await self._wait(len(command), 0 if response is None else len(response))
        if response is not None:
            self._meter.apdu(started, self._clock.now_s())
        return response

    def _end(self, number: int, started: float) -> bool:
        """The chip has acted. Whether something happened because of it."""
        self._meter.apdu(started, self._clock.now_s())
        return self._exchanges.end("apdu", number)

    async def _wait(self, command_bytes: int, response_bytes: int) -> None:
        think_s = self._speed.think_s + self._troubles.slow_s
        if think_s:
            await asyncio.sleep(think_s)
        if self._speed.rf_kbit is not None and self._clock.speed is not None:
            await self._clock.motion(air_s(command_bytes, response_bytes, self._speed.rf_kbit))


class Field:
    """The antenna."""

    def __init__(
        self,
        lane: str,
        world: World,
        profile: ChipProfile,
        slot: VpcdSlot,
        clock: Clock,
        meter: LaneMeter,
        exchanges: Exchanges,
        masters: Masters,
        speed: Speed,
        uid_type: str = "a",
    ) -> None:
        self._lane, self._world, self._profile, self._slot = lane, world, profile, slot
        self._clock, self._meter, self._exchanges = clock, meter, exchanges
        self._masters, self._speed, self._uid_type = masters, speed, uid_type
        self.troubles = ChipTroubles()
        self.swap: Swap | None = None
        self._presented: Counter[str] = Counter()
        self._here: str | None = None  # what stands over the antenna

    def arrive(self, blank: str) -> None:
        """A card stands over the antenna. A dead chip does not answer, so the reader sees nothing."""
        self._presented[blank] += 1
        self._here = self._exchange(blank)
        heard = self._world.blank(self._here)
        if not heard.chip.dead:
            self._slot.insert(self._field_card(heard))
        self._meter.chip_in(self._clock.now_s())

    def leave(self) -> None:
        """Nothing stands over the antenna any more. Twice is fine."""
        self._here = None
        self._slot.remove()
        self._meter.chip_out(self._clock.now_s())

    def blink(self) -> None:
        """The field is lost, a command under way is not answered, and a moment later it is there again. Raises SimError without
        a card."""
        here = self._standing()
        self._slot.remove()
        self.arrive(here)

    def exchange_now(self, card_too: bool) -> None:
        """Another chip answers from the next command on, and the reader notices nothing. Raises SimError without a card."""
        here = self._standing()
        self._here = self._other(here, card_too)
        self._slot.exchange(self._field_card(self._world.blank(self._here)))

    def forget(self, blank: str) -> None:
        """The card is gone for good."""
        del self._presented[blank]

    def _exchange(self, blank: str) -> str:
        """The blank whose chip answers: this one's, unless a swap is due."""
        if self.swap is None or self._presented[blank] < self.swap.presentation:
            return blank
        swap, self.swap = self.swap, None
        return self._other(blank, swap.card_too)

    def _other(self, blank: str, card_too: bool) -> str:
        """A new blank, in the place of this one if the whole card was exchanged."""
        other = self._world.make(1, self._profile, self._uid_type)[0]
        if card_too:
            here = self._world.where(blank)
            self._world.move(blank, Place(Spot.PERSON))
            self._world.move(other, here)
        return other

    def _standing(self) -> str:
        if self._here is None:
            raise SimError(f"no card stands over the antenna of lane {self._lane}")
        return self._here

    def _field_card(self, heard: Blank) -> FieldCard:
        kind = KINDS[self._profile.channel]
        chip = kind(heard, self._profile, self.troubles, self._presented.total(), self._masters)
        return FieldCard(chip, self._clock, self._meter, self._exchanges, self._speed, self.troubles, self.blink)
