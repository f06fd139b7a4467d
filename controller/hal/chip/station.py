"""The chip station of a lane: a PC/SC contactless reader, the chip profile it speaks and the key holder (port `ChipStation`).

Only `look` and `identify` connect to a card. Every later script asks the card that is held for its UID first, so that a chip that
was swapped in under an open connection is refused and never written. What is refused is only believed of this card when the UID
is still its own after a reset: until then a reader says what it heard when the card before came. Comparing what is read back is
the caller's work.

The key holder is used on the reader's own thread. That it cannot be used is no fault of the card: before the first write it is
DeviceAbsent, afterwards DeviceUnknown.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from controller.chips.content_signature import ContentSignature
from controller.chips.profile import ChipProfile
from controller.chips.sam import NoSam, Sam
from controller.chips.script import Script
from controller.chips.steps import Personaliser
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.pcsc_link import PcscLink
from controller.hal.chip.pcsc_session import Trace
from controller.hal.chip.stopwatch import CostMeter, Stopwatch
from controller.hal.ports import ChipPhase, OnPhase
from controller.model import ChipFile, ChipSight

T = TypeVar("T")

SAM_S = 5.0  # a SAM card answers in tens of milliseconds; an HSM over a network in less than a second
CLOSE_S = 2.0  # the station stops: one that hangs is left as it is
_SAM = "sam_"  # how the conditions of a key holder begin


class PhaseWatch:
    """What the phases of one reader cost, told one by one."""

    def __init__(self, tell: OnPhase = lambda _phase, _cost, _failure: None, keys: Stopwatch | None = None) -> None:
        """`keys` runs while the reader's key holder is waited for; None: nobody looks."""
        self._tell, self._keys = tell, keys

    async def over(self, phase: ChipPhase, work: Callable[[CostMeter], Awaitable[T]]) -> T:
        """Do the work of a phase and tell what it cost, also when it fails; nothing when its caller left."""
        meter = CostMeter(self._keys)
        try:
            result = await work(meter)
        except DeviceError as error:
            self._tell(phase, meter.cost(), error.condition)
            raise
        self._tell(phase, meter.cost(), None)
        return result


