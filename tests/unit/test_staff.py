"""Buttons: HOLD and GO, and the answers to the question on the display."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from controller import staff
from controller.jobs import journal, questions
from controller.jobs.evidence import Ask, ChipEvidence, Phase
from controller.jobs.lane_worker import LaneWorker
from controller.jobs.store import Store
from controller.model import Button, OpenQuestion, Verdict
from controller.staff import Staff
from controller.station import Station
from tests.fakes.full_disk import fill_disk, free_disk
from tests.fakes.interrupted import UID, ask_about, gone, whole
from tests.fakes.stock import fill

LIMIT_S = 10.0


class Worker:
    """Counts what staff say to it."""

    def __init__(self) -> None:
        self.woken = self.forgiven = 0

    def wake(self) -> None:
        """HOLD."""
        self.woken += 1

    def forgive(self) -> None:
        """GO."""
        self.forgiven += 1


@dataclass
class Bench:
    """The front panel's person and what came of it."""

    store: Store
    station: Station = field(default_factory=lambda: Station("Contoh", ["1"]))
    worker: Worker = field(default_factory=Worker)
    changes: int = 0

    def __post_init__(self) -> None:
        workers = cast("Sequence[LaneWorker]", [self.worker])
        self.station.desk_changed(panel_up=True, display_up=True)
        self.staff = Staff(self.station, self.store, workers, 1, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def show(self) -> None:
        """What is open is on the display."""
        asked = await self.store.read(questions.open_all)
        self.station.asked([OpenQuestion(q.id, q.passage.lane, q.kind, q.passage.job_id, q.passage.id) for q in asked])

    async def press(self, *buttons: Button) -> None:
        """One after the other, each handled before this returns."""
        for button in buttons:
            self.staff.pressed(button)
        async with asyncio.timeout(LIMIT_S):
            while not self.staff._presses.empty():
                await asyncio.sleep(0.001)
        await self.store.transact(lambda _db: None)  # behind whatever the last press wrote
        await asyncio.sleep(0)

    async def verdict(self) -> Verdict | None:
        """Of the only passage."""
        return (await self.store.read(journal.find, 1)).verdict


@pytest.fixture
async def bench(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(staff, "READ_S", 0.0)  # a constant, not behaviour
    await store.transact(fill, "1", 5)
    bench = Bench(store)
    async with _handling(bench):
        yield bench


@asynccontextmanager
async def _handling(bench: Bench) -> AsyncIterator[None]:
    task = asyncio.create_task(bench.staff.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_without_a_question_the_buttons_hold_and_let_go(bench: Bench) -> None:
    await bench.press(Button.HOLD)
    assert (bench.station.snapshot.held, await bench.store.read(journal.held_flag), bench.worker.woken) == (True, True, 1)
    await bench.press(Button.GO)
    assert (bench.station.snapshot.held, await bench.store.read(journal.held_flag), bench.worker.forgiven) == (False, False, 1)


@pytest.mark.parametrize(
    ("kind", "button", "verdict"),
    [
        (Ask.TRAY, Button.GO, Verdict.STILL_BLANK),
        (Ask.TRAY, Button.HOLD, Verdict.SPOILED),
        (Ask.DESK, Button.HOLD, Verdict.SPOILED),
        (Ask.LOOK, Button.GO, Verdict.GOOD),
        (Ask.LOOK, Button.HOLD, Verdict.SPOILED),
    ],
)
async def test_a_button_answers_the_question_on_the_display(
    bench: Bench, kind: Ask, button: Button, verdict: Verdict | None
) -> None:
    phase, evidence = (Phase.FEEDING, gone(0, ejects=True)) if kind is Ask.TRAY else (Phase.PRINTING, gone(panels=4))
    await bench.store.transact(ask_about, phase, UID, evidence)
    if kind is Ask.LOOK:
        await bench.store.transact(questions.sight, 1, whole(), 1)
    await bench.show()
    await bench.press(button)
    assert (await bench.verdict(), bench.changes) == (verdict, 1)
    assert (bench.station.snapshot.held, bench.worker.woken, bench.worker.forgiven) == (False, 0, 0)  # an answer, nothing else


async def test_go_is_no_answer_to_a_card_that_is_asked_for_and_lets_the_station_go_on(bench: Bench) -> None:
    await bench.press(Button.HOLD)
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    await bench.press(Button.GO)
    assert (await bench.verdict(), bench.changes, bench.worker.forgiven) == (None, 0, 1)
    assert (bench.station.snapshot.held, await bench.store.read(journal.held_flag)) == (False, False)


async def test_a_press_means_what_was_shown_when_it_was_pressed(bench: Bench) -> None:
    """Handled only when the display already asks something else: it answers neither, and does not hold the station."""
    await bench.store.transact(fill, "2", 5)
    first = await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.store.transact(ask_about, Phase.PRINTING, "0400000000BBBB", None, "2")
    await bench.show()
    bench.staff.pressed(Button.HOLD)
    bench.station.asked(bench.station.snapshot.questions[1:])
    await bench.press()
    assert (first.id, len(await bench.store.read(questions.open_all)), bench.station.snapshot.held) == (1, 2, False)


async def test_a_press_made_before_a_question_came_up_holds_the_station(bench: Bench) -> None:
    await bench.store.transact(ask_about, Phase.PRINTING)
    bench.staff.pressed(Button.HOLD)
    bench.station.asked([OpenQuestion(1, "1", "desk", 1, 1)])
    await bench.press()
    assert (await bench.verdict(), bench.station.snapshot.held) == (None, True)


@pytest.mark.parametrize(("notice", "display_up"), [("desk_good", True), ("", False)])
async def test_a_question_that_nobody_can_see_is_not_answered(bench: Bench, notice: str, display_up: bool) -> None:
    """Hidden by a notice, or on a display that is dark: then the buttons are HOLD and GO."""
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    bench.station.desk_reader_says(up=True, notice=notice)
    bench.station.desk_changed(panel_up=True, display_up=display_up)
    await bench.press(Button.HOLD)
    assert (await bench.verdict(), bench.station.snapshot.held) == (None, True)


async def test_a_question_that_comes_back_from_behind_a_notice_is_read_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    bench.station.desk_reader_says(up=True, notice="desk_other")
    monkeypatch.setattr(staff, "READ_S", 60.0)
    bench.station.desk_reader_says(up=True)
    await bench.press(Button.HOLD)
    assert (await bench.verdict(), bench.station.snapshot.held) == (None, False)


async def test_two_presses_for_one_question_answer_it_once_and_do_nothing_else(bench: Bench) -> None:
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    await bench.press(Button.HOLD, Button.HOLD)
    assert (await bench.verdict(), bench.changes, bench.station.snapshot.held) == (Verdict.SPOILED, 1, False)


async def test_the_log_says_who_held_the_station(bench: Bench) -> None:
    await bench.press(Button.HOLD)
    await bench.staff.hold_or_go("ani", held=False)
    assert (bench.station.snapshot.held, bench.worker.forgiven) == (False, 1)
    rows = await bench.store.read(lambda db: [json.loads(row[0]) for row in db.execute("SELECT body FROM event ORDER BY seq")])
    assert [(row["kind"], row["facts"]["who"]) for row in rows[-2:]] == [("hold", "front panel"), ("go", "ani")]


async def test_a_full_disk_holds_all_the_same_and_takes_no_answer_yet(bench: Bench) -> None:
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.store.read(fill_disk)
    await bench.press(Button.HOLD)
    assert (bench.station.snapshot.held, await bench.store.read(journal.held_flag)) == (True, False)
    await bench.show()
    await bench.press(Button.HOLD)
    assert (await bench.verdict(), bench.changes) == (None, 0)
    await bench.store.read(free_disk)
    await bench.press(Button.HOLD)
    assert (await bench.verdict(), bench.changes) == (Verdict.SPOILED, 1)


async def test_a_press_that_was_not_meant_for_the_question_is_no_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staff, "READ_S", 60.0)
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    await bench.press(Button.HOLD, Button.GO)
    assert (await bench.verdict(), bench.station.snapshot.held) == (None, False)


async def test_a_question_that_changes_its_kind_is_read_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOLD, pressed for the card that cannot be read, must not call a good chip spoiled that was read in the same moment."""
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    await bench.store.transact(questions.sight, 1, whole(), 1)
    monkeypatch.setattr(staff, "READ_S", 60.0)
    await bench.show()
    await bench.press(Button.HOLD)
    assert await bench.verdict() is None


async def test_an_answer_to_a_question_settled_meanwhile_changes_nothing(bench: Bench) -> None:
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.show()
    await bench.store.transact(questions.sight, 1, ChipEvidence(UID), 1)
    await bench.press(Button.HOLD)
    assert (await bench.verdict(), bench.changes) == (Verdict.SPOILED, 0)


async def test_the_oldest_question_is_answered_first(bench: Bench) -> None:
    await bench.store.transact(fill, "2", 5)
    await bench.store.transact(ask_about, Phase.PRINTING)
    await bench.store.transact(ask_about, Phase.PRINTING, "0400000000BBBB", None, "2")
    await bench.show()
    await bench.press(Button.HOLD)
    assert [question.id for question in await bench.store.read(questions.open_all)] == [2]


async def test_of_too_many_presses_the_last_ones_count(bench: Bench) -> None:
    for _ in range(staff.MAX_PRESSES):
        bench.staff.pressed(Button.HOLD)
    await bench.press(Button.GO)
    assert bench.station.snapshot.held is False
