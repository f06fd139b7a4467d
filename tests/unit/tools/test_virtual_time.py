"""The loop of the soak: time leaps where nothing is to be done, and stands still while something is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.fakes.virtual_time import StuckError, TurnConnection, VirtualClock, VirtualLoop

T = TypeVar("T")


def run(clock: VirtualClock, work: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop(clock)
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def test_a_day_passes_at_once(clock: VirtualClock) -> None:
    began_s = clock.now_s
    run(clock, asyncio.sleep(86_400))
    assert clock.now_s - began_s == pytest.approx(86_400)


def test_timers_come_in_their_order_whatever_order_they_were_set_in(clock: VirtualClock) -> None:
    seen: list[float] = []

    async def late(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(seconds)

    async def work() -> None:
        await asyncio.gather(*(late(seconds) for seconds in (30.0, 0.5, 7.0)))

    run(clock, work())
    assert seen == [0.5, 7.0, 30.0]


def test_no_time_passes_while_a_store_call_is_outstanding(clock: VirtualClock) -> None:
    async def work() -> float:
        connection = TurnConnection(":memory:")
        await connection
        asyncio.get_running_loop().call_later(60.0, lambda: None)  # what the clock could leap to
        began_s = clock.now_s
        for _ in range(20):
            await connection._execute(lambda: connection._conn.execute("SELECT 1").fetchone())
        await asyncio.to_thread(sum, (1, 2))
        await connection.close()
        return clock.now_s - began_s

    assert run(clock, work()) == 0.0


def test_store_calls_keep_their_order_and_come_later_than_they_were_asked_for(clock: VirtualClock) -> None:
    seen: list[str] = []

    async def work() -> None:
        connection = TurnConnection(":memory:")
        await connection
        first = asyncio.ensure_future(connection._execute(seen.append, "first"))
        second = asyncio.ensure_future(connection._execute(seen.append, "second"))
        await asyncio.sleep(0)
        assert seen == []
        await asyncio.gather(second, first)
        await connection.close()

    run(clock, work())
    assert seen == ["first", "second"]


def test_a_call_that_fails_fails_for_its_caller(clock: VirtualClock) -> None:
    async def work() -> None:
        await asyncio.get_running_loop().run_in_executor(None, int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        run(clock, work())


def test_a_program_that_waits_for_nothing_is_stuck_and_says_so(clock: VirtualClock) -> None:
    with pytest.raises(StuckError, match="nothing is left that could happen"):
        run(clock, asyncio.Event().wait())
