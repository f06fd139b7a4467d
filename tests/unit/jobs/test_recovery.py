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
from controller.jobs.recovery import READ_TRIES, READER_TRIES, Recovery, read_card, read_contents
from controller.jobs.stages import Before, file_hashes
from controller.jobs.store import Store
from controller.model import Beam, CardPosition, ChipFile
from tests.fakes.chip import OTHER_UID, FakeCard, Faults, tells_only_its_uid
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


async def test_an_open_cover_keeps_the_card_where_it_is(bench: Bench) -> None:
    """A person's hands are inside: nothing is moved, and no intent is written."""
    bench.put_in(CardPosition.PRINT)
    bench.lane.cover_open = True
    with pytest.raises(DeviceRefused, match="cover_open"):
        await bench.gather(Phase.WRITING)
    assert (bench.lane.acts, [name for name, _, _ in await bench.rows()][-1]) == ([], "encode")
    bench.lane.cover_open = False
    assert (await bench.gather()).chip == ChipEvidence(UID, fresh=True, files=EMPTY)


async def test_a_card_at_the_reader_is_read_under_an_open_cover(bench: Bench) -> None:
    bench.put_in(CardPosition.CONTACTLESS)
    bench.lane.cover_open = True
    assert (await bench.gather()).chip == ChipEvidence(UID, fresh=True)


async def test_a_move_that_fed_a_card_is_told_and_remembered(bench: Bench) -> None:
    """The card was seen inside, and was gone when the move began: the printer takes the next blank."""
    bench.put_in(CardPosition.PRINT)
    bench.lane.before["to_chip_station"] = lambda: setattr(bench.lane, "inside", None)
    assert (await bench.gather(Phase.WRITING)).fed_again
    del bench.lane.before["to_chip_station"]
    later = await bench.gather()
    assert (later.fed_again, bench.lane.acts) == (True, ["to_chip_station"])


async def test_a_move_that_fed_none_is_not_said_to_have(bench: Bench) -> None:
    bench.put_in(CardPosition.PRINT)
    assert not (await bench.gather(Phase.WRITING)).fed_again
    assert not (await bench.gather()).fed_again


async def test_a_feed_counted_by_a_move_that_failed_is_known_at_the_next_try(bench: Bench) -> None:
    bench.put_in(CardPosition.PRINT)
    bench.lane.before["to_chip_station"] = lambda: setattr(bench.lane, "inside", None)
    bench.lane.after["to_chip_station"] = _raises(DeviceUnknown("printer_late", "no reply"))
    with pytest.raises(DeviceUnknown):
        await bench.gather(Phase.WRITING)
    assert (await bench.gather()).fed_again


@pytest.mark.parametrize(("refusals", "files"), [(READ_TRIES - 1, HASHES), (READ_TRIES, {})])
async def test_a_chip_is_read_twice_before_it_counts_as_unreadable(bench: Bench, refusals: int, files: dict[str, str]) -> None:
    card = await _written(bench)
    past = await bench.recovery.past(await bench.store.transact(stop_at, Phase.WRITING))
    sight = await bench.lane.chip.identify(Deadline.after(1))
    refused = iter([DeviceRefused("chip_refused", "6982")] * refusals)

    def refuse(point: str) -> None:
        for error in refused if point == "apdu B0" else ():
            raise error

    card.wire = refuse
    assert await read_contents(bench.lane.chip, sight, past) == ChipEvidence(UID, False, files)


async def test_a_card_that_was_changed_for_another_while_it_was_read_is_no_evidence(bench: Bench) -> None:
    card = await _written(bench)
    past = await bench.recovery.past(await bench.store.transact(stop_at, Phase.WRITING))
    sight = await bench.lane.chip.identify(Deadline.after(1))
    card.wire = _raising(DeviceRefused("chip_swapped", "another UID answers"))
    with pytest.raises(DeviceUnknown, match="chip_swapped"):
        await read_contents(bench.lane.chip, sight, past)


async def test_a_card_with_other_keys_is_known_by_its_uid(bench: Bench) -> None:
    card = await _written(bench)
    past = await bench.recovery.past(await bench.store.transact(stop_at, Phase.PRINTING))
    card.uid, card.wire = OTHER_UID, tells_only_its_uid
    assert await read_card(bench.lane.chip, past, Deadline.after(1)) == ChipEvidence(OTHER_UID)
    card.uid = UID
    assert await read_card(bench.lane.chip, past, Deadline.after(1)) == ChipEvidence("")


async def test_a_status_word_to_the_first_look_is_no_silent_chip(bench: Bench) -> None:
    card = await _written(bench)
    past = await bench.recovery.past(await bench.store.transact(stop_at, Phase.PRINTING))
    words = iter([DeviceRefused("chip_refused", "read UID: 6F00")])

    def refuse(_point: str) -> None:
        for word in words:
            raise word

    card.wire = refuse
    assert await read_card(bench.lane.chip, past, Deadline.after(1)) == ChipEvidence(UID, False, HASHES)


async def _written(bench: Bench) -> FakeCard:
    bench.put_in(CardPosition.CONTACTLESS)
    await bench.lane.chip.identify(Deadline.after(1))
    await bench.lane.chip.write(FILES, Deadline.after(1))
    assert bench.lane.inside is not None
    return bench.lane.inside.chip


def _raising(error: DeviceError) -> Callable[[str], None]:
    def trouble(_point: str) -> None:
        raise error

    return trouble


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
    bench.lane.chip.absent = "reader_stuck"
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
