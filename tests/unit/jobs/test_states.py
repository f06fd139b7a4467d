"""The job table: every row moves as written, every other pair is refused."""

from __future__ import annotations

import itertools

import pytest

from controller.jobs.states import TRANSITIONS, JobEvent, WrongState, after, diagram, event_of
from controller.model import JobState, Verdict


@pytest.mark.parametrize(("pair", "target"), list(TRANSITIONS.items()))
def test_every_row_of_the_table_holds(pair: tuple[JobState, JobEvent], target: JobState) -> None:
    assert after(*pair) is target


@pytest.mark.parametrize("pair", [pair for pair in itertools.product(JobState, JobEvent) if pair not in TRANSITIONS])
def test_every_other_pair_is_refused_by_name(pair: tuple[JobState, JobEvent]) -> None:
    with pytest.raises(WrongState, match=f"{pair[0]} cannot take the event {pair[1]}"):
        after(*pair)


@pytest.mark.parametrize("state", [JobState.ISSUED, JobState.CANCELLED, JobState.HANDED_OVER])
def test_an_issued_or_cancelled_job_is_never_fed_again(state: JobState) -> None:
    assert (state, JobEvent.FEED) not in TRANSITIONS


@pytest.mark.parametrize(
    ("verdict", "remakes", "event"),
    [
        (Verdict.GOOD, 0, JobEvent.GOOD),
        (Verdict.STILL_BLANK, 5, JobEvent.BACK),
        (Verdict.SPOILED, 0, JobEvent.BACK),  # one remake is allowed
        (Verdict.SPOILED, 1, JobEvent.GIVE_UP),  # and was used
    ],
)
def test_a_verdict_means_one_event(verdict: Verdict, remakes: int, event: JobEvent) -> None:
    assert event_of(verdict, remakes, max_remakes=1) is event


def test_the_diagram_shows_every_row() -> None:
    assert diagram().count("-->") == len(TRANSITIONS) + 1
