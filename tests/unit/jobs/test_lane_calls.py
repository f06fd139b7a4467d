"""Which call cuts which wait of a lane short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from controller.jobs import lane_calls
from controller.jobs.lane_calls import LaneCalls

LONG_S = 60.0
LIMIT_S = 20.0  # generous: only a broken test waits so long


async def _is_over(wait: Awaitable[None]) -> bool:
    """Whether the wait ends without the time having passed."""
    waiting = asyncio.ensure_future(wait)
    for _ in range(5):  # turns of the loop: an end needs two
        await asyncio.sleep(0)
    over = waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    return over


@pytest.mark.parametrize(("call", "cuts_rest"), [(LaneCalls.wake, False), (LaneCalls.urge, True), (LaneCalls.stop, True)])
async def test_every_call_cuts_a_pause_short_but_only_a_person_or_the_end_a_rest(
    call: Callable[[LaneCalls], None], cuts_rest: bool
) -> None:
    calls = LaneCalls()
    call(calls)
    assert await _is_over(calls.pause(LONG_S))
    assert await _is_over(calls.rest(LONG_S)) == cuts_rest


async def test_what_was_heeded_cuts_nothing_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_calls, "POLL_S", LONG_S)  # a constant, not behaviour
    calls = LaneCalls()
    calls.wake()
    calls.heed()
    assert not await _is_over(calls.poll())


async def test_one_word_of_a_person_cuts_one_rest_short() -> None:
    calls = LaneCalls()
    calls.urge()
    assert [await _is_over(calls.rest(LONG_S)) for _ in range(2)] == [True, False]


async def test_waits_end_by_themselves() -> None:
    calls = LaneCalls()
    async with asyncio.timeout(LIMIT_S):
        await calls.pause(0.001)
        await calls.rest(0.001)
    assert not calls.stopping


async def test_a_stop_is_remembered() -> None:
    calls = LaneCalls()
    calls.stop()
    calls.heed()
    assert calls.stopping
