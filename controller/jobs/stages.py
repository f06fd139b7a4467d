"""What each stage of a passage does: one async function per stage, over the ports of its lane.

A stage returns its evidence or raises: `CardWrong` when the card in the path is not as it must be, `DeviceError` when the
printer did not do what it was asked. Trouble with the chip reader is trouble with the card: the card is safely inside the
printer and can be seen leaving into the reject bin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from controller.clock import Deadline
from controller.errors import CardWrong, DeviceAbsent, DeviceError, DeviceUnknown, RenderError
from controller.hal.ports import CardPrinter, ChipStation, LaneSensors
from controller.model import Beam, CardPosition, ChipFile, Panel, PrinterWitness

T = TypeVar("T")
Evidence = Mapping[str, Any]  # JSON-able facts; never a person's data

BEAM_WAIT_S = 3.0  # the beam's edge and the printer's reply come over two wires; a card needs about 1 s past the beam
CHIP_WAIT_S = 5.0  # pcscd polls for cards every 0.4 s; a chip that is not there after this is dead


@dataclass(frozen=True, slots=True)
class LaneDevices:
    """The hardware of one lane, as ports."""

    printer: CardPrinter
    chip: ChipStation
    sensors: LaneSensors


@dataclass(slots=True)
class Trip:
    """What the stages of one passage share."""

    devices: LaneDevices
    panels: Sequence[Panel]
    files: Sequence[ChipFile]
    uid: str = ""  # set by probe
    now: PrinterWitness | None = None  # the printer's own record, noted at the intent of the stage under way
    panels_before: int = 0  # the panel counter, noted at the intent to print
    passes: int = 0  # cards the beam of the act under way had seen, noted at its intent


Act = Callable[[Trip, Deadline], Awaitable[Evidence]]


async def printer_intent(trip: Trip) -> dict[str, Any]:
    """Witnesses noted before a printer act: position and counters."""
    trip.now = await trip.devices.printer.witness()
    return witness_facts(trip.now)


def beam_intent(beam: Beam) -> Callable[[Trip], Awaitable[dict[str, Any]]]:
    """Witnesses noted before an act that sends the card through a beam."""

    async def intent(trip: Trip) -> dict[str, Any]:
        trip.passes = trip.devices.sensors.passes(beam)
        return await printer_intent(trip) | {f"{beam}_beam": trip.passes}

    return intent


async def chip_intent(trip: Trip) -> Evidence:
    """What is about to be on the chip: hashes, never contents."""
    return {"uid": trip.uid, "files": file_hashes(trip.files)}


async def print_intent(trip: Trip) -> Evidence:
    """Witnesses and the dots that are about to be on the card."""
    facts = await beam_intent(Beam.EXIT)(trip) | {"panels": {panel.name: panel.sha256 for panel in trip.panels}}
    trip.panels_before = facts["panels_printed"]
    return facts


async def feed(trip: Trip, deadline: Deadline) -> Evidence:
    """Bring one blank from the hopper to the contactless station, and see it there."""
    await trip.devices.printer.feed(deadline)
    witness = await _look_after_act(trip)
    if witness.position is not CardPosition.CONTACTLESS:
        raise CardWrong("card_missing", f"after the feed the printer reports the card at: {witness.position}")
    beam = trip.devices.sensors.passes(Beam.FEED) - trip.passes
    return witness_facts(witness) | {"feed_beam_passes": beam}


async def probe(trip: Trip, deadline: Deadline) -> Evidence:
    """Read the chip's UID and make sure it was never written."""
    sight = await _of_chip(trip.devices.chip.identify(deadline))
    if not sight.fresh:
        raise CardWrong("chip_used", f"chip {sight.uid} already holds data")
    trip.uid = sight.uid
    return {"uid": sight.uid}


async def encode(trip: Trip, deadline: Deadline) -> Evidence:
    """Write every file of the record to the chip, length prefix last."""
    await _of_chip(trip.devices.chip.write(trip.files, deadline))
    return {"bytes": sum(len(file.content) for file in trip.files)}


