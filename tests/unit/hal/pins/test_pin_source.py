"""A pin source that dies, freezes, lies or is not there; over hw-sim's pigpiod."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from controller.clock import monotonic_s
from controller.hal.pins.gpio_link import WAITING_EDGES_MAX
from controller.hal.pins.pin_source import PinEdge, PinSource, _Handover
from tests.fakes.pin_rig import LIMIT_S, PinRig, Watch, pin_rig, running

NOTICED_S = 3.0  # the promise
BLOCKED_S = 0.25  # a loop that waits for the pins is late by 1.5 s; a busy machine by less than this
BEAM, LAMP = 5, 22


class Listener:
    """Notes what the source tells."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.snapshots: list[dict[int, bool]] = []
        self.edges: list[PinEdge] = []
        self.losses = 0

    def pins_read(self, levels: Mapping[int, bool]) -> None:
        self.snapshots.append(dict(levels))
        self.watch.changed()

    def pin_changed(self, edge: PinEdge) -> None:
        self.edges.append(edge)
        self.watch.changed()

    def pins_lost(self) -> None:
        self.losses += 1
        self.watch.changed()

    async def until_lost(self) -> None:
        await self.watch.until(lambda: self.losses > 0, NOTICED_S)

    async def until_snapshots(self, count: int) -> None:
        await self.watch.until(lambda: len(self.snapshots) == count)


def listened(address: str) -> tuple[PinSource, Listener]:
    source, listener = PinSource(address), Listener()
    source.attach(listener, {BEAM: None}, (LAMP,))
    return source, listener


@pytest.fixture
async def rig() -> AsyncIterator[PinRig]:
    async with pin_rig() as made:
        yield made


async def killed(rig: PinRig) -> None:
    await rig.kill()


async def frozen(rig: PinRig) -> None:
    rig.server.freeze()


async def recovered(rig: PinRig) -> None:
    rig.server.thaw()
    await rig.kill()
    await rig.revive()


Harm = Callable[[PinRig], Awaitable[None]]
both_harms = pytest.mark.parametrize("harm", [killed, frozen])


@both_harms
async def test_a_dead_or_frozen_source_is_noticed_in_three_seconds(rig: PinRig, harm: Harm) -> None:
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        await harm(rig)
        await listener.until_lost()
        assert source.fault is not None
        assert source.fault.condition == "pins_dead"
        assert rig.address in source.fault.detail


@both_harms
async def test_the_notify_thread_of_a_lost_source_ends(rig: PinRig, harm: Harm) -> None:
    before = set(threading.enumerate())
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        of_the_source = set(threading.enumerate()) - before
        assert len(of_the_source) == 2, "its own thread and the notify thread"
        await harm(rig)
        await listener.until_lost()
        assert still_alive(of_the_source) == []


@both_harms
async def test_a_lost_source_is_rebuilt_and_reads_its_levels_again(rig: PinRig, harm: Harm) -> None:
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        await harm(rig)
        await listener.until_lost()
        rig.bank.drive(BEAM, 0)
        await recovered(rig)
        await listener.until_snapshots(2)
        assert source.trusted
        assert listener.snapshots == [{BEAM: False}, {BEAM: True}]


@both_harms
async def test_no_thread_is_left_when_a_lost_source_stops(rig: PinRig, harm: Harm) -> None:
    before = set(threading.enumerate())
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        await harm(rig)
        await listener.until_lost()
    assert still_alive(set(threading.enumerate()) - before) == []


@both_harms
async def test_the_loop_is_never_blocked_by_a_lost_source(rig: PinRig, harm: Harm) -> None:
    source, listener = listened(rig.address)
    async with running(source), lateness() as late_s:
        await listener.until_snapshots(1)
        await harm(rig)
        await listener.until_lost()
        await recovered(rig)
        await listener.until_snapshots(2)
    assert max(late_s) < BLOCKED_S


async def test_stopping_gives_the_pins_back_and_leaves_no_thread(rig: PinRig) -> None:
    before = set(threading.enumerate())
    source, listener = listened(rig.address)
    source.write({LAMP: True})
    async with running(source):
        await listener.until_snapshots(1)
        assert rig.bank.mode(LAMP) == 1
    assert rig.bank.mode(LAMP) == 0
    assert set(threading.enumerate()) == before
    assert not source.trusted


async def test_stopping_a_source_that_just_froze_leaves_no_thread(rig: PinRig) -> None:
    before = set(threading.enumerate())
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        rig.server.freeze()
    assert still_alive(set(threading.enumerate()) - before) == []


