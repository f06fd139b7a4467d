"""The USB/IP server over real sockets: importing, ordering, NAK, stall, unlink, unplug, limits."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hwsim.wires import usbip
from hwsim.wires.usbip import UsbIpServer
from tests.fakes.scripted_usb import BUSID, served
from tests.unit.hwsim.wires.usbip_host import BEYOND, IN, OUT, Host, Printer, Reply


@pytest.fixture
def printer() -> Printer:
    printer = Printer()
    printer.open.set()
    return printer


@pytest.fixture
async def server(printer: Printer) -> AsyncIterator[UsbIpServer]:
    async with served(printer) as server:
        yield server


@pytest.fixture
async def host(server: UsbIpServer) -> AsyncIterator[Host]:
    host = await Host.connect(server.port)
    assert await host.attach() == 0
    yield host
    await host.close()


@pytest.fixture
async def second(server: UsbIpServer) -> AsyncIterator[Host]:
    host = await Host.connect(server.port)
    yield host
    await host.close()


@pytest.fixture
async def reported() -> list[dict[str, Any]]:
    """What reached the event loop's exception handler."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
    return contexts


async def gone(host: Host) -> bool:
    try:
        return await host.reader.read(1) == b""
    except ConnectionResetError:
        return True


async def test_a_plugged_device_is_listed(second: Host) -> None:
    listed = await second.list_devices()
    assert listed[8:12] == b"\0\0\0\1"
    assert b"1-1" in listed


async def test_a_device_in_use_is_not_listed(host: Host, second: Host) -> None:
    assert await second.list_devices() == bytes.fromhex("011100050000000000000000")


async def test_a_second_import_is_refused_as_busy(host: Host, second: Host) -> None:
    assert await second.attach() == 2
    assert await gone(second)


async def test_an_unknown_bus_id_is_refused_as_no_device(server: UsbIpServer, second: Host) -> None:
    assert await second.attach("1-9") == 4


async def test_plugging_into_a_used_bus_id_is_a_mistake(server: UsbIpServer, printer: Printer) -> None:
    with pytest.raises(ValueError, match="bus id 1-1 is in use"):
        server.plug(BUSID, printer)


async def test_descriptors_are_cut_to_the_hosts_room(host: Host) -> None:
    assert (await host.control(0x80, 6, 0x0100, length=8)).data.hex(" ") == "12 01 00 02 00 00 00 40"


async def test_a_class_request_reaches_the_device(host: Host, printer: Printer) -> None:
    reply = await host.control(0xA1, 0, length=6)
    assert (reply.data, printer.calls) == (b"\x00\x09MFG:", ["configured", "control 0 "])


async def test_a_control_out_brings_its_data(host: Host, printer: Printer) -> None:
    host.submit(0, OUT, b"\x01\x02", setup=bytes.fromhex("210a000000000200"))
    assert (await host.reply()).actual == 2
    assert printer.calls[-1] == "control 10 0102"


async def test_a_control_stall_does_not_last(host: Host) -> None:
    assert (await host.control(0xA1, 99)).status == -errno.EPIPE
    assert (await host.control(0xA1, 0)).status == 0


async def test_bulk_data_arrives_whole_and_in_order(host: Host, printer: Printer) -> None:
    pages = [bytes([n]) * 600_000 for n in range(3)]
    for page in pages:
        host.submit(1, OUT, page)
    assert [(await host.reply()).actual for _ in pages] == [600_000] * 3
    assert printer.printed == pages


async def test_bulk_in_waits_for_data(host: Host, printer: Printer) -> None:
    seqnum = host.submit(2, IN, length=64)
    assert (await host.control(0xA1, 0)).status == 0
    printer.replies.put_nowait(b"OK\r")
    assert await host.reply() == Reply(3, seqnum, 0, b"OK\r", 3)


