"""What a verdict asks for is carried out: go on, throw out, settle, ask; and the books agree."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, Problem, RendererFailed, RenderError, StoreFull
from controller.jobs import batches, journal, ledger, questions, queue, stages
from controller.jobs.evidence import Ask, Phase
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import PREPARE_TRIES, Rescue, Waiting
from controller.jobs.runner import Hooks, Result, Trouble
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from controller.jobs.verdict import Ruling
from controller.jobs.workshop import Workshop
from controller.model import Balance, CardPosition, JobState, PassageState, Verdict
from tests.fakes.interrupted import READER, UID, stop_at
from tests.fakes.lane import FILES, PANELS, FakeLane
from tests.fakes.stock import fill


class Artist:
    """Draws nothing, or fails as told."""

    trouble: RenderError | OSError | StoreFull | None = None

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Leave a file."""
        if self.trouble is not None:
            raise self.trouble
        out_path.write_bytes(b"")


@dataclass
class Bench:
    """One interrupted passage with its card in a lane."""

    store: Store
    spool: Spool
    lane: FakeLane = field(default_factory=FakeLane)
    artist: Artist = field(default_factory=Artist)
    rulings: list[Ruling] = field(default_factory=list)
    ejects: bool = False
    unknown_uid: str = "refuse"

    def __post_init__(self) -> None:
        self._rescue: Rescue | None = None

    async def stop(self, phase: Phase, *, printed: int = 0, uid: str | None = UID) -> None:
        """The passage stopped there, with the card inside; so many panels are on it."""
        self.lane.load(3)
        payload = self.spool.put(b"{}")
        await self.store.transact(stop_at, phase, uid)
        await self.store.transact(lambda db: db.execute("UPDATE job SET payload = ?", (payload,)))
        self.lane.inside = self.lane.hopper.popleft()
        self.lane.cards_fed += 1
        self.lane._stand(CardPosition.CONTACTLESS)
        if phase not in (Phase.FEEDING, Phase.FED, Phase.CONDEMNED):
            await self.lane.chip.identify(Deadline.after(1))
            await self.lane.chip.write(FILES, Deadline.after(1))
        self.lane.inside.face.extend(PANELS[:printed])
        self.lane.panels_printed += printed

    async def attempt(self) -> Result | Waiting:
        """One try of the lane's."""
        if self._rescue is None:
            self._rescue = self._new_rescue()
        passage = await self.store.read(journal.unknown_in, "1")
        assert passage is not None
        return await self._rescue.attempt(passage, None, Hooks(lambda _s, _n: None, lambda _s, _t: None, _never))

    def _new_rescue(self) -> Rescue:
        recovery = Recovery(self.store, self.lane.devices, READER, ejects=self.ejects)
        workshop = Workshop(self.store, self.spool, self.artist, self.spool.folder.parent / "rendered", lambda _path: PANELS,
                            lambda _record: FILES, set())  # fmt: skip
        return Rescue(self.store, recovery, self.lane.devices, workshop, 1, self.unknown_uid, self.rulings.append)

    async def kinds(self) -> list[str]:
        """The incidents."""
        return await self.store.read(lambda db: [row[0] for row in db.execute("SELECT kind FROM incident")])

    async def state(self) -> tuple[JobState, Balance]:
        """The job's state and the lane's blanks."""
        return (await self.store.read(queue.find, 1)).state, await self.store.read(ledger.of_lane, "1")


async def _never(_trouble: Trouble) -> bool:
    return False


@pytest.fixture
async def bench(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(stages, "BEAM_WAIT_S", 0.01)  # a constant, not behaviour
    await store.transact(fill, "1", 3)
    return Bench(store, spool)


@pytest.mark.parametrize(
    ("phase", "printed", "row"),
    [
        (Phase.FEEDING, 0, "just fed"),
        (Phase.FED, 0, "fed"),
        (Phase.WRITING, 0, "chip whole"),
        (Phase.PRINTING, 5, "face whole"),
        (Phase.CHECKED, 5, "checked inside"),
    ],
)
async def test_a_card_that_is_proven_goes_on_and_is_issued(bench: Bench, phase: Phase, printed: int, row: str) -> None:
    await bench.stop(phase, printed=printed)
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, [ruling.row for ruling in bench.rulings]) == (Verdict.GOOD, [row])
    assert (await bench.state(), bench.lane.output[0].prints) == ((JobState.ISSUED, Balance(2)), 1)
    assert bench.lane.output[0].face_complete


@pytest.mark.parametrize(
    ("phase", "printed", "condition"),
    [
        (Phase.PRINTING, 0, "print_unproven"),
        (Phase.PRINTING, 3, "print_unproven"),
        (Phase.LEAVING, 5, "print_unproven"),
        (Phase.CONDEMNED, 0, "chip_refused"),
    ],
)
async def test_a_card_that_is_not_proven_goes_to_the_reject_bin_with_its_reason(
    bench: Bench, phase: Phase, printed: int, condition: str
) -> None:
    await bench.stop(phase, printed=printed)
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, result.condition, len(bench.lane.rejected)) == (Verdict.SPOILED, condition, 1)
    assert await bench.state() == (JobState.READY, Balance(2, 0, 1))


