"""Gathers what one lane can still tell of an interrupted passage. What it means is decided by `controller.jobs.verdict`.

Every answer is evidence only when it is certain to be one: printer and reader are those of the intents, the printer's record is
read twice in a conversation brought in step anew, and a card is moved only while it can be seen, with an intent written first.
"""

from __future__ import annotations

import sqlite3

from controller.clock import Deadline, monotonic_s
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.ports import ChipStation
from controller.jobs import journal
from controller.jobs.by_hand import LOOK_S, lying
from controller.jobs.evidence import EXAMINE, Beams, ChipEvidence, LaneEvidence, Past, Phase, past_of
from controller.jobs.journal import Facts, Passage
from controller.jobs.stages import CHIP_WAIT_S, Before, LaneDevices, failure, file_hashes, witness_facts
from controller.jobs.store import Store
from controller.model import Beam, CardPosition, ChipSight, PrinterWitness

MOVE_S = 40.0  # as long as any motion of the passage table
READ_S = 30.0
READ_TRIES = 2  # one status word may come from a card at the edge of the field
READER_TRIES = 3  # a chip that takes its reader down each time is read no more


class Recovery:
    """One lane's way to evidence."""

    def __init__(self, store: Store, devices: LaneDevices, reader: str, *, ejects: bool, by_hand: bool = False) -> None:
        """`reader`: its PC/SC name now; `ejects`: what this printer does with a card inside when its power comes back.

        `by_hand`: a person feeds the printer, so what lies on the lane's reader was laid there.
        """
        self._store = store
        self._devices = devices
        self._reader = reader
        self._ejects = ejects
        self._by_hand = by_hand
        self._lost_chip: tuple[int, int] = (0, 0)  # passage, and how often the reader was lost at its chip

    async def past(self, passage: Passage) -> Past:
        """What the journal proves; the stage that was under way is closed as interrupted first."""

        def read(db: sqlite3.Connection) -> Past:
            journal.interrupt(db, passage.id)
            return past_of(passage.chip_uid, journal.stages(db, passage.id))

        return await self._store.transact(read)

    async def gather(self, passage: Passage, past: Past, since: Before | None) -> LaneEvidence:
        """Ask printer, beams and chip. `since`: noted in this run before the act that failed; None after a restart.

        A card that was read stays held by the reader. Raises DeviceError while a device cannot be asked: try again later.
        """
        if past.by_hand and past.phase is Phase.FEEDING:  # nothing was begun: nobody has to be asked
            return LaneEvidence(same_devices=False)
        identity = await self._devices.printer.open()
        reader_works = await self._reader_works(passage)
        beside = await self._read_beside(passage, past) if self._by_hand and reader_works else None
        if identity.serial != passage.printer_serial or passage.reader not in ("", self._reader):
            return LaneEvidence(same_devices=False, ejects=self._ejects, desk=beside, beside=beside is not None)
        witness = await self._devices.printer.examine()
        chip, fed = None, witness.cards_fed if past.fed_when_examined is None else past.fed_when_examined
        if witness.position.inside and past.phase is not Phase.CONDEMNED:
            moved = await self._to_reader(passage, witness)
            witness = moved or witness
            chip = None if moved is None else await self._read_chip(passage, past, reader_works=reader_works)
        again = witness.cards_fed > fed
        return LaneEvidence(True, self._ejects, witness, chip, self._beams_since(since), beside, fed_again=again,
                            beside=beside is not None)  # fmt: skip

    async def release(self) -> None:
        """Let go of the card."""
        await self._devices.chip.release()

    def _beams_since(self, since: Before | None) -> Beams | None:
        sensors = self._devices.sensors
        if since is None or since.beams is None or sensors.gaps != since.gaps:
            return None
        seen = since.beams
        return Beams(sensors.passes(Beam.FEED) - seen.feed, sensors.passes(Beam.EXIT) - seen.exit,
                     sensors.passes(Beam.REJECT) - seen.reject)  # fmt: skip

    async def _to_reader(self, passage: Passage, witness: PrinterWitness) -> PrinterWitness | None:
        """Bring the card that was seen to the reader; None when this printer cannot. Returns the record after it."""
        if witness.position is CardPosition.CONTACTLESS:
            return witness
        if witness.cover_open:  # a person's hands are inside; the card may be in them by the time it is moved
            raise DeviceRefused("cover_open", "before the card is moved to the reader")
        await self._store.transact(journal.intend, passage.id, EXAMINE, witness_facts(witness))
        started_s = monotonic_s()
        try:
            await self._devices.printer.to_chip_station(Deadline.after(MOVE_S))
            after = await self._devices.printer.examine()
        except DeviceError as error:
            await self._conclude(passage, "failed", failure(error), started_s)
            if error.condition == "option_missing":
                return None
            raise
        await self._conclude(passage, "done", witness_facts(after), started_s)
        return after if after.position is CardPosition.CONTACTLESS else None

    async def _conclude(self, passage: Passage, outcome: str, facts: Facts, started_s: float) -> None:
        elapsed_ms = round((monotonic_s() - started_s) * 1000)
        await self._store.transact(journal.conclude, passage.id, outcome, facts, elapsed_ms)

    async def _reader_works(self, passage: Passage) -> bool:
        """False when a command to the card has not come back for too long: only moving the card away can end that."""
        try:
            await self._devices.chip.check()
        except DeviceAbsent as error:
            if error.condition != "reader_stuck" or not self._lost_too_often(passage):
                raise
            return False
        return True

    async def _read_chip(self, passage: Passage, past: Past, *, reader_works: bool) -> ChipEvidence:
        if not reader_works:
            return ChipEvidence("")
        try:
            return await read_card(self._devices.chip, past, Deadline.after(CHIP_WAIT_S))
        except DeviceAbsent:
            raise
        except DeviceUnknown:
            if not self._lost_too_often(passage):
                raise
            return ChipEvidence("")

    async def _read_beside(self, passage: Passage, past: Past) -> ChipEvidence | None:
        """The card on the reader of a lane that is fed by hand, if it is this passage's."""
        try:
            return await read_if_ours(self._devices.chip, past)
        except DeviceAbsent:
            raise
        except DeviceUnknown:
            if not self._lost_too_often(passage):
                raise
            return None

    def _lost_too_often(self, passage: Passage) -> bool:
        """Count that the reader was lost at this passage's chip; True from the READER_TRIES-th time on."""
        number, tries = self._lost_chip
        self._lost_chip = (passage.id, tries + 1 if number == passage.id else 1)
        return self._lost_chip[1] >= READER_TRIES


