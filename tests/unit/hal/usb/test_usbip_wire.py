"""The USB/IP wire against servers that claim, cut, freeze and die. Good servers: tests/contract/test_wires_usbip.py."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from controller.hal.usb.usbip_wire import MAX_DEVICES, UsbIpWire, list_devices
from tests.fakes.usbip_proxy import HEAD_BYTES, server

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DEVICE = struct.pack(">256s32sIIIHHHBBBBBB", b"/sys", b"1-1", 1, 2, 3, 0x0F49, 0x0A00, 1, 0, 0, 0, 1, 1, 1)
IMPORTED = struct.pack(">HHI", 0x0111, 3, 0) + DEVICE


def ret(sequence: int, status: int = 0, actual: int = 0, command: int = 3) -> bytes:
    """RET_SUBMIT, or RET_UNLINK with command 4; the direction is 0 as from a kernel."""
    return struct.pack(">IIIIIiiiii8x", command, sequence, 0, 0, 0, status, actual, 0, 0, 0)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def imported(then: Answers) -> Answers:
    """Accept the import, then go on."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(40)
        writer.write(IMPORTED)
        await then(reader, writer)

    return handle


def always(answer: bytes) -> Answers:
    """Answer whatever is asked with these bytes and stay."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(HEAD_BYTES)
        writer.write(answer)
        await reader.read()

    return handle


@contextlib.asynccontextmanager
async def wire(then: Answers) -> AsyncIterator[UsbIpWire]:
    async with server(imported(then)) as port:
        made = await asyncio.to_thread(UsbIpWire, ("127.0.0.1", port), "1-1")
        try:
            yield made
        finally:
            await asyncio.to_thread(made.close)


async def receive(made: UsbIpWire, size: int = 64, timeout_ms: int = 2000) -> bytes:
    buffer = bytearray(size)
    got = await asyncio.to_thread(made.receive, 2, memoryview(buffer), timeout_ms)
    return bytes(buffer[:got])


async def test_a_server_that_is_not_there_is_an_os_error() -> None:
    async with server(silence) as port:
        pass
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(list_devices, ("127.0.0.1", port))


async def test_a_server_that_claims_too_many_devices_is_not_believed() -> None:
    async with server(always(struct.pack(">HHII", 0x0111, 5, 0, 1 << 31))) as port:
        with pytest.raises(OSError, match=f"claims {1 << 31} devices"):
            await asyncio.to_thread(list_devices, ("127.0.0.1", port))
    assert MAX_DEVICES < 1 << 31


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400", struct.pack(">HHII", 0x0111, 3, 0, 0)])
async def test_a_server_that_speaks_something_else_is_named_so(answer: bytes) -> None:
    async with server(always(answer)) as port:
        with pytest.raises(OSError, match="not a USB/IP answer"):
            await asyncio.to_thread(list_devices, ("127.0.0.1", port))


async def test_a_list_that_ends_early_is_a_closed_link() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(struct.pack(">HHII", 0x0111, 5, 0, 2) + DEVICE[:100])

    async with server(cut) as port:
        with pytest.raises(OSError, match="closed the link"):
            await asyncio.to_thread(list_devices, ("127.0.0.1", port))


@pytest.mark.parametrize(("status", "code"), [(1, errno.EBUSY), (2, errno.EBUSY), (4, errno.ENODEV), (9, errno.EIO)])
async def test_a_refused_import_says_why(status: int, code: int) -> None:
    async with server(always(struct.pack(">HHI", 0x0111, 3, status))) as port:
        with pytest.raises(OSError, match=f"refused with status {status}") as caught:
            await asyncio.to_thread(UsbIpWire, ("127.0.0.1", port), "1-1")
    assert caught.value.errno == code


async def test_data_comes_with_its_reply_although_the_direction_word_is_zero() -> None:
    async with wire(always(ret(1, actual=3) + b"OK\0")) as made:
        assert await receive(made) == b"OK\0"


@pytest.mark.parametrize("actual", [65, -1, 1 << 30])
async def test_a_reply_longer_than_asked_for_ends_the_link(actual: int) -> None:
    async with wire(always(ret(1, actual=actual))) as made:
        with pytest.raises(OSError, match="too large") as caught:
            await receive(made)
        assert caught.value.errno == errno.EOVERFLOW
        with pytest.raises(OSError, match="No such device"):
            await receive(made)


@pytest.mark.parametrize("answer", [ret(77), ret(1, command=9)], ids=["unknown number", "unknown command"])
async def test_a_reply_to_nothing_ends_the_link(answer: bytes) -> None:
    async with wire(always(answer)) as made:
        with pytest.raises(OSError, match="No such device"):
            await receive(made)


async def test_what_comes_while_a_read_is_being_taken_back_is_not_lost() -> None:
    async def too_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2 * HEAD_BYTES)  # the read and its UNLINK
        writer.write(ret(1, actual=3) + b"OK\0" + ret(2, command=4))
        await reader.read()

    async with wire(too_late) as made:
        assert await receive(made, timeout_ms=20) == b"OK\0"


async def test_a_read_that_was_taken_back_is_a_time_out() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2 * HEAD_BYTES)
        writer.write(ret(2, -errno.ECONNRESET, command=4))
        await reader.readexactly(HEAD_BYTES)
        writer.write(ret(3, actual=2) + b"ok")
        await reader.read()

    async with wire(nothing) as made:
        with pytest.raises(TimeoutError):
            await receive(made, timeout_ms=20)
        assert await receive(made) == b"ok"


async def test_a_server_that_does_not_even_answer_unlink_is_dead() -> None:
    async with wire(silence) as made:
        with pytest.raises(OSError, match="the USB/IP server answers no more") as caught:
            await receive(made, timeout_ms=20)
    assert caught.value.errno == errno.ENODEV


@pytest.mark.parametrize(("status", "code"), [(-32, errno.EPIPE), (-19, errno.ENODEV), (-108, errno.ENODEV), (-71, errno.EIO)])
async def test_a_failed_transfer_has_the_number_libusb_gives(status: int, code: int) -> None:
    async with wire(always(ret(1, status))) as made:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is checked
            await receive(made)
    assert caught.value.errno == code


async def test_a_server_that_dies_ends_what_is_in_flight() -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(HEAD_BYTES)

    async with wire(die) as made:
        with pytest.raises(OSError, match="No such device"):
            await receive(made)


async def test_aborting_from_elsewhere_ends_a_read_that_waits_for_ever() -> None:
    reached = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(HEAD_BYTES)
        reached.set()
        await reader.read()

    async with wire(hold) as made:
        reading = asyncio.create_task(receive(made, timeout_ms=0))
        await reached.wait()
        made.abort()
        with pytest.raises(OSError, match="No such device"):
            await reading


async def test_several_threads_may_wait_at_once() -> None:
    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = struct.unpack_from(">5I", await reader.readexactly(HEAD_BYTES))
        second = struct.unpack_from(">5I", await reader.readexactly(HEAD_BYTES))
        for head in (second, first):
            writer.write(ret(head[1], actual=1) + bytes([head[4]]))
        await reader.read()

    async def ask(made: UsbIpWire, endpoint: int) -> bytes:
        buffer = bytearray(8)
        got = await asyncio.to_thread(made.receive, endpoint, memoryview(buffer), 2000)
        return bytes(buffer[:got])

    async with wire(both) as made:
        assert list(await asyncio.gather(ask(made, 2), ask(made, 3))) == [b"\x02", b"\x03"]


async def test_closing_twice_is_fine_and_leaves_no_thread() -> None:
    async with wire(silence) as made:
        await asyncio.to_thread(made.close)
        assert not any(thread.name == "usbip-1-1" for thread in threading.enumerate())
