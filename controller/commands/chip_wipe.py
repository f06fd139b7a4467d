"""`print-station chip wipe-test`: does this reader write? Tried on an empty blank, which is empty again afterwards.

Whatever breaks the test off, short of a power cut, the blank is emptied before the command ends, or people are told that it was
not. After a power cut the next test knows its own pattern and empties the blank; the station would reject it as used. What comes
back to be emptied may have been written by the station in between: only a chip that holds our own bytes is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from controller.chips.profile import ChipProfile
from controller.clock import Deadline, monotonic_s
from controller.commands.chip_books import Known
from controller.commands.chip_findings import Finding, trouble
from controller.errors import CardWrong, DeviceError
from controller.hal.ports import ChipStation
from controller.model import ChipFile, ChipSight

WORK_S = 20.0  # a whole chip read or written at 106 kbit/s, many times over; a chip that hangs is told after that
LOOK_S = 3.0  # to see a card that lies there
_PATTERN_BYTES = 600  # more than two blocks under any channel

_FORBIDDEN = {Known.ISSUED: "not_blank", Known.OPEN: "open", Known.SPOILED: "spoiled", Known.DESTROYED: "destroyed",
              Known.UNREADABLE: "no_books"}  # fmt: skip
_REMARKS = {Known.NO_BOOKS: ("not_in_books",), Known.UNLISTED: ("unlisted",)}


@dataclass(slots=True)
class WipeTest:
    """One test, of the card on one reader."""

    station: ChipStation
    profile: ChipProfile
    known: Callable[[str], Known]
    tell: Callable[[], None]  # called when a test went wrong and its blank is being emptied
    back_s: float = LOOK_S  # how long a person who took the card away has to lay it back
    emptied: bool | None = None  # None: nothing was written

    async def run(self, wait: Deadline) -> Finding:
        """How it went. When this is cancelled, `state` still tells what became of the blank."""
        uid, known = None, Known.NOTHING
        try:
            sight = await self.station.identify(wait)
            uid, known = sight.uid, self.known(sight.uid)
            refusal = _FORBIDDEN.get(known) or await self._no_blank(sight)
            found = Finding(refusal, uid) if refusal else await self._try(uid)
        except (DeviceError, CardWrong) as error:
            found = trouble(error, uid, "strange" if self.emptied is None else "no_write")
        state = () if found.code == "works" else self.state
        return replace(found, remarks=(*found.remarks, *_REMARKS.get(known, ()), *state))

    @property
    def state(self) -> tuple[str, ...]:
        """The remark that tells what became of the blank."""
        return () if self.emptied is None else ("emptied",) if self.emptied else ("left",)

    async def _no_blank(self, sight: ChipSight) -> str:
        """The finding that forbids the test; empty: nothing is on the chip, or only what an earlier test left."""
        if sight.fresh:
            return ""
        pattern = pattern_of(self.profile)
        found = await self.station.read([file.fid for file in pattern], Deadline.after(WORK_S))
        return "" if _left_over(pattern, found) else "not_blank"

    async def _try(self, uid: str) -> Finding:
        pattern, whole = pattern_of(self.profile), False
        found: list[ChipFile] = []
        self.emptied = False
        try:
            began_s = monotonic_s()
            await self.station.write(pattern, Deadline.after(WORK_S))
            found = await self.station.read([file.fid for file in pattern], Deadline.after(WORK_S))
            took_s, whole = monotonic_s() - began_s, True
        finally:
            if not whole:
                self.tell()
            self.emptied = await self._empty(pattern, found, uid)
        if found != pattern:
            return Finding("writes_wrong", uid)
        size = sum(len(file.content) for file in pattern)
        return Finding(
            "works" if self.emptied else "not_emptied", uid, (f"{size} byte, {took_s:.2f} s", f"{size} bytes, {took_s:.2f} s")
        )

    async def _empty(self, pattern: Sequence[ChipFile], seen: Sequence[ChipFile], uid: str) -> bool:
        """Overwrite the pattern and empty every file, in a conversation of its own. Whether the chip is empty.

        `seen`: what the test read back, which is ours too.
        """
        with suppress(DeviceError, CardWrong):
            sight = await self.station.identify(Deadline.after(self.back_s))
            if sight.uid == uid and await self._still_ours(pattern, seen, uid):
                await self.station.write(
                    [ChipFile(file.fid, bytes(len(file.content))) for file in pattern], Deadline.after(WORK_S)
                )
                await self.station.write([ChipFile(file.fid, b"") for file in pattern], Deadline.after(WORK_S))
        with suppress(DeviceError, CardWrong):
            sight = await self.station.identify(Deadline.after(LOOK_S))
            return sight.uid == uid and sight.fresh
        return False

    async def _still_ours(self, pattern: Sequence[ChipFile], seen: Sequence[ChipFile], uid: str) -> bool:
        """Whether the chip, which is ours alone since it was identified, was not the station's since the test wrote it."""
        if self.known(uid) in _FORBIDDEN:
            return False
        found = await self.station.read([file.fid for file in pattern], Deadline.after(WORK_S))
        return found == seen or _left_over(pattern, found)


def pattern_of(profile: ChipProfile) -> list[ChipFile]:
    """What the test writes: belongs to nobody."""
    return [ChipFile(row.fid, bytes((row.fid + at) % 251 for at in range(min(row.max_bytes, _PATTERN_BYTES))))
            for row in profile.personalised]  # fmt: skip


def _left_over(pattern: Sequence[ChipFile], found: Sequence[ChipFile]) -> bool:
    """Whether a test was broken off: each file is empty, or holds the pattern, from its start on overwritten with zeros."""
    return all(file.content == b"" or file.content in _on_the_way(wanted.content)
               for wanted, file in zip(pattern, found, strict=True))  # fmt: skip


def _on_the_way(pattern: bytes) -> Iterator[bytes]:
    """What a file holds while zeros are written over the pattern."""
    return (bytes(done) + pattern[done:] for done in range(len(pattern) + 1))