async def test_several_reads_are_answered_in_order_one_at_a_time(host: Host, printer: Printer) -> None:
    asked = [host.submit(2, IN, length=64) for _ in range(3)]
    await host.control(0xA1, 0)
    for text in (b"a", b"b", b"c"):
        printer.replies.put_nowait(text)
    replies = [await host.reply() for _ in asked]
    assert [(reply.seqnum, reply.data) for reply in replies] == list(zip(asked, (b"a", b"b", b"c"), strict=True))


async def test_a_zero_length_packet_ends_a_read(host: Host, printer: Printer) -> None:
    printer.replies.put_nowait(b"")
    host.submit(2, IN, length=64)
    assert await host.reply() == Reply(3, 1, 0, b"", 0)


async def test_more_data_than_room_is_an_overflow(host: Host, printer: Printer) -> None:
    printer.replies.put_nowait(b"123456789")
    host.submit(2, IN, length=4)
    assert await host.reply() == Reply(3, 1, -errno.EOVERFLOW, b"1234", 4)


async def test_control_and_reads_go_on_while_bulk_out_naks(host: Host, printer: Printer) -> None:
    printer.open.clear()
    busy = host.submit(1, OUT, b"panel")
    assert (await host.control(0xA1, 0)).status == 0
    printer.replies.put_nowait(b"BUSY\r")
    host.submit(2, IN, length=64)
    assert (await host.reply()).data == b"BUSY\r"
    printer.open.set()
    assert (await host.reply()).seqnum == busy


async def test_a_stalled_endpoint_stays_halted_until_cleared(host: Host, printer: Printer) -> None:
    for data in (b"STALL", b"refused too"):
        host.submit(1, OUT, data)
        assert (await host.reply()).status == -errno.EPIPE
    await host.control(0x02, 1, 0, 0x01)
    host.submit(1, OUT, b"taken")
    assert (await host.reply()).status == 0
    assert printer.printed == [b"taken"]


async def test_a_stall_of_one_endpoint_leaves_the_other(host: Host, printer: Printer) -> None:
    printer.replies.put_nowait(b"STALL")
    host.submit(2, IN, length=64)
    assert (await host.reply()).status == -errno.EPIPE
    host.submit(1, OUT, b"taken")
    assert (await host.reply()).status == 0


async def test_an_endpoint_that_is_not_there_answers_enoent(host: Host) -> None:
    host.submit(BEYOND, OUT, b"lost")
    assert (await host.reply()).status == -errno.ENOENT


async def test_an_unlinked_read_gives_only_the_unlinks_answer(host: Host, printer: Printer) -> None:
    read = host.submit(2, IN, length=64)
    unlink = host.unlink(read)
    assert await host.reply() == Reply(4, unlink, -errno.ECONNRESET, b"", 0)
    printer.replies.put_nowait(b"late")
    later = host.submit(2, IN, length=64)
    assert await host.reply() == Reply(3, later, 0, b"late", 4)


async def test_an_unlinked_write_never_reaches_the_printer(host: Host, printer: Printer) -> None:
    printer.open.clear()
    host.unlink(host.submit(1, OUT, b"taken back"))
    assert (await host.reply()).status == -errno.ECONNRESET
    printer.open.set()
    host.submit(1, OUT, b"next")
    await host.reply()
    assert printer.printed == [b"next"]


async def test_unlinking_one_waiting_write_keeps_the_others_in_order(host: Host, printer: Printer) -> None:
    printer.open.clear()
    seqnums = [host.submit(1, OUT, data) for data in (b"a", b"b", b"c")]
    host.unlink(seqnums[1])
    assert (await host.reply()).command == 4
    printer.open.set()
    assert [(await host.reply()).seqnum for _ in range(2)] == [seqnums[0], seqnums[2]]
    assert printer.printed == [b"a", b"c"]


async def test_an_unlink_after_the_answer_gives_zero(host: Host) -> None:
    done = host.submit(1, OUT, b"done")
    await host.reply()
    host.unlink(done)
    assert (await host.reply()).status == 0