async def test_edges_carry_the_time_they_were_reported(rig: PinRig) -> None:
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        before_s = monotonic_s()
        rig.bank.drive(BEAM, 0)
        await listener.watch.until(lambda: len(listener.edges) == 1)
        assert (listener.edges[0].pin, listener.edges[0].active) == (BEAM, True)
        assert before_s <= listener.edges[0].at_s <= monotonic_s()


async def test_a_level_that_changed_without_an_edge_makes_the_source_untrusted(rig: PinRig) -> None:
    source, listener = listened(rig.address)
    async with running(source):
        await listener.until_snapshots(1)
        await silence(rig)
        rig.bank.drive(BEAM, 0)
        await listener.watch.until(lambda: listener.losses == 1)
        assert "pins [5] changed and no edge was reported" in str(source.fault)


async def test_outputs_written_before_the_source_works_are_not_lost(rig: PinRig) -> None:
    await rig.kill()
    source, listener = listened(rig.address)
    source.write({LAMP: True})
    async with running(source):
        await rig.revive()
        await listener.until_snapshots(1)
        assert rig.bank.level(LAMP) == 1


async def test_a_source_without_a_server_names_its_address_and_comes_up_later(rig: PinRig) -> None:
    await rig.kill()
    source, listener = listened(rig.address)
    async with running(source):
        await asyncio.sleep(0)  # run has begun
        await rig.revive()
        await listener.until_snapshots(1)
    assert listener.losses == 1, "only the stop"


@pytest.mark.parametrize("answer", [b"", b"\0" * 15, b"\xff" * 16], ids=["hangs up", "too short", "nonsense"])
async def test_a_server_that_talks_rubbish_is_not_trusted(answer: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with rubbish_server(answer) as (address, asked):
        source, listener = listened(address)
        async with running(source):
            await asked.until(lambda: f"pins_dead: {address}: ConnectionAbortedError: this is no pigpiod" in caplog.text)
            assert listener.snapshots == []


async def test_a_source_that_never_worked_was_never_lost(rig: PinRig) -> None:
    source, listener = listened("pigpiod://127.0.0.1:1")
    async with running(source):
        await asyncio.sleep(0)
    assert listener.losses == 0
    assert "stopped" in str(source.fault)


def test_a_second_user_of_a_source_is_a_bug() -> None:
    source, _ = listened("lgpio")
    with pytest.raises(RuntimeError, match="one user"):
        source.attach(Listener(), {6: None})


async def test_no_more_edges_may_wait_than_the_cap_says() -> None:
    taken: list[PinEdge] = []
    handover = _Handover(asyncio.get_running_loop(), taken.append)
    assert all(handover.report(BEAM, True) for _ in range(WAITING_EDGES_MAX))
    assert not handover.report(BEAM, True)
    await asyncio.sleep(0)
    assert len(taken) == WAITING_EDGES_MAX
    assert handover.report(BEAM, False)


def test_an_edge_after_the_loop_was_closed_does_no_harm() -> None:
    loop = asyncio.new_event_loop()
    handover = _Handover(loop, lambda _: None)
    loop.close()
    assert handover.report(BEAM, True)


async def test_edges_of_a_board_that_was_given_up_are_dropped() -> None:
    taken: list[PinEdge] = []
    handover = _Handover(asyncio.get_running_loop(), taken.append)
    handover.report(BEAM, True)
    handover.stop()
    await asyncio.sleep(0)
    assert taken == []


async def silence(rig: PinRig) -> None:
    """Another client pauses our notifications (NP of handle 0): edges are lost, everything else answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    writer.write(struct.pack("4I", 20, 0, 0, 0))
    await reader.readexactly(16)
    writer.close()
    await writer.wait_closed()


def still_alive(threads: set[threading.Thread]) -> list[threading.Thread]:
    for thread in threads:
        thread.join(LIMIT_S)
    return [thread for thread in threads if thread.is_alive()]


@contextlib.asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """How late the loop woke, every 5 ms."""
    late_s = [0.0]

    async def tick() -> None:
        while True:
            due_s = monotonic_s() + 0.005
            await asyncio.sleep(0.005)
            late_s.append(monotonic_s() - due_s)

    task = asyncio.create_task(tick())
    try:
        yield late_s
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def rubbish_server(answer: bytes) -> AsyncIterator[tuple[str, Watch]]:
    """Answers every question with the same bytes; none: it hangs up."""
    asked = Watch()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answer and await reader.read(16):
            writer.write(answer)
            asked.changed()
        writer.close()
        asked.changed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        yield f"pigpiod://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