class PcscChipStation:
    """One reader by its exact PC/SC name, one chip profile. One task uses it at a time."""

    def __init__(self, profile: ChipProfile, reader_name: str, sam: Sam | None = None, signature: ContentSignature | None = None,
                 trace: Trace | None = None, watch: PhaseWatch | None = None) -> None:  # fmt: skip
        """Opens nothing; the first call does. `sam`: None for a profile without secure channel; `signature`: see Personaliser."""
        self._profile = profile
        self._sam = NoSam() if sam is None else sam
        self._talk = Personaliser(profile, self._sam, secrets.token_bytes, signature)
        self._link = PcscLink(reader_name, trace)
        self._watch = PhaseWatch() if watch is None else watch
        self._held = False  # a chip was identified and not let go of

    async def check(self) -> None:
        """DeviceAbsent("pcsc_absent" | "reader_absent" | "reader_stuck") within 2 s when no card could be read. Touches none.

        Then the key holder: DeviceAbsent("sam_absent"), DeviceRefused("sam_locked" | "sam_refused").
        """
        await self._link.check()
        if self._profile.needs_sam:
            await self._ask_sam()

    async def look(self, deadline: Deadline) -> str:
        """Wait for a card, take it for ourselves, read its UID and nothing else. Needs no key holder; is not measured.

        DeviceRefused("chip_silent") as for `identify`; another one when there was a card that did not tell.
        """
        self._held = False
        return await self._link.take(self._talk.look, deadline)

    async def identify(self, deadline: Deadline) -> ChipSight:
        """Wait for a card, take it for ourselves, read its UID and whether its files are empty. Writes nothing.

        DeviceRefused("chip_silent") when no chip answers before the deadline: an empty station or a dead chip;
        DeviceRefused("chip_refused") when it is not one of ours.
        """
        self._held = False
        take = partial(self._link.take, self._talk.identify, deadline)
        sight = await _blameless(self._watch.over(ChipPhase.IDENTIFY, take))
        self._held = True
        return sight

    async def write(self, files: Sequence[ChipFile], deadline: Deadline) -> None:
        """Write every file to the chip last identified, which must be fresh: content first, its length prefix last.

        DeviceRefused("chip_refused") before the first write when a file does not fit or the signature is wrong, or with the
        status word of the chip; DeviceRefused("chip_swapped") when another chip answers; DeviceUnknown when the chip, the reader
        or the key holder was lost.
        """
        await self._phase(ChipPhase.WRITE, self._talk.write(files), deadline)

    async def read(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """The content of the files on the chip last identified, in the order asked for. Errors as for `write`."""
        return await self._phase(ChipPhase.READ, self._talk.read(fids), deadline)

    async def finish(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """Keys, lock, reset, and the files as a new session reads them. Errors as for `write`; DeviceRefused("chip_differs") when
        the signature does not fit what is read."""
        await self._phase(ChipPhase.LOCK, self._talk.lock(), deadline)
        return await self.verify(fids, deadline)

    async def verify(self, fids: Sequence[int], deadline: Deadline) -> list[ChipFile]:
        """Reset the chip and read it in a new session: is it closed, and does it carry the centre's signature? Errors as for
        `finish`. For technicians and the counter."""

        async def work(meter: CostMeter) -> list[ChipFile]:
            await self._link.reset(deadline, meter)
            return await self._on_held_chip(self._talk.verify(fids), deadline, meter)

        return await self._watch.over(ChipPhase.VERIFY, work)

    async def confirm(self, deadline: Deadline) -> None:
        """Reset the chip: is it still the one last identified? DeviceRefused("chip_swapped"), DeviceUnknown when it was lost."""
        await self._confirm(deadline, CostMeter())

    async def release(self) -> None:
        """Let go of the card so that it may be moved. Never fails."""
        self._held = False
        await self._link.release()

    async def close(self) -> None:
        """Let go of the card and the key holder, and stop the reader's thread. Closing twice is fine."""
        if self._profile.needs_sam:
            with suppress(TimeoutError, RuntimeError):  # it hangs, or the thread was stopped before: nothing can be let go of
                await self._link.aside(self._sam.close, Deadline.after(CLOSE_S))
        self._held = False
        await self._link.close()

    async def _ask_sam(self) -> None:
        try:
            await self._link.aside(self._sam.check, Deadline.after(SAM_S))
        except TimeoutError as error:
            raise DeviceAbsent("sam_absent", f"the key holder does not answer within {SAM_S} s") from error

    async def _phase(self, phase: ChipPhase, script: Script[T], deadline: Deadline) -> T:
        return await self._watch.over(phase, partial(self._on_held_chip, script, deadline))

    async def _on_held_chip(self, script: Script[T], deadline: Deadline, meter: CostMeter) -> T:
        if not self._held:
            script.close()
            raise DeviceUnknown("reader_lost", "no chip was identified since the last release")
        try:
            return await self._link.run(script, deadline, meter)
        except DeviceError as error:
            if error.condition.startswith(_SAM):
                raise DeviceUnknown(error.condition, error.detail) from error
            if isinstance(error, DeviceRefused) and meter.cost().commands:  # else no chip was asked
                await self._confirm(deadline, meter)
            raise

    async def _confirm(self, deadline: Deadline, meter: CostMeter) -> None:
        await self._link.reset(deadline, meter)
        await self._link.run(self._talk.confirm(), deadline, meter)


async def _blameless(asked: Awaitable[T]) -> T:
    """What a key holder refuses says nothing of the card."""
    try:
        return await asked
    except DeviceRefused as error:
        if error.condition.startswith(_SAM):
            raise DeviceAbsent(error.condition, error.detail) from error
        raise
