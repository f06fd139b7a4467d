"""Whatever goes wrong at a lane that is fed by hand: no second good card, no lost job, and a ledger that agrees with the world.

Random troubles of the printer, torn chips and mistakes of the person, at random passages of one job until it is over; a person
answers what is asked by what can be seen. Then belief is compared with truth.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from tests.crash import every_point
from tests.crash.station import Station, Strikes
from tests.fakes.by_hand import HandLane
from tests.fakes.chip import Faults
from tests.fakes.lane import Card

BEFORE: tuple[DeviceError, ...] = (
    DeviceRefused("card_not_fed", "11:01"),
    DeviceRefused("printer_error", "12:07"),
    DeviceUnknown("printer_late", "x"),
    DeviceAbsent("printer_lost", "x"),  # only before the act: it means that nothing was sent
)
AFTER = BEFORE[:-1]  # the first of them is a lie then


@pytest.fixture(autouse=True, scope="module")
def hurry() -> Iterator[None]:
    """Let nothing wait, and put the constants back afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in every_point.QUICKENED:
            patch.setattr(module, name, getattr(module, name))
        every_point.quicken()
        yield


@dataclass(frozen=True)
class Mishap:
    """What goes wrong with one print."""

    moment: str  # before or after
    error: DeviceError


mishaps = st.one_of(
    st.none(),
    st.sampled_from(BEFORE).map(lambda error: Mishap("before", error)),
    st.sampled_from(AFTER).map(lambda error: Mishap("after", error)),
)
chips = st.one_of(st.none(), st.integers(0, 200))  # None: a sound chip; n: power lost after n bytes written


def _arm(lane: HandLane, prints: list[Mishap | None]) -> None:
    """Each print meets the next mishap; then all go well."""
    left = list(prints)

    def strike(moment: str) -> Callable[[], None]:
        def trouble() -> None:
            now = left[0] if left else None
            if moment == "after" or (now is not None and now.moment == "before"):
                left[:1] = []
            if now is not None and now.moment == moment:
                raise now.error

        return trouble

    lane.before["print_by_hand"], lane.after["print_by_hand"] = strike("before"), strike("after")


@settings(max_examples=60, deadline=None)
@given(
    prints=st.lists(mishaps, max_size=3),
    torn=st.lists(chips, max_size=3),
    mistaken=st.booleans(),
    ejects=st.booleans(),
    unfed=st.integers(0, 3),
)
def test_belief_never_contradicts_the_world(
    prints: list[Mishap | None], torn: list[int | None], mistaken: bool, ejects: bool, unfed: int
) -> None:
    lane = HandLane(ejects=ejects, opened=False, mistaken=mistaken, unfed=unfed)
    _arm(lane, prints)
    load = lane.load

    def load_flawed(count: int) -> list[Card]:
        cards = load(count)
        for card, after_bytes in zip(cards, torn, strict=False):
            card.chip.faults = Faults(tears_after_bytes=after_bytes)
        return cards

    lane.load = load_flawed  # type: ignore[method-assign]  # the blanks come with their flaws
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        station = Station(Path(folder), "external", lane, Strikes())
        asyncio.run(station.live())
    questions = [line for line in station.broken if "questions after" in line]  # these are no interruptions of ours
    assert [line for line in station.broken if line not in questions] == []