async def read_card(reader: ChipStation, past: Past, wait: Deadline) -> ChipEvidence:
    """The card at a reader as evidence. It stays held.

    A card that does not answer has no UID, nor has the bound one when it tells no more than that. Any other is known by its UID,
    whether it lets itself be read or not. Raises DeviceAbsent or DeviceUnknown when the reader was lost.
    """
    for _ in range(READ_TRIES):
        try:
            if past.uid is not None and (uid := await reader.look(wait)) != past.uid:
                return ChipEvidence(uid)
            return await read_contents(reader, await reader.identify(wait), past)
        except DeviceRefused as error:
            if error.condition == "chip_silent":
                break
    return ChipEvidence("")


async def read_if_ours(reader: ChipStation, past: Past) -> ChipEvidence | None:
    """The card on a reader if it has the chip that was bound; it stays held then. Raises as `read_card`."""
    if past.uid is None or await lying(reader) != past.uid:
        return None
    try:
        sight = await reader.identify(Deadline.after(LOOK_S))
    except DeviceRefused:  # it is lifted already, or tells no more than its UID; a person who wants it judged says HOLD
        sight = None
    if sight is None or sight.uid != past.uid:
        await reader.release()
        return None
    return await read_contents(reader, sight, past)


async def read_contents(reader: ChipStation, sight: ChipSight, past: Past) -> ChipEvidence:
    """The hashes of the files that the chip just identified should hold; none when it refuses twice.

    Raises DeviceAbsent or DeviceUnknown when the reader was lost, or another card was laid down meanwhile.
    """
    for _ in range(READ_TRIES if past.files else 0):
        try:
            found = await reader.read([int(fid, 16) for fid in past.files], Deadline.after(READ_S))
        except DeviceRefused as error:
            if error.condition == "chip_swapped":
                raise DeviceUnknown(error.condition, error.detail) from error
        else:
            return ChipEvidence(sight.uid, sight.fresh, file_hashes(found))
    return ChipEvidence(sight.uid, sight.fresh)
