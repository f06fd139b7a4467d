"""Gathering evidence: what is asked, what is moved, what is believed, and what a lost device means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.jobs import journal
from controller.jobs.evidence import Beams, ChipEvidence, LaneEvidence, Phase
from controller.jobs.journal import Passage
from controller.jobs.recovery import READER_TRIES, Recovery, read_card
from controller.jobs.stages import Before, file_hashes
from controller.jobs.store import Store
from controller.model import Beam, CardPosition, ChipFile
from tests.fakes.chip import Faults
from tests.fakes.interrupted import BEFORE, HASHES, READER, UID, stop_at
from tests.fakes.lane import FILES, FakeLane
from tests.fakes.stock import fill

EMPTY = file_hashes([ChipFile(file.fid, b"") for file in FILES])
NOW = Before(BEFORE, 0, 0, Beams(0, 0, 0))


@dataclass
class Bench:
    """A passage that stopped half-way, with its card where the test wants it."""

    store: Store
    lane: FakeLane = field(default_factory=FakeLane)
    reader: str = READER
    recovery: Recovery = field(init=False)

    def __post_init__(self) -> None:
        self.recovery = Recovery(self.store, self.lane.devices, self.reader, ejects=False)
        self.lane.load(3)

    def put_in(self, position: CardPosition) -> None:
        """The first blank is inside."""
        self.lane.inside = self.lane.hopper.popleft()
        self.lane.cards_fed += 1
        self.lane._stand(position)

    async def gather(self, phase: Phase = Phase.FED, since: Before | None = None, uid: str | None = UID) -> LaneEvidence:
        """Gather for a passage that stopped there."""
        passage = await self.store.read(journal.unknown_in, "1")
        if passage is None:
            passage = await self.store.transact(stop_at, phase, uid)
        return await self.recovery.gather(passage, await self.recovery.past(passage), since)

    async def rows(self) -> list[tuple[str, str, str]]:
        """The journal's newest rows: name, outcome, error."""
        rows = await self.store.read(journal.stages, 1)
        return [(row["name"], row["outcome"], row["evidence"].get("error", "")) for row in rows]


@pytest.fixture
async def bench(store: Store) -> Bench:
    await store.transact(fill, "1", 5)
    return Bench(store)


def _raises(error: DeviceError) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


async def test_the_stage_under_way_is_closed_before_anything_is_asked(bench: Bench) -> None:
    passage = await bench.store.transact(stop_at, Phase.PRINTING)
    past = await bench.recovery.past(passage)
    assert past.phase is Phase.PRINTING
    assert (await bench.rows())[-1] == ("print", "failed", "Interrupted")
    assert bench.lane.acts == []


async def test_an_empty_printer_is_asked_and_nothing_is_moved(bench: Bench) -> None:
    evidence = await bench.gather()
    assert evidence == LaneEvidence(True, False, BEFORE)
    assert bench.lane.acts == []


async def test_a_card_inside_is_brought_to_the_reader_behind_an_intent_and_read(bench: Bench) -> None:
    bench.put_in(CardPosition.PRINT)
    seen: list[str] = []
    bench.lane.before["to_chip_station"] = lambda: seen.append("moved")
    evidence = await bench.gather()
    assert evidence.witness is not None
    assert (evidence.witness.position, evidence.chip) == (CardPosition.CONTACTLESS, ChipEvidence(UID, fresh=True))
    assert ((await bench.rows())[-1], seen) == (("examine", "done", ""), ["moved"])


