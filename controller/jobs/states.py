"""The states of a job, as a table: (state, event) -> state. A pair that is not here is refused, naming both.

The diagram in docs/architecture.md is drawn from this table.
"""

from __future__ import annotations

from enum import StrEnum

from controller.errors import StationError
from controller.model import JobState, Verdict


class JobEvent(StrEnum):
    """What can happen to a job."""

    FEED = "feed"  # a passage begins
    GOOD = "good"  # its passage ended with a good card
    BACK = "back"  # its passage ended still blank, or a remake is allowed
    GIVE_UP = "give_up"  # its passage spoiled a blank and no remake is left
    HOLD = "hold"  # it cannot be printed as it is, or may have been issued before a restore
    CANCEL = "cancel"  # a person took it back
    RETRY = "retry"  # a person removed the cause
    RESUBMIT = "resubmit"  # a cancelled record was handed in again


S, E = JobState, JobEvent

TRANSITIONS: dict[tuple[JobState, JobEvent], JobState] = {
    (S.READY, E.FEED): S.ACTIVE,
    (S.READY, E.HOLD): S.HELD,
    (S.READY, E.CANCEL): S.CANCELLED,
    (S.HELD, E.CANCEL): S.CANCELLED,
    (S.FAILED, E.CANCEL): S.CANCELLED,
    (S.HELD, E.RETRY): S.READY,
    (S.FAILED, E.RETRY): S.READY,
    (S.CANCELLED, E.RESUBMIT): S.READY,
    (S.ACTIVE, E.GOOD): S.ISSUED,
    (S.ACTIVE, E.BACK): S.READY,
    (S.ACTIVE, E.GIVE_UP): S.FAILED,
    (S.ACTIVE, E.HOLD): S.HELD,
    (S.HELD, E.HOLD): S.HELD,
    (S.FAILED, E.HOLD): S.HELD,
}


class WrongState(StationError):
    """The event does not fit the job's state; nothing changed."""


def after(state: JobState, event: JobEvent) -> JobState:
    """The state that follows. Raises WrongState."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise WrongState(f"a job that is {state} cannot take the event {event}") from None


def event_of(verdict: Verdict, remakes: int, max_remakes: int) -> JobEvent:
    """What a passage's verdict means for its job: a spoiled blank is made again automatically at most `max_remakes` times."""
    if verdict is Verdict.GOOD:
        return JobEvent.GOOD
    if verdict is Verdict.STILL_BLANK or remakes < max_remakes:
        return JobEvent.BACK
    return JobEvent.GIVE_UP


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = [f"    {source} --> {target}: {event}" for (source, event), target in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> ready", *lines])
