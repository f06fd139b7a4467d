"""A `FakeCard` before a station: `FakeChipStation` is the port in memory; `WiredCard` lets it lie in vpcd's slot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from controller.chips.profile import ChipProfile
from controller.chips.script import Script, drive
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.model import ChipFile, ChipSight
from hwsim.wires.vpcd import CardDied
from tests.fakes.chip import ATR, FakeCard, PowerLostError, personaliser

T = TypeVar("T")


class FakeChipStation:
    """The ChipStation port over a FakeCard in memory. `card` is what lies in the field; None: nothing does.

    `absent` is the condition for which the reader cannot be asked (pcscd killed, reader unplugged); setting it drops the card.
    """

    def __init__(self, profile: ChipProfile) -> None:
        self._talk = personaliser(profile)
        self._taken: tuple[FakeCard, str] | None = None
        self._absent = ""
        self.card: FakeCard | None = None

    @property
    def absent(self) -> str:
        """Why the reader cannot be asked; empty: it can."""
        return self._absent

    @absent.setter
    def absent(self, condition: str) -> None:
        self._absent = condition
        self.drop()

    def drop(self) -> None:
        """The connection to the card is lost, and with it the card's power."""
        self._taken = None
        if self.card is not None:
            self.card.reset()

    async def check(self) -> None:
        """See the port."""
        if self._absent:
            raise DeviceAbsent(self._absent, "not there")

    async def look(self, deadline: Deadline) -> str:
        """See the port; does not wait: no card now is no card."""
        return await self._take(self._talk.look())

    async def identify(self, deadline: Deadline) -> ChipSight:
        """As `look`."""
        sight = await self._take(self._talk.identify())
        assert self.card is not None
        self._taken = (self.card, sight.uid)
        return sight

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        """See the port."""
        self._run(self._talk.write(files))

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """See the port."""
        return self._run(self._talk.read(fids))

    async def finish(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """See the port."""
        self._run(self._talk.lock())
        return await self.verify(fids, deadline)

    async def verify(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """See the port."""
        self._session().reset()
        return self._run(self._talk.verify(fids))

    async def confirm(self, deadline: Deadline) -> None:
        """See the port."""
        self._session().reset()
        self._drive(self._talk.confirm())

    async def release(self) -> None:
        """See the port."""
        self._taken = None

    async def close(self) -> None:
        """See the port."""
        self._taken = None

    async def _take(self, script: Script[T]) -> T:
        self._taken = None
        await self.check()
        try:
            if self.card is None:
                raise PowerLostError
            return drive(script, self.card.apdu)
        except PowerLostError as error:
            raise DeviceRefused("chip_silent", "no card answered") from error

    def _run(self, script: Script[T]) -> T:
        try:
            return self._drive(script)
        except DeviceRefused:
            self._session().reset()
            self._drive(self._talk.confirm())
            raise

    def _drive(self, script: Script[T]) -> T:
        card = self._session()
        try:
            return drive(script, card.apdu)
        except PowerLostError as error:
            raise self._lost() from error

    def _session(self) -> FakeCard:
        if self._taken is None:
            raise DeviceUnknown("reader_lost", "no card is held")
        if self._taken[0] is not self.card:
            raise self._lost()
        return self._taken[0]

    def _lost(self) -> DeviceUnknown:
        self._taken = None
        return DeviceUnknown("chip_silent", "the card is gone")


class WiredCard:
    """A FakeCard as `hwsim.wires.vpcd.VpcdSlot` holds it: the same chip under a real pcscd."""

    atr = ATR

    def __init__(self, card: FakeCard) -> None:
        self._card = card
        self._answering = asyncio.Event()
        self._answering.set()
        self.asked = asyncio.Event()  # a command has come since `hang`

    def hang(self) -> None:
        """Answer no further command."""
        self._answering.clear()
        self.asked.clear()

    def resume(self) -> None:
        """Answer the command that waits, and all later ones."""
        self._answering.set()

    def power(self, on: bool) -> None:
        """Losing the field loses the selected file and the session, never the memory."""
        self._card.reset()

    def reset(self) -> None:
        """As `power`."""
        self._card.reset()

    async def apdu(self, command: bytes) -> bytes:
        """The card's answer, not before `resume` when it hangs."""
        self.asked.set()
        await self._answering.wait()
        try:
            return self._card.apdu(command)
        except PowerLostError as error:
            raise CardDied from error