async def test_a_half_written_chip_is_thrown_out_and_never_written_again(bench: Bench) -> None:
    await bench.stop(Phase.WRITING)
    assert bench.lane.inside is not None
    chip = bench.lane.inside.chip
    chip.memory[0x6FF2][5] ^= 1
    before = chip.image()
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.condition, chip.image()) == ("chip_unfinished", before)


async def test_a_card_that_is_gone_becomes_a_question_and_stays_one(bench: Bench) -> None:
    await bench.stop(Phase.PRINTING, printed=5)
    bench.lane.inside = None
    bench.lane._stand(CardPosition.NONE)
    assert await bench.attempt() == Waiting("ask_desk")
    assert await bench.store.read(questions.unsettled, "1") == (await bench.store.read(journal.find, 1), Ask.DESK)
    assert await bench.state() == (JobState.ACTIVE, Balance(2, 1))


async def test_a_printer_that_may_have_ejected_the_blank_asks_for_the_tray(bench: Bench) -> None:
    bench.ejects = True
    await bench.store.transact(stop_at, Phase.FEEDING)
    assert await bench.attempt() == Waiting("ask_tray")


async def test_a_blank_that_was_never_fed_costs_nothing_but_a_count(bench: Bench) -> None:
    await bench.store.transact(stop_at, Phase.FEEDING)
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, await bench.state()) == (Verdict.STILL_BLANK, (JobState.READY, Balance(3)))
    kinds = await bench.store.read(lambda db: [row[0] for row in db.execute("SELECT kind FROM incident")])
    assert kinds == ["count_required"]


async def test_a_device_that_is_away_is_said_and_nothing_is_decided(bench: Bench) -> None:
    await bench.stop(Phase.FED)
    bench.lane.unplug()
    assert await bench.attempt() == Waiting("printer_absent", "unplugged")
    assert (await bench.store.read(journal.find, 1)).state is PassageState.UNKNOWN
    assert bench.rulings == []


async def test_a_device_lost_while_the_card_goes_on_leaves_it_unknown_again(bench: Bench) -> None:
    await bench.stop(Phase.CHECKED, printed=5)

    def lost() -> None:
        raise DeviceAbsent("printer_lost", "cable")

    bench.lane.before["deliver"] = lost
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, result.before is not None) == (None, True)
    del bench.lane.before["deliver"]
    again = await bench.attempt()
    assert isinstance(again, Result)
    assert again.verdict is Verdict.GOOD


async def test_a_renderer_that_does_not_work_now_is_waited_for(bench: Bench) -> None:
    await bench.stop(Phase.WRITING)
    bench.artist.trouble = RendererFailed(Problem("render.crashed", "", "Penggambar mati.", "The renderer died."))
    assert await bench.attempt() == Waiting("renderer_failed", "The renderer died.")
    bench.artist.trouble = None
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert result.verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("trouble", "condition"),
    [
        (RendererFailed(Problem("render.crashed", "", "Penggambar mati.", "It died.")), "renderer_failed"),
        (StoreFull("It died."), "disk_full"),
        (OSError("It died."), "store_failed"),
    ],
)
async def test_what_hinders_the_work_is_waited_for_and_not_for_ever(
    bench: Bench, trouble: RenderError | OSError | StoreFull, condition: str
) -> None:
    await bench.stop(Phase.WRITING)
    bench.artist.trouble = trouble
    for _ in range(PREPARE_TRIES - 1):
        assert await bench.attempt() == Waiting(condition, "It died.")
    assert (bench.rulings, bench.lane.rejected) == ([], [])
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, result.condition, len(bench.lane.rejected)) == (Verdict.SPOILED, "interrupted", 1)
    assert await bench.state() == (JobState.READY, Balance(2, 0, 1))


async def test_the_tries_of_one_passage_are_not_counted_against_the_next(bench: Bench) -> None:
    bench.artist.trouble = StoreFull("full")
    await bench.stop(Phase.WRITING)
    for _ in range(PREPARE_TRIES):
        await bench.attempt()
    await bench.stop(Phase.WRITING, uid=UID[:-1] + "2")
    assert await bench.attempt() == Waiting("disk_full", "full")


async def test_a_stranger_inside_is_asked_about_left_alone_and_the_hopper_counted(bench: Bench) -> None:
    await bench.stop(Phase.PRINTING, printed=5)
    stranger = bench.lane.hopper.popleft()
    bench.lane.inside = stranger
    bench.lane._stand(CardPosition.CONTACTLESS)
    assert await bench.attempt() == Waiting("ask_desk")
    assert [ruling.row for ruling in bench.rulings] == ["stranger inside"]
    assert (bench.lane.inside, bench.lane.acts, await bench.kinds()) == (stranger, [], ["count_required"])


