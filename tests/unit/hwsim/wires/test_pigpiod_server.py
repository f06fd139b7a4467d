"""pigpiod's protocol byte by byte: answers, error codes, notifications, freezing."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.wires.pigpiod import PigpiodServer, PinBank
from hwsim.wires.pigpiod_codec import Command, CommandDecoder, ProtocolError, pack_answer, pack_report

MODES, MODEG, PUD, READ, WRITE, BR1, TICK, HWVER = 0, 1, 2, 3, 4, 10, 16, 17
NB, NP, NC, PIGPV, FG, NOIB = 19, 20, 21, 26, 97, 99
BEAM, OTHER = 17, 18
PATIENCE_S = 5.0
UNREAD_AT_LEAST = 5_000  # a client may be that far behind


class Client:
    """Sends commands and reads answers or notifications, whichever come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, code: int, p1: int = 0, p2: int = 0) -> None:
        self.writer.write(struct.pack("<IIII", code, p1, p2, 0))

    async def answer(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return int(struct.unpack("<12xi", await self.reader.readexactly(16))[0])

    async def ask(self, code: int, p1: int = 0, p2: int = 0) -> int:
        self.send(code, p1, p2)
        return await self.answer()

    async def report(self) -> tuple[int, int, int]:
        """Sequence, flags, levels."""
        async with asyncio.timeout(PATIENCE_S):
            sequence, flags, _tick, levels = struct.unpack("<HHII", await self.reader.readexactly(12))
            return sequence, flags, levels

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):  # the server may have dropped it
            await self.writer.wait_closed()


@pytest.fixture
def bank() -> PinBank:
    return PinBank()


@pytest.fixture
async def server(bank: PinBank) -> AsyncIterator[PigpiodServer]:
    server = PigpiodServer("127.0.0.1", 0, bank)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: PigpiodServer) -> AsyncIterator[Client]:
    client = await Client.connect(server.port)
    yield client
    await client.close()


@pytest.fixture
async def listener(server: PigpiodServer) -> AsyncIterator[Client]:
    """A second connection that owns notification handle 0."""
    listener = await Client.connect(server.port)
    assert await listener.ask(NOIB) == 0
    yield listener
    await listener.close()


COMMANDS = [Command(WRITE, 5, 1), Command(FG, 17, 30_000), Command(38, 0, 0), Command(TICK, 0, 0)]
STREAM = b"".join(struct.pack("<IIII", c.code, c.p1, c.p2, 3 * (c.code == 38)) + b"abc" * (c.code == 38) for c in COMMANDS)


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_any_split_of_the_stream_gives_the_same_commands(cuts: list[int]) -> None:
    decoder, commands = CommandDecoder(), []
    for start, end in pairwise([0, *sorted(cuts), len(STREAM)]):
        decoder.feed(STREAM[start:end])
        while (command := decoder.next()) is not None:
            commands.append(command)
    assert commands == COMMANDS


def test_an_extension_beyond_pigpiods_room_is_refused() -> None:
    decoder = CommandDecoder()
    decoder.feed(struct.pack("<IIII", 38, 0, 0, 1 << 16))
    with pytest.raises(ProtocolError, match="command 38 has an extension of 65536 bytes"):
        decoder.next()


def test_an_answer_repeats_the_command_and_ends_with_the_result() -> None:
    assert pack_answer(Command(READ, 99, 0), -3).hex() == "0300000063000000" + "00000000" + "fdffffff"


def test_a_report_is_twelve_bytes() -> None:
    assert pack_report(0x10001, 0x11223344, 1 << 17).hex() == "0100" + "0000" + "44332211" + "00000200"