async def read_back(trip: Trip, deadline: Deadline) -> Evidence:
    """Read every file back and compare; then let go of the card."""
    found = await _of_chip(trip.devices.chip.read([file.fid for file in trip.files], deadline))
    wanted, seen = file_hashes(trip.files), file_hashes(found)
    differing = sorted(fid for fid, digest in wanted.items() if seen.get(fid) != digest)
    if differing:
        raise CardWrong("chip_differs", f"files {', '.join(differing)} differ from what was written")
    await trip.devices.chip.release()
    return {"files": seen}


async def print_face(trip: Trip, deadline: Deadline) -> Evidence:
    """Print the panels and keep the card inside; `check` proves it."""
    await _of_panels(trip.devices.printer.print(trip.panels, deadline))
    return {}


async def check(trip: Trip, deadline: Deadline) -> Evidence:
    """Prove the print by position and panel counter, then the chip by its UID at the contactless station."""
    _prove_panels(trip, trip.now)
    if trip.now is not None and trip.now.position is not CardPosition.PRINT:
        raise CardWrong("card_missing", f"after the print the printer reports the card at: {trip.now.position}")
    await trip.devices.printer.to_chip_station(deadline)
    sight = await _of_chip(trip.devices.chip.identify(Deadline(min(deadline.at_s, Deadline.after(CHIP_WAIT_S).at_s))))
    await trip.devices.chip.release()
    if sight.uid != trip.uid:
        raise CardWrong("chip_swapped", f"chip {trip.uid} was written, chip {sight.uid} came back from the print station")
    return {"uid": sight.uid}


async def deliver(trip: Trip, deadline: Deadline) -> Evidence:
    """Eject the card and see it leave through the exit beam."""
    await trip.devices.printer.deliver(deadline)
    return await _seen_leaving(trip, Beam.EXIT)


async def print_and_deliver(trip: Trip, deadline: Deadline) -> Evidence:
    """Print and eject in one act; proven by the exit beam and the panel counter together."""
    await _of_panels(trip.devices.printer.print_and_deliver(trip.panels, deadline))
    evidence = await _seen_leaving(trip, Beam.EXIT)
    _prove_panels(trip, await _look_after_act(trip))
    return evidence


async def reject(trip: Trip, deadline: Deadline) -> Evidence:
    """Move the card into the reject bin and see it fall."""
    await trip.devices.chip.release()
    await trip.devices.printer.reject(deadline)
    return await _seen_leaving(trip, Beam.REJECT)


def witness_facts(witness: PrinterWitness) -> dict[str, Any]:
    """A witness as journal facts."""
    return {"position": witness.position.value, "cards_fed": witness.cards_fed,
            "panels_printed": witness.panels_printed, "ribbon_remaining": witness.ribbon_remaining}  # fmt: skip


def file_hashes(files: Sequence[ChipFile]) -> dict[str, str]:
    """File id (hex) to the hash of its content with the length prefix, as it stands on the chip."""
    return {f"{file.fid:04X}": _sha256(len(file.content).to_bytes(2, "big") + file.content) for file in files}


def _prove_panels(trip: Trip, now: PrinterWitness | None) -> None:
    risen = None if now is None else now.panels_printed - trip.panels_before
    if risen != len(trip.panels):
        raise CardWrong("print_unproven", f"{risen} panels counted, {len(trip.panels)} wanted")


async def _seen_leaving(trip: Trip, beam: Beam) -> Evidence:
    seen = await trip.devices.sensors.wait_pass(beam, trip.passes, Deadline.after(BEAM_WAIT_S))
    witness = await _look_after_act(trip)
    if not seen or witness.position is not CardPosition.NONE:
        raise CardWrong("card_missing", f"{beam} beam passed: {seen}; the printer reports the card at: {witness.position}")
    return witness_facts(witness) | {f"{beam}_beam": trip.devices.sensors.passes(beam)}


async def _look_after_act(trip: Trip) -> PrinterWitness:
    """The printer's record after an act that it called done. If it cannot be asked now, the act still was sent."""
    try:
        return await trip.devices.printer.witness()
    except DeviceAbsent as error:
        raise DeviceUnknown(error.condition, error.detail) from error


async def _of_panels(asked: Awaitable[None]) -> None:
    """Panels that this printer cannot take are found before anything is sent; the blank is inside by then."""
    try:
        await asked
    except RenderError as error:
        raise CardWrong("print_unproven", f"nothing was printed: {error}") from error


async def _of_chip(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except DeviceError as error:
        raise CardWrong(error.condition, error.detail) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
