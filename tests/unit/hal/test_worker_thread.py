"""The owner thread of a blocking handle: order, exclusivity, cancellation, a stuck call, the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from controller.hal.worker_thread import WorkerThread


@pytest.fixture
async def worker() -> AsyncIterator[WorkerThread]:
    worker = WorkerThread("test-worker")
    yield worker
    await worker.close()


def alive(name: str = "test-worker") -> bool:
    return any(thread.name == name for thread in threading.enumerate())


async def ended(name: str) -> None:
    """Wait until no thread has this name."""
    for thread in threading.enumerate():
        if thread.name == name:
            await asyncio.to_thread(thread.join, 2)


async def started(worker: WorkerThread, gate: threading.Event) -> asyncio.Task[bool]:
    """A call that runs until the gate opens, already on the thread."""
    running = asyncio.Event()
    loop = asyncio.get_running_loop()

    def block() -> bool:
        loop.call_soon_threadsafe(running.set)
        return gate.wait(5)

    task = asyncio.create_task(worker.call(block))
    await running.wait()
    return task


async def test_every_call_runs_on_the_same_other_thread(worker: WorkerThread) -> None:
    first, second = await worker.call(threading.get_ident), await worker.call(threading.get_ident)
    assert first == second != threading.get_ident()


async def test_arguments_go_in_and_the_result_comes_out(worker: WorkerThread) -> None:
    assert await worker.call(divmod, 17, 5) == (3, 2)


async def test_what_the_function_raises_is_raised_in_the_caller(worker: WorkerThread) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await worker.call(int, "x")
    assert await worker.call(int, "7") == 7


async def test_even_an_exception_that_would_end_the_thread_does_not(worker: WorkerThread) -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await worker.call(leave)
    assert await worker.call(int, "7") == 7


async def test_a_second_caller_is_a_bug_and_raises(worker: WorkerThread) -> None:
    gate = threading.Event()
    task = await started(worker, gate)
    with pytest.raises(RuntimeError, match="test-worker: second call while another is waiting"):
        await worker.call(int, "1")
    gate.set()
    assert await task


async def test_after_a_cancelled_caller_the_next_call_waits_for_the_function_to_end(worker: WorkerThread) -> None:
    gate, order = threading.Event(), list[str]()
    task = await started(worker, gate)
    task.cancel()
    await asyncio.wait([task])
    following = asyncio.create_task(worker.call(order.append, "next"))
    await asyncio.sleep(0)
    assert order == []
    gate.set()
    await following
    assert order == ["next"]


async def test_a_function_that_had_not_begun_never_runs_for_a_caller_that_left(worker: WorkerThread) -> None:
    gate, order = threading.Event(), list[str]()
    running = await started(worker, gate)
    running.cancel()
    await asyncio.wait([running])
    waiting = asyncio.create_task(worker.call(order.append, "feed"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    gate.set()
    await worker.call(order.append, "look")
    assert order == ["look"]


async def test_abandoning_frees_the_caller_of_a_stuck_call() -> None:
    gate, worker = threading.Event(), WorkerThread("test-stuck")
    task = await started(worker, gate)
    worker.abandon()
    with pytest.raises(RuntimeError, match="test-stuck: abandoned"):
        await task
    with pytest.raises(RuntimeError, match="test-stuck: closed"):
        await worker.call(int, "1")
    gate.set()
    await ended("test-stuck")


async def test_an_abandoned_thread_ends_when_its_call_returns() -> None:
    gate, worker = threading.Event(), WorkerThread("test-ends")
    task = await started(worker, gate)
    worker.abandon()
    gate.set()
    await asyncio.wait([task])
    await ended("test-ends")
    assert not alive("test-ends")


async def test_closing_lets_the_running_call_end_then_runs_the_last_one_there() -> None:
    gate, order, worker = threading.Event(), list[str](), WorkerThread("test-worker")
    task = await started(worker, gate)
    closing = asyncio.create_task(worker.close(lambda: order.append(threading.current_thread().name)))
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert (await task, order, alive()) == (True, ["test-worker"], False)


async def test_closing_gives_a_stuck_thread_up_in_time() -> None:
    gate, worker = threading.Event(), WorkerThread("test-frozen")
    task = await started(worker, gate)
    await worker.close(wait_s=0.05)
    with pytest.raises(RuntimeError, match="abandoned"):
        await task
    gate.set()
    await ended("test-frozen")


async def test_closing_twice_and_before_the_first_call_is_fine() -> None:
    worker = WorkerThread("test-worker")
    await worker.close()
    await worker.close()
    assert (worker.usable, alive()) == (False, False)


async def test_what_the_last_call_raises_is_raised_by_close() -> None:
    worker = WorkerThread("test-worker")
    with pytest.raises(ZeroDivisionError):
        await worker.close(lambda: 1 / 0)
    assert not alive()


def test_a_loop_that_has_gone_does_not_end_the_thread() -> None:
    gate, worker = threading.Event(), WorkerThread("test-orphan")

    async def leave() -> None:
        (await started(worker, gate)).cancel()

    asyncio.run(leave())
    gate.set()

    async def return_later() -> str:
        name = await worker.call(lambda: threading.current_thread().name)
        await worker.close()
        return name

    assert asyncio.run(return_later()) == "test-orphan"
