"""The contactless station of a lane: which chip is in the field, on the vpcd wire, exactly while its card stands there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

from hwsim.clock import Clock
from hwsim.devices.chip import Chip
from hwsim.devices.chip_air import one_way_s
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
        self._hear()

    def power(self, on: bool) -> None:
        """Switched off, the chip forgets what was selected."""
        if not on:
            self.reset()

    def reset(self) -> None:
        """See power. The reader activates whichever chip is there."""
        self._chip.reset()
        self._hear()

    def exchange(self, chip: Chip) -> None:
        """Another chip answers from the next command on; the reader goes on telling what it heard of the one before."""
        self._chip = chip

    async def apdu(self, command: bytes) -> bytes | None:
        """The response of the chip after the time it takes, or of its reader at once."""
        chip = self._chip
        number, disturbed = self._exchanges.begin("apdu", apdu_label(command))
        if disturbed:
            await asyncio.sleep(0)  # the card may have been taken away
        heard = self._heard.answer(command)
        response = await self._ask(chip, command, number) if heard is None else heard
        if heard is not None and self._exchanges.end("apdu", number):
            await asyncio.sleep(0)
        return response

    async def _ask(self, chip: Chip, command: bytes, number: int) -> bytes | None:
        started = self._clock.now_s()
        await self._air(len(command))
        try:
            response = chip.transmit(command)
        except ChipDied as died:
            self._end(number, started)
            if self._troubles.cut_back and self._on_back is not None:
                asyncio.get_running_loop().call_soon(self._on_back)  # once the slot knows that this one died
            raise CardDied from died
        if self._end(number, started):
            await asyncio.sleep(0)  # the response of a card that was taken away is not sent
        await self._think()
        if response is not None:
            await self._air(len(response))
            self._meter.apdu(started, self._clock.now_s())
        return response

    def _hear(self) -> None:
        self._heard, self.atr = self._chip.heard, self._chip.atr

    def _end(self, number: int, started: float) -> bool:
        """The chip has acted. Whether something happened because of it."""
        self._meter.apdu(started, self._clock.now_s())
        return self._exchanges.end("apdu", number)

    async def _think(self) -> None:
        think_s = self._speed.think_s + self._troubles.slow_s
        if think_s:
            await asyncio.sleep(think_s)

    async def _air(self, size: int) -> None:
        if self._speed.rf_kbit is not None and self._clock.speed is not None:
            await self._clock.motion(one_way_s(size, self._speed.rf_kbit, type_b=self._chip.type_b))


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
        self._powered = 0  # chips that ever were: no two say the same challenges
        self._here: str | None = None  # what stands over the antenna
        self._card: FieldCard | None = None  # None: what stands there does not answer

    def arrive(self, blank: str) -> None:
        """A card stands over the antenna. A dead chip does not answer, so the reader sees nothing."""
        self._presented[blank] += 1
        self._here = self._exchange(blank)
        heard = self._world.blank(self._here)
        if not heard.chip.dead:
            self._card = self._field_card(heard)
            self._slot.insert(self._card)
        self._meter.chip_in(self._clock.now_s())

    def leave(self) -> None:
        """Nothing stands over the antenna any more. Twice is fine."""
        self._here = self._card = None
        self._slot.remove()
        self._meter.chip_out(self._clock.now_s())

    def blink(self) -> None:
        """The field is lost, a command under way is not answered, and a moment later it is there again. Raises SimError without
        a card."""
        here = self._standing()
        self._card = None
        self._slot.remove()
        self.arrive(here)

    def exchange_now(self, card_too: bool) -> None:
        """Another chip answers from the next command on, and the reader notices nothing. Raises SimError without a chip that
        answers."""
        here = self._standing()
        if self._card is None:
            raise SimError(f"the chip over the antenna of lane {self._lane} is silent: nothing takes its place unnoticed")
        self._here = self._other(here, card_too)
        self._card.exchange(self._chip(self._world.blank(self._here)))

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
        chip = self._chip(heard)
        return FieldCard(chip, self._clock, self._meter, self._exchanges, self._speed, self.troubles, self.blink)

    def _chip(self, heard: Blank) -> Chip:
        """It gets power."""
        self._powered += 1
        seed = crc32(heard.uid) + self._powered
        return KINDS[self._profile.channel](heard, self._profile, self.troubles, seed, self._masters)