@pytest.mark.parametrize(
    ("code", "p1", "p2", "result"),
    [
        (HWVER, 0, 0, 0xA02082),
        (PIGPV, 0, 0, 79),
        (BR1, 0, 0, 0x1FF),
        (READ, 8, 0, 1),
        (READ, 9, 0, 0),
        (READ, 28, 0, -3),
        (MODEG, 4, 0, 0),
        (MODEG, 28, 0, -3),
        (MODES, 4, 1, 0),
        (MODES, 28, 1, -3),
        (MODES, 4, 8, -4),
        (PUD, 4, 2, 0),
        (PUD, 28, 2, -3),
        (PUD, 4, 3, -6),
        (WRITE, 4, 1, 0),
        (WRITE, 28, 1, -3),
        (WRITE, 4, 2, -5),
        (FG, 4, 300_000, 0),
        (FG, 28, 1, -2),
        (FG, 4, 300_001, -125),
        (NB, 0, 1, -25),
        (NP, 0, 0, -25),
        (NC, 0, 0, -25),
        (5, 4, 128, -88),
        (1234, 0, 0, -88),
    ],
)
async def test_each_command_answers_what_pigpiod_answers(client: Client, code: int, p1: int, p2: int, result: int) -> None:
    assert await client.ask(code, p1, p2) == result


async def test_a_write_makes_an_output_and_reaches_the_world(client: Client, bank: PinBank) -> None:
    seen: list[tuple[int, int]] = []
    bank.on_write = lambda pin, level: seen.append((pin, level))
    await client.ask(WRITE, 5, 1)
    assert (seen, await client.ask(MODEG, 5), await client.ask(READ, 5)) == ([(5, 1)], 1, 1)


async def test_a_pulse_within_one_loop_turn_gives_two_reports(client: Client, listener: Client, bank: PinBank) -> None:
    await client.ask(NB, 0, 1 << BEAM)
    bank.drive(BEAM, 1)
    bank.drive(BEAM, 0)
    assert [(await listener.report())[::2] for _ in range(2)] == [(0, 0x1FF | 1 << BEAM), (1, 0x1FF)]


async def test_only_chosen_pins_are_reported(client: Client, listener: Client, bank: PinBank) -> None:
    await client.ask(NB, 0, 1 << BEAM)
    bank.drive(OTHER, 1)
    bank.drive(BEAM, 1)
    assert await listener.report() == (0, 0, 0x1FF | 1 << BEAM | 1 << OTHER)


async def test_a_pin_that_went_high_before_it_was_chosen_is_reported_when_it_is(client: Client, listener: Client) -> None:
    await client.ask(PUD, BEAM, 2)
    await client.ask(NB, 0, 1 << BEAM)
    assert await listener.report() == (0, 0, 0x1FF | 1 << BEAM)


async def test_a_pin_that_went_low_while_nobody_looked_is_not_reported(client: Client, listener: Client, bank: PinBank) -> None:
    bank.drive(BEAM, 1)
    for pins, level in ((1 << BEAM, 1), (0, 0), (1 << BEAM, 0)):
        await client.ask(NB, 0, pins)
        bank.drive(BEAM, level)
    bank.drive(BEAM, 1)
    bank.drive(BEAM, 0)
    assert [(await listener.report())[2] >> BEAM & 1 for _ in range(2)] == [1, 0]


async def test_choosing_fewer_pins_forgets_nothing_of_the_others(client: Client, listener: Client, bank: PinBank) -> None:
    bank.drive(BEAM, 1)
    await client.ask(NB, 0, 1 << BEAM)
    await listener.report()
    bank.drive(OTHER, 1)
    for pins in (0, 1 << OTHER):
        await client.ask(NB, 0, pins)
    assert (await listener.report())[2] >> BEAM == 0b11


async def test_outputs_are_reported_too(client: Client, listener: Client) -> None:
    await client.ask(NB, 0, 1 << BEAM)
    await client.ask(WRITE, BEAM, 1)
    assert (await listener.report())[2] >> BEAM & 1 == 1


@pytest.mark.parametrize("quiet", [NP, NC])
async def test_a_paused_or_closed_handle_is_told_nothing(client: Client, listener: Client, bank: PinBank, quiet: int) -> None:
    await client.ask(NB, 0, 1 << BEAM)
    await client.ask(quiet, 0)
    bank.drive(BEAM, 1)
    assert await listener.ask(PIGPV) == 79


