"""The stages of a passage whose printer is fed by hand: the person carries the card from the reader to the printer and back.

The printer never says where a card is, so each hand-over is seen at the reader: the written card is lifted before anything is
sent to the printer, and after the print it is laid there again with the same UID. Which face is on which card only the person
sees: a card that was laid down in its stead is noted for good, and then nothing but a look at the face calls the card complete.
"""

from __future__ import annotations

import asyncio

from controller.clock import Deadline
from controller.errors import DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.ports import NOT_DRAWN_IN, ChipStation
from controller.jobs.evidence import OTHER_LAID
from controller.jobs.journal import Facts
from controller.jobs.stages import Before, Trip, look_after_act, of_panels, witness_facts
from controller.model import PrinterWitness

POLL_S = 0.5  # a person lays a card down and looks up
LOOK_S = 1.0  # pcscd polls for cards every 0.4 s
EMPTY_LOOKS = 2  # a card at the edge of the field may miss one


async def lying(chip: ChipStation) -> str | None:
    """The UID of what lies on the reader now, whosever it is; None: nothing, or nothing that answers. It is let go of again.

    Raises DeviceAbsent or DeviceUnknown when the reader was lost.
    """
    try:
        return await chip.look(Deadline.after(LOOK_S))
    except DeviceRefused:
        return None
    finally:
        await chip.release()


async def lift(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Wait until the written card was taken from the reader: while it lies there, it is another one that would be fed."""
    trip.tell("feed_by_hand")
    empty = 0
    while empty < EMPTY_LOOKS:
        if deadline.passed or trip.stopping():
            raise DeviceRefused("feed_by_hand", f"chip {trip.uid} still lies on the reader")
        empty = 0 if await lying(trip.devices.chip) == trip.uid else empty + 1
        if empty < EMPTY_LOOKS:
            await asyncio.sleep(POLL_S)
    return {}


async def print_by_hand(trip: Trip, before: Before, deadline: Deadline) -> Facts:
    """Print on the card that the person puts into the slot; proven by the card counter. Refused only if no card was drawn in."""
    trip.tell("feed_by_hand")
    try:
        await of_panels(trip.devices.printer.print_by_hand(trip.panels, deadline))
    except DeviceRefused as error:
        raise await _weighed(trip, before, error) from error
    trip.tell(None)
    witness = await _look_after(trip)
    counted = witness.cards_fed - before.printer.cards_fed
    if counted != 1:
        raise DeviceUnknown("print_unproven", f"the printer counted {counted} cards")
    return witness_facts(witness)


async def recheck(trip: Trip, _before: Before, deadline: Deadline) -> Facts:
    """Wait until the printed card lies on the reader: the UID that was written.

    DeviceRefused `lay_other` for the first other card, so that the journal keeps it; the wait then goes on in the next try.
    """
    if not trip.doubted:  # then the display says already that another one lies there
        trip.tell("lay_printed")
    while not (deadline.passed or trip.stopping()):
        uid = await lying(trip.devices.chip)
        if uid == trip.uid:
            if trip.doubted:
                raise DeviceUnknown(OTHER_LAID, "another card was laid down first: only a look tells which one was printed")
            return {"uid": uid}
        if uid is not None and not trip.doubted:
            trip.doubted = True
            raise DeviceRefused(OTHER_LAID, f"chip {trip.uid} was written, chip {uid} was laid down")
        trip.tell("lay_printed" if uid is None else OTHER_LAID)
        await asyncio.sleep(POLL_S)
    raise DeviceUnknown("card_missing", "nobody laid the printed card on the reader")


async def _look_after(trip: Trip) -> PrinterWitness:
    """The printer's record after it was asked to print. That it cannot be read now, for whatever reason, never means "again"."""
    try:
        return await look_after_act(trip)
    except DeviceRefused as error:
        raise DeviceUnknown(error.condition, error.detail) from error


async def _weighed(trip: Trip, before: Before, refusal: DeviceRefused) -> DeviceError:
    """A refusal as what it proves: that no card was drawn in only if the counters agree; anything else proves nothing."""
    if refusal.condition != NOT_DRAWN_IN:
        return DeviceUnknown(refusal.condition, refusal.detail)
    now, then = await _look_after(trip), before.printer
    if (now.cards_fed, now.panels_printed) != (then.cards_fed, then.panels_printed):
        return DeviceUnknown("print_unproven", f"the printer says that it took no card, and counted one: {refusal.detail}")
    return refusal
