"""A chip that holds whole files instead of memory cells, and the reader of a lane around it. Quick, for 100,000 cards.

`FastChipStation` is the port; held to tests/contract/test_chip_station.py. A file without its length prefix reads as empty, so
a chip that lost its power while it was written holds exactly the files that were finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceRefused, DeviceUnknown
from controller.model import ChipFile, ChipSight


@dataclass(eq=False, slots=True)
class FastCard:
    """One physical card: its chip, and what was printed on it."""

    uid: str
    files: dict[int, bytes] = field(default_factory=dict)  # those whose length prefix was written
    faces: list[tuple[str, ...]] = field(default_factory=list)  # hashes of the panels of each print, whole or broken off
    dead: bool = False  # the chip does not answer
    tears_after_bytes: int | None = None  # the chip loses its power when so many more bytes were written, once
    refuses_write: bool = False  # says so to the next write, once
    kills_reader: str = ""  # "" never, "." each time it is looked for, ".-" every other time
    changes_to: str = ""  # the UID it has after it was printed
    written_bytes: int = 0

    def turn(self) -> None:
        """It was printed."""
        if self.changes_to:
            self.uid, self.changes_to = self.changes_to, ""


class FastChipStation:
    """`ports.ChipStation` over the card in a field. `trouble` is of the reader: absent or hung."""

    def __init__(
        self, profile: ChipProfile, field_of: Callable[[], FastCard | None], pace_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._most = profile.max_bytes
        self._field_of = field_of
        self._pace_s = pace_s
        self._taken: tuple[FastCard, str] | None = None
        self.trouble = ""

    async def check(self) -> None:
        if self.trouble:
            raise DeviceAbsent("reader_absent" if self.trouble == "absent" else "reader_lost", self.trouble)

    async def look(self, deadline: Deadline) -> str:
        sight = await self.identify(deadline)
        self._taken = None
        return sight.uid

    async def identify(self, deadline: Deadline) -> ChipSight:
        self._taken = None
        if self.trouble == "absent":
            raise DeviceAbsent("reader_absent", "no such reader")
        await self._air(deadline)
        card = self._field_of()
        if card is None or card.dead:
            if self._pace_s() > 0:  # else a test, which has no time
                await asyncio.sleep(deadline.left_s())
            raise DeviceRefused("chip_silent", "no card answered")
        if card.kills_reader:
            now, card.kills_reader = card.kills_reader[0], card.kills_reader[1:] + card.kills_reader[0]
            if now == ".":
                raise self._lost("reader_lost")
        self._taken = (card, card.uid)
        return ChipSight(card.uid, fresh=not any(card.files.values()))

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        self._session()
        self._refuse_misfits(files)
        half = len(files) // 2
        for part in (files[:half], files[half:]):
            card = self._session()
            for file in part:
                self._write(card, file)
            await self._air(deadline)

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        self._session()
        await self._air(deadline)
        card = self._session()
        return [ChipFile(fid, card.files.get(fid, b"")) for fid in fids]

    async def finish(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        return await self.read(fids, deadline)

    async def verify(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        return await self.read(fids, deadline)

    async def confirm(self, deadline: Deadline) -> None:
        self._session()

    async def release(self) -> None:
        self._taken = None

    async def close(self) -> None:
        self._taken = None

    def _session(self) -> FastCard:
        if self._taken is None:
            raise DeviceUnknown("reader_lost", "no chip was identified since the last release")
        card, uid = self._taken
        if self._field_of() is not card or card.dead:
            raise self._lost("chip_silent")
        if card.uid != uid:
            raise DeviceRefused("chip_swapped", "another chip answered than the one identified")
        return card

    def _refuse_misfits(self, files: Sequence[ChipFile]) -> None:
        for file in files:
            most = self._most.get(file.fid)
            if most is None or len(file.content) > most:
                found = f"{file.fid:04X} gets {len(file.content)} bytes and holds {most}"
                raise DeviceRefused("chip_refused", f"nothing written: {found}")

    def _write(self, card: FastCard, file: ChipFile) -> None:
        if card.refuses_write:
            card.refuses_write = False
            raise DeviceRefused("chip_refused", f"write to {file.fid:04X}: 6581, memory failure")
        if card.tears_after_bytes is not None:
            card.tears_after_bytes -= len(file.content) + 2
            if card.tears_after_bytes < 0:
                card.tears_after_bytes = None
                raise self._lost("chip_silent")
        card.files[file.fid] = file.content
        card.written_bytes += len(file.content) + 2

    async def _air(self, deadline: Deadline) -> None:
        """The time it takes; a reader that is lost or hangs meanwhile takes the session with it."""
        wait_s = self._pace_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        if self.trouble == "hung":
            await asyncio.sleep(deadline.left_s())
        if self.trouble:
            raise self._lost("reader_lost")

    def _lost(self, condition: str) -> DeviceUnknown:
        self._taken = None
        return DeviceUnknown(condition, "the card or its reader is gone")
