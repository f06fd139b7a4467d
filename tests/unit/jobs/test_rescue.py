"""What a verdict asks for is carried out: go on, throw out, settle, ask; and the books agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, Problem, RendererFailed, RenderError
from controller.jobs import batches, journal, ledger, questions, queue, stages
from controller.jobs.evidence import Ask, Phase
from controller.jobs.recovery import Recovery
from controller.jobs.rescue import Rescue, Waiting
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

    trouble: RenderError | None = None

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
        """One try."""
        recovery = Recovery(self.store, self.lane.devices, READER, ejects=self.ejects)
        workshop = Workshop(self.store, self.spool, self.artist, self.spool.folder.parent / "rendered", lambda _path: PANELS,
                            lambda _record: FILES, set())  # fmt: skip
        rescue = Rescue(self.store, recovery, self.lane.devices, workshop, 1, self.unknown_uid, self.rulings.append)
        passage = await self.store.read(journal.unknown_in, "1")
        assert passage is not None
        return await rescue.attempt(passage, None, Hooks(lambda _s, _n: None, lambda _s, _t: None, _never))

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


async def test_a_record_that_was_lost_meanwhile_cannot_be_finished(bench: Bench) -> None:
    await bench.stop(Phase.WRITING)
    bench.spool.path((await bench.store.read(queue.find, 1)).payload).unlink()
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert (result.verdict, len(bench.lane.rejected), bench.lane.output) == (Verdict.SPOILED, 1, [])


async def test_a_card_that_is_interrupted_again_and_again_is_not_kept_for_ever(bench: Bench) -> None:
    await bench.stop(Phase.CHECKED, printed=5)

    def lost() -> None:
        raise DeviceAbsent("printer_lost", "cable")

    bench.lane.before["deliver"] = lost
    for _ in range(3):
        await bench.attempt()
    result = await bench.attempt()
    assert isinstance(result, Result)
    assert ([ruling.row for ruling in bench.rulings][-1], result.verdict) == ("too often", Verdict.SPOILED)


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


async def test_the_journal_tells_what_was_found_and_decided(bench: Bench) -> None:
    await bench.stop(Phase.PRINTING, printed=5)
    await bench.attempt()
    row = next(row for row in await bench.store.read(journal.stages, 1) if row["name"] == "verdict")
    assert row["evidence"] == {"row": "face whole", "answer": "continue", "condition": "", "resume": "check"}
    assert (row["intent"]["witness"]["panels_printed"], row["intent"]["chip"]["uid"]) == (505, UID)
