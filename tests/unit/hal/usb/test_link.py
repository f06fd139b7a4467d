"""Finding one printer among many, claiming it, and the blocking pipe, over real USB/IP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceUnknown
from controller.hal.usb.link import UsbLink, UsbPipe, UsbWanted, check_address
from hwsim.wires.usbip import UsbIpServer
from tests.fakes.usb_printer import SERIAL, VENDOR, ScriptedPrinter
from tests.fakes.usbip_proxy import server as raw_server
from tests.fakes.usbip_proxy import shortening

WANTED = UsbWanted(VENDOR, SERIAL)


@pytest.fixture
async def usbip() -> AsyncIterator[UsbIpServer]:
    server = UsbIpServer("127.0.0.1", 0)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def links() -> AsyncIterator[list[UsbLink]]:
    made: list[UsbLink] = []
    yield made
    for link in made:
        await link.close()


def link_to(port: int, links: list[UsbLink], wanted: UsbWanted = WANTED) -> UsbLink:
    links.append(UsbLink(f"usbip://127.0.0.1:{port}", wanted))
    return links[-1]


@pytest.mark.parametrize("address", ["usb", "usbip://127.0.0.1:3240", "usbip://box.local", "usbip://[::1]:3240"])
def test_addresses_of_both_kinds_are_known(address: str) -> None:
    assert (check_address(address) is None) == (address == "usb")


@pytest.mark.parametrize(
    "address",
    ["", "USB", "usb:1-1", "usbip:", "usbip://", "usbip://h:0x5", "usbip://h:70000", "usbip://h/x", "usbip://u@h", "tcp://h:1"],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"is neither 'usb' nor|[Pp]ort"):
        check_address(address)
    with pytest.raises(ValueError, match=r"is neither 'usb' nor|[Pp]ort"):
        UsbLink(address, WANTED)


async def test_the_printer_is_found_by_its_serial_number_among_others(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    for busid, serial in (("1-1", "OTHER"), ("1-2", SERIAL), ("1-3", "THIRD")):
        usbip.plug(busid, ScriptedPrinter(serial=serial))
    link = link_to(usbip.port, links)
    assert await link.run(link.pipe.open) is True
    assert await link.run(link.pipe.open) is False
    assert await link.run(link.pipe.device_id) == "MFG:Evolis;MDL:Primacy;"
    assert await link.run(link.pipe.port_status) == 0x18


async def test_a_printer_of_another_vendor_is_not_even_looked_into(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter(vendor_id=0x1209))
    link = link_to(usbip.port, links)
    with pytest.raises(DeviceAbsent, match=r"^printer_absent: USB vendor 0f49, serial SIM-E-0001: not found$"):
        await link.run(link.pipe.open)


async def test_other_serial_numbers_are_told_when_the_wanted_one_is_missing(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter(serial="OTHER"))
    link = link_to(usbip.port, links)
    with pytest.raises(DeviceAbsent, match="not found; others: OTHER at 1-1"):
        await link.run(link.pipe.open)


async def test_two_printers_with_one_serial_number_are_refused(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    for busid in ("1-1", "1-2"):
        usbip.plug(busid, ScriptedPrinter())
    link = link_to(usbip.port, links)
    with pytest.raises(DeviceAbsent, match=r"printer_doubled: USB vendor 0f49, serial SIM-E-0001: found at 1-1, 1-2"):
        await link.run(link.pipe.open)
    usbip.unplug("1-2")
    assert await link.run(link.pipe.open)


async def test_a_port_tells_two_printers_with_one_serial_number_apart(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    first, second = ScriptedPrinter(), ScriptedPrinter()
    usbip.plug("1-1", first)
    usbip.plug("1-2.4", second)
    link = link_to(usbip.port, links, UsbWanted(VENDOR, SERIAL, port="1-2.4"))
    await link.run(link.pipe.open)
    await link.run(link.pipe.write, b"hello", Deadline.after(2))
    assert (bytes(first.raw), bytes(second.raw)) == (b"", b"hello")


async def test_a_printer_another_host_holds_is_not_taken(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter())
    first, second = link_to(usbip.port, links), link_to(usbip.port, links)
    await first.run(first.pipe.open)
    with pytest.raises(DeviceAbsent, match="not found"):  # a server does not list what is in use
        await second.run(second.pipe.open)
    await first.close()
    assert await second.run(second.pipe.open)


async def test_lanes_that_look_at_the_same_time_do_not_disturb_each_other(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    serials = [f"SIM-{number}" for number in range(4)]
    for number, serial in enumerate(serials, 1):
        usbip.plug(f"1-{number}", ScriptedPrinter(serial=serial))
    lanes = [link_to(usbip.port, links, UsbWanted(VENDOR, serial)) for serial in serials]
    assert await asyncio.gather(*(lane.run(lane.pipe.open) for lane in lanes)) == [True] * 4


async def test_no_server_is_an_absent_printer(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    await usbip.close()
    link = link_to(usbip.port, links)
    with pytest.raises(DeviceAbsent, match="printer_absent: the USB devices cannot be listed"):
        await link.run(link.pipe.open)


async def test_an_open_pipe_carries_bytes_both_ways(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    device = ScriptedPrinter()
    usbip.plug("1-1", device)
    link = link_to(usbip.port, links)
    await link.run(link.pipe.open)
    await link.run(link.pipe.write, b"\x1bRsn\r", Deadline.after(2))
    assert await link.run(link.pipe.read, Deadline.after(2)) == SERIAL.encode() + b"\0"


async def test_a_read_ends_at_its_deadline_with_nothing(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter())
    link = link_to(usbip.port, links)
    await link.run(link.pipe.open)
    assert await link.run(link.pipe.read, Deadline.after(0.05)) == b""


async def test_a_short_write_is_an_unknown_act(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter())
    async with raw_server(shortening(usbip.port, 1000)) as port:
        link = link_to(port, links)
        await link.run(link.pipe.open)
        await link.run(link.pipe.write, bytes(1000), Deadline.after(2))
        with pytest.raises(DeviceUnknown, match="printer_late: the printer took 1000 of 70000 bytes in time"):
            await link.run(link.pipe.write, bytes(70_000), Deadline.after(2))
        await link.close()


async def test_a_pipe_that_is_not_open_carries_nothing(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    link = link_to(usbip.port, links)
    with pytest.raises(DeviceAbsent, match="the link is not open"):
        await link.run(link.pipe.write, b"x", Deadline.after(1))


async def test_a_pulled_cable_is_noticed_in_a_read_and_the_device_let_go(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter())
    link = link_to(usbip.port, links)
    await link.run(link.pipe.open)
    reading = asyncio.create_task(link.run(link.pipe.read, Deadline.after(5)))
    await asyncio.sleep(0)
    usbip.unplug("1-1")
    with pytest.raises(DeviceUnknown, match="printer_lost: read"):
        await reading
    assert not link.pipe.is_open


async def test_a_link_that_was_closed_says_so_and_may_be_closed_again(usbip: UsbIpServer, links: list[UsbLink]) -> None:
    usbip.plug("1-1", ScriptedPrinter())
    link = link_to(usbip.port, links)
    await link.run(link.pipe.open)
    await link.close()
    await link.close()
    with pytest.raises(DeviceAbsent, match="printer_lost: the link was closed"):
        await link.run(link.pipe.open)


def test_an_interrupted_pipe_begins_nothing() -> None:
    pipe = UsbPipe("usbip://127.0.0.1:1", WANTED)
    pipe.interrupt()
    with pytest.raises(DeviceAbsent, match="the link was closed"):
        pipe.open()


async def test_this_machines_own_usb_can_be_searched(links: list[UsbLink]) -> None:
    link = UsbLink("usb", UsbWanted(VENDOR, "no such serial"))
    links.append(link)
    with pytest.raises(
        DeviceAbsent, match=r"printer_absent: (USB vendor 0f49, serial no such serial: not found|libusb 1.0 cannot be)"
    ):
        await link.run(link.pipe.open)
