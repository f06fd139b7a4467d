"""What each stage of a passage does: one async function per stage, over the ports of its lane.

A stage is given what was noted `Before` its act, returns its evidence, or raises: `CardWrong` when the card in the path is not as
it must be, `DeviceError` when a device did not do what it was asked. What a chip refuses is trouble with the card, which is
inside and can be seen leaving into the reject bin; a reader that was lost is for recovery, which asks the chip again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from controller.clock import Deadline
from controller.errors import CardWrong, DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown, RenderError
from controller.hal.ports import CardPrinter, ChipStation, LaneSensors
from controller.jobs.evidence import Beams
from controller.jobs.journal import Facts
from controller.jobs.ribbons import RibbonType, sets_needed
from controller.model import Beam, CardPosition, ChipFile, Panel, PrinterIdentity, PrinterWitness

T = TypeVar("T")

BEAM_WAIT_S = 3.0  # the beam's edge and the printer's reply come over two wires; a card needs about 1 s past the beam
MAX_DETAIL = 500  # characters of a device's own words that the journal keeps
LOOK_AGAIN_S = 0.2  # after a status word
CHIP_WAIT_S = 5.0  # pcscd polls for cards every 0.4 s; a chip that is not there after this is dead


@dataclass(frozen=True, slots=True)
class LaneDevices:
    """The hardware of one lane, as ports."""

    printer: CardPrinter
    chip: ChipStation
    sensors: LaneSensors
    ribbon: RibbonType | None = None  # what the lane prints with; None: whatever the job needs

    async def ask_printer(self) -> tuple[PrinterIdentity | None, PrinterWitness | None, DeviceError | None]:
        """Who answers and what it says of itself, or what kept it from answering."""
        try:
            return await self.printer.open(), await self.printer.witness(), None
        except DeviceError as error:
            return None, None, error

    async def ask_reader(self) -> DeviceError | None:
        """What keeps the chip reader from working, if anything does."""
        try:
            await self.chip.check()
        except DeviceError as error:
            return error
        return None


@dataclass(frozen=True, slots=True)
class Before:
    """What a stage's intent noted, to compare with afterwards."""

    witness: PrinterWitness | None  # the printer's own record; None when the stage does not look at the printer
    passes: int = 0  # cards the stage's beam had seen
    gaps: int = 0  # how often the sensors had been blind
    beams: Beams | None = None  # what every beam had seen; recovery compares

    @property
    def printer(self) -> PrinterWitness:
        """The witness of a stage that looks at the printer."""
        if self.witness is None:
            raise RuntimeError("a stage that does not look at the printer asked what it saw")
        return self.witness


def _tell_nobody(_condition: str | None) -> None:
    return


def _never() -> bool:
    return False


@dataclass(slots=True)
class Trip:
    """What the stages of one passage share."""

    devices: LaneDevices
    panels: Sequence[Panel]
    files: Sequence[ChipFile]
    uid: str = ""  # set by probe
    unknown_uid: str = "refuse"  # or "warn": what becomes of a chip that no batch lists
    tell: Callable[[str | None], None] = _tell_nobody  # a stage waits for a person: the condition that says what for, or None
    stopping: Callable[[], bool] = _never  # the station stops: wait for nobody
    doubted: bool = False  # by hand: another card was laid down where the printed one was awaited

    @property
    def ribbon_sets(self) -> int:
        """Sets that its print takes."""
        ribbon = self.devices.ribbon
        return 1 if ribbon is None else sets_needed(self.panels, ribbon) or 1


Act = Callable[[Trip, Before, Deadline], Awaitable[Facts]]