async def test_each_listener_hears_only_its_own_pins(
    server: PigpiodServer, client: Client, listener: Client, bank: PinBank
) -> None:
    second = await Client.connect(server.port)
    assert await second.ask(NOIB) == 1
    await client.ask(NB, 0, 1 << BEAM)
    await client.ask(NB, 1, 1 << OTHER)
    bank.drive(BEAM, 1)
    bank.drive(OTHER, 1)
    reports = await listener.report(), await second.report()
    await second.close()
    assert reports == ((0, 0, 0x1FF | 1 << BEAM), (0, 0, 0x1FF | 1 << BEAM | 1 << OTHER))


async def test_a_leaving_listener_gives_its_handle_back(server: PigpiodServer, client: Client, listener: Client) -> None:
    await listener.close()
    while await client.ask(NP, 0) == 0:
        await asyncio.sleep(0)
    assert await client.ask(NOIB) == 0


async def test_there_are_32_handles(server: PigpiodServer) -> None:
    clients = [await Client.connect(server.port) for _ in range(33)]
    handles = [await client.ask(NOIB) for client in clients]
    for client in clients:
        await client.close()
    assert handles == [*range(32), -24]


async def test_a_filtered_change_is_reported_after_its_time(client: Client, listener: Client, bank: PinBank) -> None:
    await client.ask(FG, BEAM, 20_000)
    await client.ask(NB, 0, 1 << BEAM)
    started = asyncio.get_running_loop().time()
    bank.drive(BEAM, 1)
    await listener.report()
    assert asyncio.get_running_loop().time() - started >= 0.02


async def test_filters_of_different_lengths_each_have_their_time(client: Client, listener: Client, bank: PinBank) -> None:
    await client.ask(FG, BEAM, 10_000)
    await client.ask(FG, OTHER, 30_000)
    await client.ask(NB, 0, 1 << BEAM | 1 << OTHER)
    bank.drive(OTHER, 1)
    bank.drive(BEAM, 1)
    assert [(await listener.report())[2] >> BEAM for _ in range(2)] == [0b01, 0b11]


async def test_a_frozen_server_answers_after_the_thaw(server: PigpiodServer, client: Client) -> None:
    server.freeze()
    client.send(PIGPV)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.answer()
    # The cancelled read took nothing: the answer is still to come.
    server.thaw()
    assert await client.answer() == 79


async def test_after_the_thaw_only_the_levels_of_now_are_told(
    server: PigpiodServer, client: Client, listener: Client, bank: PinBank
) -> None:
    await client.ask(NB, 0, 1 << BEAM | 1 << OTHER)
    server.freeze()
    for level in (1, 0, 1):
        bank.drive(BEAM, level)
    server.thaw()
    bank.drive(OTHER, 1)
    assert [await listener.report() for _ in range(2)] == [
        (0, 0, 0x1FF | 1 << BEAM),
        (1, 0, 0x1FF | 1 << BEAM | 1 << OTHER),
    ]


async def test_a_client_that_reads_no_reports_is_dropped(client: Client, listener: Client, bank: PinBank) -> None:
    await client.ask(NB, 0, 1 << BEAM)
    transport = listener.writer.transport
    assert isinstance(transport, asyncio.Transport)
    transport.pause_reading()
    deaf = 0
    while await client.ask(NB, 0, 1 << BEAM) == 0:
        for _ in range(10_000):
            bank.drive(BEAM, 1 - bank.level(BEAM))
        deaf += 10_000
    assert deaf >= UNREAD_AT_LEAST


async def test_nonsense_ends_the_connection(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await client.reader.read() == b""
    assert "pigpiod client dropped" in caplog.text


async def test_a_world_that_fails_is_reported(client: Client, bank: PinBank) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def broken(_pin: int, _level: int) -> None:
        raise ValueError("no such lamp")

    bank.on_write = broken
    client.send(WRITE, 5, 1)
    assert await client.reader.read() == b""
    assert [str(context["exception"]) for context in reported] == ["no such lamp"]


async def test_closing_twice_is_fine_also_while_frozen(server: PigpiodServer, client: Client) -> None:
    server.freeze()
    client.send(PIGPV)
    await client.writer.drain()
    await server.close()
    await server.close()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await client.answer()