async def test_a_card_that_recoverys_own_move_fed_is_asked_about_and_left_alone(bench: Bench) -> None:
    """Seen inside and gone when the move began, before its chip was read: the blank that was fed instead is not taken for it."""
    await bench.stop(Phase.FED, uid=None)
    bench.lane._stand(CardPosition.PRINT)
    bench.lane.before["to_chip_station"] = lambda: setattr(bench.lane, "inside", None)
    assert await bench.attempt() == Waiting("ask_desk")
    assert [ruling.row for ruling in bench.rulings] == ["another was fed"]
    assert (bench.lane.inside is not None, bench.lane.acts, await bench.kinds()) == (
        True,
        ["to_chip_station"],
        ["count_required"],
    )


async def test_an_open_cover_is_waited_for_and_decides_nothing(bench: Bench) -> None:
    await bench.stop(Phase.FED)
    bench.lane._stand(CardPosition.PRINT)
    bench.lane.cover_open = True
    assert await bench.attempt() == Waiting("cover_open", "before the card is moved to the reader")
    assert (bench.rulings, bench.lane.acts) == ([], [])


async def test_a_record_that_was_lost_meanwhile_cannot_be_finished(bench: Bench) -> None:
    await bench.stop(Phase.WRITING)
    bench.spool.path((await bench.store.read(queue.find, 1)).payload).unlink()
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, len(bench.lane.rejected), bench.lane.output) == (Verdict.SPOILED, 1, [])


async def test_a_card_that_is_interrupted_again_and_again_is_not_kept_for_ever(bench: Bench) -> None:
    await bench.stop(Phase.PRINTING, printed=5)
    bench.lane.before["to_chip_station"] = _lost
    for _ in range(3):
        await bench.attempt()
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert ([ruling.row for ruling in bench.rulings][-1], result.verdict) == ("too often", Verdict.SPOILED)


async def test_a_card_that_only_has_to_leave_is_not_thrown_out_for_a_printer_that_is_lost_each_time(bench: Bench) -> None:
    await bench.stop(Phase.CHECKED, printed=5)
    bench.lane.before["deliver"] = _lost
    for _ in range(5):
        await bench.attempt()
    del bench.lane.before["deliver"]
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, len(bench.lane.output)) == (Verdict.GOOD, 1)


def _lost() -> None:
    raise DeviceAbsent("printer_lost", "cable")


@pytest.mark.parametrize(("policy", "verdict"), [("warn", Verdict.GOOD), ("refuse", Verdict.SPOILED)])
async def test_the_policy_for_unlisted_chips_holds_after_an_interruption_too(
    store: Store, spool: Spool, policy: str, verdict: Verdict
) -> None:
    bench = Bench(store, spool, unknown_uid=policy)
    listed = ["04AA0000000001-04AA0000000003"]
    await store.transact(lambda db: batches.receive(db, "B1", 3, "doc", "ani", "new", listed))
    await store.transact(lambda db: ledger.post(db, ledger.STORE, ledger.hopper("1"), 3, who="ani", reason="filled"))
    await bench.stop(Phase.FED, uid=None)
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert result.verdict is verdict


def _read_back(db: sqlite3.Connection, *, then: str) -> None:
    """The chip was written and read back; `then` another stage was begun."""
    journal.conclude(db, 1, "done", {"bytes": 1}, 1)
    journal.intend(db, 1, "read back", {})
    journal.conclude(db, 1, "done", {"files": {}}, 1)
    if then:
        journal.intend(db, 1, then, {"uid": UID, "files": {}})


@pytest.mark.parametrize("begun", ["", "close"])
@pytest.mark.parametrize("closed", [False, True])
async def test_a_chip_that_was_read_back_is_read_and_closed_again_whether_it_was_closed_or_not(
    bench: Bench, begun: str, *, closed: bool
) -> None:
    """Nothing begun after the read-back and a chip that is closed: a passage of a version without the stage `close`."""
    await bench.stop(Phase.WRITING)
    await bench.store.transact(partial(_read_back, then=begun))
    assert bench.lane.inside is not None
    chip = bench.lane.inside.chip
    if closed:
        await bench.lane.chip.finish([file.fid for file in FILES], Deadline.after(1))
    result = await bench.attempt()
    assert isinstance(result, Result)
    names = [row["name"] for row in await bench.store.read(journal.stages, 1)]
    assert names[names.index("verdict") :] == ["verdict", "read back", "close", "print", "check", "deliver"]
    assert (result.verdict, bench.rulings[0].row, chip.locked) == (Verdict.GOOD, "chip whole", True)


async def test_the_journal_tells_what_was_found_and_decided(bench: Bench) -> None:
    await bench.stop(Phase.PRINTING, printed=5)
    await bench.attempt()
    row = next(row for row in await bench.store.read(journal.stages, 1) if row["name"] == "verdict")
    assert row["evidence"] == {"row": "face whole", "answer": "continue", "condition": "", "resume": "check"}
    assert (row["intent"]["witness"]["panels_printed"], row["intent"]["chip"]["uid"]) == (505, UID)