async def feed(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Bring one blank from the hopper to the contactless station: seen there, counted once, past the beam once."""
    await trip.devices.printer.feed(deadline)
    witness = await look_after_act(trip)
    if witness.position is not CardPosition.CONTACTLESS:
        raise CardWrong("card_missing", f"after the feed the printer reports the card at: {witness.position}")
    passed = await _passed_once(trip, Beam.FEED, before)
    counted = witness.cards_fed - before.printer.cards_fed
    if counted != 1 or not passed:
        passes = trip.devices.sensors.passes(Beam.FEED) - before.passes
        raise CardWrong("feed_unproven", f"the printer counted {counted} blanks, the feed beam saw {passes}")
    return witness_facts(witness)


async def probe(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Read the chip's UID and make sure it was never written."""
    sight = await _of_chip(trip.devices.chip.identify(deadline))
    if not sight.fresh:
        raise CardWrong("chip_used", f"chip {sight.uid} already holds data")
    trip.uid = sight.uid
    return {"uid": sight.uid}


async def encode(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Write every file of the record to the chip, length prefix last."""
    await _of_chip(trip.devices.chip.write(trip.files, deadline))
    return {"bytes": sum(len(file.content) for file in trip.files)}


async def read_back(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Read every file back and compare."""
    found = await _of_chip(trip.devices.chip.read(_fids(trip), deadline))
    return {"files": await _compare(trip, found, "what was written", deadline)}


async def close(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Have the chip closed, whose read-back was right, and compare once more what it says after a reset.

    A chip that was closed before the power went is closed no second time, so this may be done again.
    """
    found = await _of_chip(trip.devices.chip.finish(_fids(trip), deadline))
    seen = await _compare(trip, found, "what was read before the chip was closed", deadline)
    await trip.devices.chip.release()
    return {"files": seen}


def _fids(trip: Trip) -> list[int]:
    return [file.fid for file in trip.files]


async def _compare(trip: Trip, found: Sequence[ChipFile], wanted_of: str, deadline: Deadline) -> dict[str, str]:
    wanted, seen = file_hashes(trip.files), file_hashes(found)
    differing = sorted(fid for fid, digest in wanted.items() if seen.get(fid) != digest)
    if differing:
        await _of_chip(trip.devices.chip.confirm(deadline))  # or were they another card's?
        raise CardWrong("chip_differs", f"files {', '.join(differing)} differ from {wanted_of}")
    return seen


async def print_face(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Print the panels and keep the card inside; proven by the panel counter."""
    await of_panels(trip.devices.printer.print(trip.panels, deadline))
    witness = await look_after_act(trip)
    _prove_panels(trip, before.printer, witness)
    return witness_facts(witness)


async def check(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """The card is still there and its chip is the one that was written: read again at the contactless station."""
    if before.printer.position is CardPosition.NONE:
        raise CardWrong("card_missing", "after the print the printer reports no card")
    await trip.devices.printer.to_chip_station(deadline)
    fed = (await look_after_act(trip)).cards_fed - before.printer.cards_fed
    if fed:
        raise DeviceUnknown("card_missing", f"the move to the reader fed {fed} cards: this one had gone")
    uid = await _uid_at_reader(trip.devices.chip, Deadline(min(deadline.at_s, Deadline.after(CHIP_WAIT_S).at_s)))
    if uid != trip.uid:  # where is the card that was written? That is for recovery
        raise DeviceUnknown("chip_swapped", f"chip {trip.uid} was written, chip {uid} came back from the print station")
    return {"uid": uid}


async def _uid_at_reader(chip: ChipStation, wait: Deadline) -> str:
    """The UID of what stands there, whosever card it is: which one has to be known before anything else is asked of it.

    CardWrong when nothing answered in all that time; a status word may come from a card at the edge of the field.
    """
    while True:
        try:
            return await chip.look(wait)
        except DeviceRefused as error:
            if error.condition == "chip_silent":
                raise CardWrong(error.condition, error.detail) from error
            if wait.passed:
                raise DeviceUnknown(error.condition, error.detail) from error
        finally:
            await chip.release()
        await asyncio.sleep(LOOK_AGAIN_S)


async def deliver(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Eject the card and see it leave through the exit beam."""
    await trip.devices.printer.deliver(deadline)
    return witness_facts(await _seen_leaving(trip, Beam.EXIT, before))


async def print_and_deliver(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Print and eject in one act; proven by the exit beam and the panel counter together."""
    await of_panels(trip.devices.printer.print_and_deliver(trip.panels, deadline))
    witness = await _seen_leaving(trip, Beam.EXIT, before)
    _prove_panels(trip, before.printer, witness)
    return witness_facts(witness)


async def reject(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Move the card into the reject bin and see it fall."""
    await trip.devices.chip.release()
    await trip.devices.printer.reject(deadline)
    return witness_facts(await _seen_leaving(trip, Beam.REJECT, before))


def chip_notes(trip: Trip) -> Facts:
    """What is about to be on the chip, or to be closed in it: hashes, never contents."""
    return {"uid": trip.uid, "files": file_hashes(trip.files)}


def print_notes(trip: Trip) -> Facts:
    """The dots that are about to be on the card, as hashes, and the ribbon they take."""
    panels = {panel.name if panel.side == "front" else f"{panel.side} {panel.name}": panel.sha256 for panel in trip.panels}
    return {"panels": panels, "ribbon_sets": trip.ribbon_sets}


def witness_facts(witness: PrinterWitness) -> Facts:
    """A witness as journal facts."""
    return {"position": witness.position.value, "cards_fed": witness.cards_fed,
            "panels_printed": witness.panels_printed, "ribbon_remaining": witness.ribbon_remaining}  # fmt: skip


def file_hashes(files: Sequence[ChipFile]) -> dict[str, str]:
    """File id (hex) to the hash of its content with the length prefix, as it stands on the chip."""
    return {f"{file.fid:04X}": _sha256(len(file.content).to_bytes(2, "big") + file.content) for file in files}


def _prove_panels(trip: Trip, before: PrinterWitness, now: PrinterWitness) -> None:
    risen = now.panels_printed - before.panels_printed
    if risen != len(trip.panels):
        raise CardWrong("print_unproven", f"{risen} panels counted, {len(trip.panels)} wanted")


async def _seen_leaving(trip: Trip, beam: Beam, before: Before) -> PrinterWitness:
    passed = await _passed_once(trip, beam, before)
    witness = await look_after_act(trip)
    if not passed or witness.position is not CardPosition.NONE:
        passes = trip.devices.sensors.passes(beam) - before.passes
        raise CardWrong(
            "card_missing", f"the {beam} beam saw {passes} cards; the printer reports the card at: {witness.position}"
        )
    return witness


async def _passed_once(trip: Trip, beam: Beam, before: Before) -> bool:
    """Whether the beam saw exactly one card since the intent, with seeing eyes all the while."""
    sensors = trip.devices.sensors
    await sensors.wait_pass(beam, before.passes, Deadline.after(BEAM_WAIT_S))
    return sensors.passes(beam) == before.passes + 1 and sensors.gaps == before.gaps


async def look_after_act(trip: Trip) -> PrinterWitness:
    """The printer's record after an act that it called done. If it cannot be asked now, the act still was sent."""
    try:
        return await trip.devices.printer.witness()
    except DeviceAbsent as error:
        raise DeviceUnknown(error.condition, error.detail) from error


async def of_panels(asked: Awaitable[None]) -> None:
    """Panels that this printer cannot take are found before anything is sent; the blank is inside by then."""
    try:
        await asked
    except RenderError as error:
        raise CardWrong("print_unproven", f"nothing was printed: {error}") from error


async def _of_chip(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except DeviceRefused as error:
        if error.condition == "chip_swapped":  # another card answers: nothing is known of ours
            raise DeviceUnknown(error.condition, error.detail) from error
        raise CardWrong(error.condition, error.detail) from error


def failure(error: DeviceError | CardWrong) -> dict[str, str]:
    """An error as journal facts; a device may babble."""
    return {"condition": error.condition, "detail": error.detail[:MAX_DETAIL], "error": type(error).__name__}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
