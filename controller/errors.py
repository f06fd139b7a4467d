"""Every error of the station.

    StationError
    ├── ConfigError        the configuration has mistakes: all of them, each with its place
    ├── RecordRefused      a record may not be printed: all reasons, each with its place and the next step
    ├── RequestRefused     what was asked is not possible now; nothing changed
    ├── StoreError         the disk or the database cannot be trusted: no new work may be taken
    │   ├── PayloadLost        one stored record is missing or changed
    │   ├── StoreFull          no room: nothing was stored
    │   └── StoreBroken        damaged, lost, foreign or unwritable: the station stops until a person has acted
    ├── RenderError        the record's face cannot be drawn; no blank was fed
    │   └── RendererFailed     the drawing machinery failed: says nothing of the record
    ├── CardWrong          the card in the path is not as it must be: it goes to the reject bin
    └── DeviceError        a device did not do what it was asked. The class says what may be concluded:
        ├── DeviceAbsent       never sent: the device is not there; nothing happened
        ├── DeviceRefused      the device answered with an error word and still talks
        └── DeviceUnknown      maybe done: the link broke, the deadline passed, or the answer made no sense

The class tells the caller what may be done next; the fields carry the facts. Texts for staff live in `conditions`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in something a person gave us: where, what is wrong, what to do (Indonesian and English)."""

    code: str  # stable, for programs: "nik.birth_date"
    place: str  # e.g. "person.nik" or "lanes[0].pins.feed_beam"; "" for the whole
    id: str
    en: str

    def __str__(self) -> str:
        return f"{self.place}: {self.en}" if self.place else self.en


class StationError(Exception):
    """Base of every error the station raises on purpose."""


class _Problems(StationError):
    """Several mistakes found in one go."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class ConfigError(_Problems):
    """The configuration cannot be used; `problems` lists every mistake."""


class RecordRefused(_Problems):
    """The record may not become a job; `problems` lists every reason."""


class RequestRefused(StationError):
    """The request cannot be met now and changed nothing."""

    def __init__(self, problem: Problem, *, found: bool = True) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.found = found  # False: the thing asked about does not exist


class StoreError(StationError):
    """The disk or the database failed or is not ours; take no work. `problem`: the same for staff, where they may read it."""

    def __init__(self, said: str | Problem) -> None:
        super().__init__(said.en if isinstance(said, Problem) else said)
        self.problem = said if isinstance(said, Problem) else None


class StoreFull(StoreError):
    """No room on the disk; nothing was stored."""


class StoreBroken(StoreError):
    """The state is damaged, lost, not ours or cannot be written; to try again could lose more. `problem`: file and command."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


class PayloadLost(StoreError):
    """One stored record is missing from the spool or was changed there; the others may be fine."""


class RenderError(StationError):
    """The face of a record cannot be drawn; carries the reason for the job's hold."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class RendererFailed(RenderError):
    """The drawing machinery failed (child, fonts, layout, profile, disk): try again later, the record may be fine."""


class CardWrong(StationError):
    """The card in the path is not as it must be (dead, foreign or wrong chip; print not proven): to the reject bin with it."""

    def __init__(self, condition: str, detail: str) -> None:
        super().__init__(f"{condition}: {detail}")
        self.condition = condition
        self.detail = detail


class DeviceError(StationError):
    """A device did not do what it was asked."""

    def __init__(self, condition: str, detail: str) -> None:
        super().__init__(f"{condition}: {detail}")
        self.condition = condition  # a key of conditions.CONDITIONS
        self.detail = detail  # raw words of the device or the library, for the technician


class DeviceAbsent(DeviceError):
    """The device is not there or not reachable: nothing was sent, nothing happened."""


class DeviceRefused(DeviceError):
    """The device answered with an error word; it still talks and can be asked where the card is."""


class DeviceUnknown(DeviceError):
    """Something may have been done: link lost, deadline passed, or an answer that makes no sense."""