async def test_unplugging_kills_what_is_in_flight(server: UsbIpServer, host: Host, printer: Printer) -> None:
    host.submit(2, IN, length=64)
    await host.control(0xA1, 0)
    server.unplug(BUSID)
    assert printer.calls[-1] == "detached"
    assert await gone(host)


async def test_unplugging_resets_the_connection(server: UsbIpServer, host: Host) -> None:
    server.unplug(BUSID)
    with pytest.raises(ConnectionResetError):
        await host.reader.readexactly(1)


async def test_an_unplugged_device_is_neither_listed_nor_imported(server: UsbIpServer, second: Host) -> None:
    server.unplug(BUSID)
    server.unplug(BUSID)
    assert await second.attach() == 4


async def test_a_replugged_device_has_a_new_address(server: UsbIpServer, host: Host, second: Host, printer: Printer) -> None:
    server.unplug(BUSID)
    server.plug(BUSID, printer)
    assert await second.attach() == 0
    assert second.devid != host.devid


async def test_a_leaving_host_frees_the_device(host: Host, second: Host, printer: Printer) -> None:
    host.submit(2, IN, length=64)
    await host.control(0xA1, 0)
    await host.close()
    while "detached" not in printer.calls:
        await asyncio.sleep(0)
    assert await second.attach() == 0


async def test_a_stall_does_not_outlive_its_host(host: Host, second: Host, printer: Printer) -> None:
    host.submit(1, OUT, b"STALL")
    await host.reply()
    await host.close()
    while "detached" not in printer.calls:
        await asyncio.sleep(0)
    await second.attach()
    second.submit(1, OUT, b"fresh")
    assert (await second.reply()).status == 0


async def test_too_many_urbs_are_out_of_memory(host: Host, printer: Printer) -> None:
    asked = [host.submit(2, IN, length=64) for _ in range(257)]
    assert await host.reply() == Reply(3, asked[-1], -errno.ENOMEM, b"", 0)


async def test_too_much_data_in_flight_is_out_of_memory(host: Host, printer: Printer) -> None:
    printer.open.clear()
    for _ in range(5):
        host.submit(1, OUT, bytes(16 << 20))
        await host.writer.drain()
    assert await host.reply() == Reply(3, 5, -errno.ENOMEM, b"", 0)


async def test_data_that_was_taken_is_in_flight_no_more(host: Host) -> None:
    statuses = []
    for _ in range(5):
        host.submit(1, OUT, bytes(16 << 20))
        statuses.append((await host.reply()).status)
    assert statuses == [0] * 5


async def test_an_urb_for_another_device_ends_the_connection(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.devid += 1
    host.submit(1, OUT, b"x")
    assert await gone(host)
    assert "URB 1 for device 0x10002" in caplog.text


async def test_nonsense_ends_the_connection(second: Host, caplog: pytest.LogCaptureFixture) -> None:
    second.writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await gone(second)
    assert "USB/IP version 0x4745" in caplog.text


async def test_a_host_that_leaves_without_a_word_is_let_go(second: Host) -> None:
    second.writer.write_eof()
    assert await gone(second)


async def test_a_faulty_device_is_reported_and_its_host_dropped(host: Host, reported: list[dict[str, Any]]) -> None:
    host.submit(1, OUT, b"BUG")
    assert await gone(host)
    assert [repr(context["exception"].exceptions) for context in reported] == ["(ValueError('a bug in the printer'),)"]


async def test_closing_twice_is_fine_and_drops_every_host(server: UsbIpServer, host: Host, printer: Printer) -> None:
    host.submit(2, IN, length=64)
    await host.control(0xA1, 0)
    await server.close()
    await server.close()
    assert (await gone(host), printer.calls[-1]) == (True, "detached")


async def test_a_device_without_descriptors_cannot_be_plugged() -> None:
    class Blank(Printer):
        def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
            return None

    with pytest.raises(ValueError, match="1209:0401 has no descriptor of kind 1"):
        usbip.UsbIpServer("127.0.0.1", 0).plug("1-2", Blank())