async def test_a_card_at_the_reader_is_not_moved(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    assert (await bench.gather()).chip == ChipEvidence(UID, fresh=True)
    assert bench.lane.acts == []


async def test_what_the_chip_holds_is_read_length_prefix_included(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    await bench.lane.chip.identify(Deadline.after(1))
    await bench.lane.chip.write(FILES, Deadline.after(1))
    assert (await bench.gather(Phase.PRINTING)).chip == ChipEvidence(UID, False, HASHES)


async def test_a_torn_chip_is_told_from_a_whole_one(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    await bench.lane.chip.identify(Deadline.after(1))
    await bench.lane.chip.write(FILES[:3], Deadline.after(1))
    chip = (await bench.gather(Phase.WRITING)).chip
    assert chip is not None
    assert chip.files != HASHES
    assert chip.uid == UID


async def test_a_dead_chip_is_evidence_of_its_own(bench: Bench) -> None:
    bench.lane.hopper[0].chip.faults = Faults(dies_at_apdu=0)
    bench.put_in(CardPosition.CONTACTLESS)
    assert (await bench.gather(Phase.WRITING)).chip == ChipEvidence("")


async def test_a_chip_that_refuses_its_files_has_a_uid_and_no_files(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    card = bench.lane.hopper[0]
    assert bench.lane.inside is not None
    bench.lane.inside.chip.faults = Faults(answers=dict.fromkeys(range(15, 60), "6982"))
    assert (await bench.gather(Phase.WRITING)).chip == ChipEvidence(UID, fresh=True)
    assert card.chip.log == []


async def test_a_condemned_card_is_not_moved_before_its_move_into_the_bin(bench: Bench) -> None:
    bench.put_in(CardPosition.PRINT)
    evidence = await bench.gather(Phase.CONDEMNED)
    assert (evidence.chip, bench.lane.acts) == (None, [])


@pytest.mark.parametrize(("serial", "reader"), [("SN2", READER), ("SN1", "reader 2")])
async def test_other_devices_are_asked_nothing(bench: Bench, serial: str, reader: str) -> None:
    bench.put_in(CardPosition.PRINT)
    bench.lane.serial = serial
    bench.recovery = Recovery(bench.store, bench.lane.devices, reader, ejects=True)
    assert await bench.gather() == LaneEvidence(same_devices=False, ejects=True)
    assert bench.lane.acts == []


async def test_a_passage_older_than_the_readers_name_is_not_of_another_epoch(bench: Bench) -> None:
    await bench.store.transact(stop_at, Phase.FED)
    await bench.store.transact(lambda db: db.execute("UPDATE passage SET reader = ''"))
    assert (await bench.gather()).same_devices


async def test_beams_count_from_the_act_that_failed(bench: Bench) -> None:
    bench.lane.sensors.card_passes(Beam.EXIT)
    since = Before(BEFORE, 0, 0, Beams(0, 1, 0))
    bench.lane.sensors.card_passes(Beam.REJECT)
    assert (await bench.gather(since=since)).beams == Beams(0, 0, 1)


async def test_blind_eyes_have_seen_nothing(bench: Bench) -> None:
    bench.lane.sensors.lose()
    bench.lane.sensors.restore()
    assert (await bench.gather(since=NOW)).beams is None
    assert (await bench.gather(since=None)).beams is None


@pytest.mark.parametrize("gone", ["printer", "pcscd"])
async def test_a_device_that_is_away_is_waited_for(bench: Bench, gone: str) -> None:
    if gone == "printer":
        bench.lane.unplug()
    else:
        bench.lane.chip.absent = "pcsc_absent"
    with pytest.raises(DeviceAbsent, match=r"printer_absent|pcsc_absent"):
        await bench.gather()


async def test_a_printer_without_the_move_is_believed_where_the_card_stands(bench: Bench) -> None:
    bench.put_in(CardPosition.PRINT)
    bench.lane.before["to_chip_station"] = _raises(DeviceRefused("option_missing", "no such act"))
    evidence = await bench.gather(Phase.WRITING)
    assert (evidence.witness and evidence.witness.position, evidence.chip) == (CardPosition.PRINT, None)
    assert (await bench.rows())[-1] == ("examine", "failed", "DeviceRefused")


@pytest.mark.parametrize("error", [DeviceUnknown("printer_late", "x"), DeviceRefused("card_jam", "x")])
async def test_a_move_that_fails_is_tried_again_later_and_condemns_nothing(bench: Bench, error: DeviceError) -> None:
    bench.put_in(CardPosition.PRINT)
    bench.lane.before["to_chip_station"] = _raises(error)
    with pytest.raises(DeviceError):
        await bench.gather(Phase.WRITING)
    del bench.lane.before["to_chip_station"]
    assert (await bench.gather()).chip == ChipEvidence(UID, fresh=True, files=EMPTY)
    assert (await bench.recovery.past(await _unknown(bench))).phase is Phase.WRITING


async def _unknown(bench: Bench) -> Passage:
    passage = await bench.store.read(journal.unknown_in, "1")
    assert passage is not None
    return passage


async def test_a_chip_that_takes_its_reader_down_each_time_is_read_no_more(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)

    def strike(_point: str) -> None:
        raise DeviceUnknown("reader_lost", "gone")

    assert bench.lane.inside is not None
    bench.lane.inside.chip.wire = strike
    for _ in range(READER_TRIES - 1):
        with pytest.raises(DeviceUnknown):
            await bench.gather(Phase.WRITING)
    assert (await bench.gather(Phase.WRITING)).chip == ChipEvidence("")


async def test_a_command_that_never_comes_back_lets_the_card_be_moved_away(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    bench.lane.chip.absent = "reader_lost"
    for _ in range(READER_TRIES - 1):
        with pytest.raises(DeviceAbsent):
            await bench.gather(Phase.WRITING)
    assert (await bench.gather(Phase.WRITING)).chip == ChipEvidence("")


@pytest.mark.parametrize("condition", ["pcsc_absent", "reader_absent"])
async def test_a_reader_that_is_not_there_is_waited_for(bench: Bench, condition: str) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    bench.lane.chip.absent = condition
    for _ in range(READER_TRIES + 1):
        with pytest.raises(DeviceAbsent):
            await bench.gather(Phase.WRITING)


async def test_a_reader_that_is_away_is_no_fault_of_the_chip(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    bench.lane.chip.absent = "reader_absent"
    past = await bench.recovery.past(await bench.store.transact(stop_at, Phase.WRITING))
    for _ in range(READER_TRIES + 1):
        with pytest.raises(DeviceAbsent):
            await read_card(bench.lane.chip, past, Deadline.after(1))
