"""The contactless station of a lane: which chip is in the field, on the vpcd wire, exactly while its card stands there."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from hwsim.clock import Clock
from hwsim.devices.chip import ATR, ChipDied, ChipTroubles, EktpChip
from hwsim.exchanges import Exchanges
from hwsim.profiles import ChipProfile
from hwsim.timing import LaneMeter
from hwsim.wires.vpcd import CardDied, VpcdSlot
from hwsim.world import Place, Spot, World


@dataclass(slots=True)
class Swap:
    """Another chip answers when a card is presented for the n-th time."""

    presentation: int
    card_too: bool  # the whole card was exchanged, not only the chip that the reader hears


class FieldCard:
    """A chip as the reader sees it (wires.vpcd.ChipCard)."""

    atr = ATR

    def __init__(self, chip: EktpChip, clock: Clock, meter: LaneMeter, exchanges: Exchanges, delay_s: float) -> None:
        self._chip, self._clock, self._meter, self._exchanges, self._delay_s = chip, clock, meter, exchanges, delay_s

    def power(self, on: bool) -> None:
        """Switched off, the chip forgets what was selected."""
        if not on:
            self._chip.reset()

    def reset(self) -> None:
        """See power."""
        self._chip.reset()

    async def apdu(self, command: bytes) -> bytes | None:
        """The chip's response, after the time it takes."""
        number, disturbed = self._exchanges.begin("apdu", f"{command[1:2].hex().upper()} {command[2:4].hex().upper()}")
        if disturbed:
            await asyncio.sleep(0)  # the card may have been taken away
        started = self._clock.now_s()
        try:
            response = self._chip.transmit(command)
        except ChipDied as died:
            raise CardDied from died
        finally:
            self._meter.apdu(started, self._clock.now_s())
            self._exchanges.end("apdu", number)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        if response is not None:
            self._meter.apdu(started, self._clock.now_s())
        return response


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
        delay_s: float = 0.0,
    ) -> None:
        self._lane, self._world, self._profile, self._slot = lane, world, profile, slot
        self._clock, self._meter, self._exchanges, self._delay_s = clock, meter, exchanges, delay_s
        self.troubles = ChipTroubles()
        self.swap: Swap | None = None
        self._presented: Counter[str] = Counter()

    def arrive(self, blank: str) -> None:
        """A card stands over the antenna. A dead chip does not answer, so the reader sees nothing."""
        self._presented[blank] += 1
        heard = self._world.blank(self._exchange(blank))
        if heard.chip.dead:
            self._meter.chip_in(self._clock.now_s())
            return
        chip = EktpChip(heard, self._profile, self.troubles, seed=self._presented.total())
        self._slot.insert(FieldCard(chip, self._clock, self._meter, self._exchanges, self._delay_s))
        self._meter.chip_in(self._clock.now_s())

    def leave(self) -> None:
        """Nothing stands over the antenna any more. Twice is fine."""
        self._slot.remove()
        self._meter.chip_out(self._clock.now_s())

    def forget(self, blank: str) -> None:
        """The card is gone for good."""
        del self._presented[blank]

    def _exchange(self, blank: str) -> str:
        """The blank whose chip answers: this one's, unless a swap is due."""
        if self.swap is None or self._presented[blank] < self.swap.presentation:
            return blank
        swap, self.swap = self.swap, None
        other = self._world.make(1, self._profile)[0]
        if swap.card_too:
            here = self._world.where(blank)
            self._world.move(blank, Place(Spot.PERSON))
            self._world.move(other, here)
        return other
