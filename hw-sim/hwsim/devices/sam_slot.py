"""The contact slot of a lane's reader with its SAM: in, out, exchanged, locked."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from zlib import crc32

from hwsim.config import BLOB_BYTES, SamConfig
from hwsim.devices.chip_keys import Masters
from hwsim.devices.sam import MAX_TRIES, SamCard, SamMemory
from hwsim.exchanges import Exchanges, apdu_label
from hwsim.wires.vpcd import VpcdSlot

_UID_BYTES = 8


class _HeardSam(SamCard):
    """A SAM whose commands are counted."""

    def __init__(self, masters: Masters, memory: SamMemory, seed: int, exchanges: Exchanges) -> None:
        super().__init__(masters, memory, seed, masters.centre_key)
        self._exchanges = exchanges

    async def apdu(self, command: bytes) -> bytes | None:
        """See ChipCard."""
        number, disturbed = self._exchanges.begin("sam", apdu_label(command))
        if disturbed:
            await asyncio.sleep(0)  # it may have been taken out
        response = self.transmit(command)
        if self._exchanges.end("sam", number):
            await asyncio.sleep(0)
        return response


class SamSlot:
    """One slot, with a SAM in it from the start."""

    def __init__(self, config: SamConfig, masters: Masters, seed: int, exchanges: Exchanges) -> None:
        self._masters, self._blob, self._exchanges = masters, config.blob, exchanges
        self._powered = 0  # cards that ever were: no two say the same tokens
        self._slot = VpcdSlot(config.vpcd.host, config.vpcd.port)
        uid = random.Random(seed).randbytes(_UID_BYTES)  # noqa: S311  synthetic
        self.memory = SamMemory(uid, config.blob)  # of the lane's own SAM, wherever it is
        self.card: SamCard | None = self._card(masters, self.memory)
        self._slot.insert(self.card)

    async def start(self) -> None:
        """Open the wire."""
        await self._slot.start(after_another=True)

    async def close(self) -> None:
        """Let go of it."""
        await self._slot.close()

    def take(self) -> None:
        """A person takes the SAM out. Twice is fine."""
        self._slot.remove()
        self.card = None

    def put(self) -> None:
        """The SAM is put back, or exchanged for the right one."""
        self._exchange(self._masters, self.memory)

    def put_wrong(self) -> None:
        """The SAM of another office lies there instead: it works, but its keys fit none of these chips."""
        self._exchange(self._masters.foreign(), replace(self.memory, uid=self.memory.uid[::-1]))

    def hang(self) -> None:
        """It takes what it is sent and answers nothing, until `thaw`."""
        self._slot.hang()

    def thaw(self) -> None:
        """It goes on."""
        self._slot.thaw()

    def lock(self, on: bool) -> None:
        """All tries were used up; or the issuer has unblocked it. A SAM that never asked for its blob asks now."""
        self.memory.blob = self._blob or (bytes(BLOB_BYTES) if on else None)
        self.memory.tries = 0 if on else MAX_TRIES
        if self.card is not None and on:
            self.card.reset()

    def _exchange(self, masters: Masters, memory: SamMemory) -> None:
        self.take()
        self.card = self._card(masters, memory)
        self._slot.insert(self.card)

    def _card(self, masters: Masters, memory: SamMemory) -> SamCard:
        self._powered += 1
        return _HeardSam(masters, memory, crc32(memory.uid) + self._powered, self._exchanges)
