"""The chip station of a lane: a PC/SC contactless reader and the chip profile it speaks (port `ChipStation`).

Only `identify` connects to a card. `write` and `read` ask the card that is held for its UID first, so that a chip that was
swapped in under an open connection is refused and never written. Comparing what is read back is the caller's work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from controller.chips.profile import ChipProfile
from controller.chips.script import Script, for_chip, identify, read_files, write_files
from controller.clock import Deadline
from controller.errors import DeviceUnknown
from controller.hal.pcsc_link import PcscLink
from controller.model import ChipFile, ChipSight

T = TypeVar("T")


class PcscChipStation:
    """One reader by its exact PC/SC name, one chip profile. One task uses it at a time."""

    def __init__(self, profile: ChipProfile, reader_name: str) -> None:
        """Opens nothing; the first call does."""
        self._profile = profile
        self._link = PcscLink(reader_name)
        self._uid: str | None = None  # of the chip last identified, while it is held

    async def check(self) -> None:
        """DeviceAbsent("pcsc_absent" | "reader_absent" | "reader_lost") within 2 s when no card could be read. Touches none."""
        await self._link.check()

    async def identify(self, deadline: Deadline) -> ChipSight:
        """Wait for a card, take it for ourselves, read its UID and whether its files are empty. Writes nothing.

        DeviceRefused("chip_silent") when no chip answers before the deadline: an empty station or a dead chip.
        """
        self._uid = None
        sight = await self._link.take(partial(identify, self._profile), deadline)
        self._uid = sight.uid
        return sight

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        """Write every file to the chip last identified, which must be fresh: content first, its length prefix last.

        DeviceRefused("chip_refused") before the first write when a file does not fit, or with the status word of the chip;
        DeviceRefused("chip_swapped") when another chip answers; DeviceUnknown when the chip or the reader was lost.
        """
        await self._on_held_chip(write_files(self._profile, files), deadline)

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """The content of the files on the chip last identified, in the order asked for. Errors as for `write`."""
        return await self._on_held_chip(read_files(self._profile, fids), deadline)

    async def release(self) -> None:
        """Let go of the card so that it may be moved. Never fails."""
        self._uid = None
        await self._link.release()

    async def close(self) -> None:
        """Let go of the card and stop the reader's thread. Closing twice is fine."""
        self._uid = None
        await self._link.close()

    async def _on_held_chip(self, script: Script[T], deadline: Deadline) -> T:
        if self._uid is None:
            raise DeviceUnknown("reader_lost", "no chip was identified since the last release")
        return await self._link.run(for_chip(self._profile, self._uid, script), deadline)
