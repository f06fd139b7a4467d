"""The measured run of the journal: what a card costs in commits holds on any machine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.journal_run import CARDS, END, run

MOST_COMMITS = 16  # of a card, by the issue


async def test_a_card_costs_few_commits_and_is_told_between_marks(tmp_path: Path) -> None:
    marks: list[str] = []
    measured = await run(tmp_path / "state", 2, marks.append)
    assert marks == [CARDS, END]
    assert 2 * 5 < measured["commits"] <= 2 * MOST_COMMITS
    assert len(measured["card_ms"]) == 2


async def test_a_card_leaves_events_in_the_log(tmp_path: Path) -> None:
    measured = await run(tmp_path / "state", 1, lambda _mark: None)
    assert measured["after"]["events"] > measured["before"]["events"] > 0
    assert measured["after"]["log"] > measured["before"]["log"]
