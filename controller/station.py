"""The station now: one immutable snapshot, replaced at every change; the single truth for everything that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from controller.model import (
    Balance,
    JobState,
    LaneProfile,
    LaneStatus,
    LogHead,
    OpenQuestion,
    RollYield,
    StationSnapshot,
    Verdict,
)

Counts = tuple[
    Mapping[JobState, int],
    Mapping[Verdict, int],
    Mapping[str, Balance],
    Mapping[str, int],
    Mapping[str, int],
    Mapping[str, RollYield],
]
_NONE: Mapping[str, RollYield] = MappingProxyType({})
Listener = Callable[[StationSnapshot], None]


class Station:
    """Holds the snapshot and tells listeners of every change, on the event loop."""

    def __init__(self, name: str, lanes: list[str]) -> None:
        self._snapshot = StationSnapshot(
            name=name,
            lanes=tuple(LaneStatus(lane) for lane in lanes),
            jobs=dict.fromkeys(JobState, 0),
            outcomes=dict.fromkeys(Verdict, 0),
            blanks={lane: Balance() for lane in lanes},
        )
        self._listeners: list[Listener] = []

    @property
    def snapshot(self) -> StationSnapshot:
        """The station now."""
        return self._snapshot

    def set_profiles(self, profiles: Mapping[str, LaneProfile]) -> None:
        """What the lanes' printer profiles say of themselves."""
        self._change(replace(self._snapshot, profiles=dict(profiles)))

    def listen(self, listener: Listener) -> None:
        """Call `listener` now and at every change."""
        self._listeners.append(listener)
        listener(self._snapshot)

    def lane_changed(self, status: LaneStatus) -> None:
        """A lane reports."""
        lanes = tuple(status if lane.name == status.name else lane for lane in self._snapshot.lanes)
        self._change(replace(self._snapshot, lanes=lanes))

    def counted(self, jobs: Mapping[JobState, int], outcomes: Mapping[Verdict, int], blanks: Mapping[str, Balance],
                stock: Mapping[str, int], incidents: Mapping[str, int],
                ribbons: Mapping[str, RollYield] = _NONE) -> None:  # fmt: skip
        """The database was counted."""
        now = replace(self._snapshot, jobs=dict(jobs), outcomes=dict(outcomes), blanks=dict(blanks))
        self._change(replace(now, stock=dict(stock), incidents=dict(incidents), ribbons=dict(ribbons)))

    def asked(self, questions: Sequence[OpenQuestion]) -> None:
        """The open questions, oldest first."""
        self._change(replace(self._snapshot, questions=tuple(questions)))

    def log_moved(self, head: LogHead | None) -> None:
        """The event log's newest row."""
        self._change(replace(self._snapshot, log=head))

    def desk_reader_says(self, *, up: bool, notice: str = "") -> None:
        """Whether the desk reader answers, and what to do with the card on it (key of NOTICES)."""
        self._change(replace(self._snapshot, desk_reader_up=up, notice=notice))

    def set_held(self, *, held: bool) -> None:
        """HOLD or GO was pressed."""
        self._change(replace(self._snapshot, held=held))

    def set_stopping(self) -> None:
        """The station finishes the cards in hand and stops."""
        self._change(replace(self._snapshot, stopping=True))

    def desk_changed(self, *, panel_up: bool, display_up: bool) -> None:
        """The front panel's pins or the display came or went."""
        self._change(replace(self._snapshot, panel_up=panel_up, display_up=display_up))

    def _change(self, snapshot: StationSnapshot) -> None:
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            for listener in self._listeners:
                listener(snapshot)
