"""The simulator's USB/IP wire under stock pyusb with the station's own backend: what one end promises the other relies on."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from typing import Any

import pytest
import usb.core
import usb.util

from controller.errors import DeviceAbsent
from controller.hal.usb.find import UsbWanted, find_device
from controller.hal.usb.usbip_backend import UsbIpBackend
from hwsim.wires.usbip import UsbIpServer
from tests.fakes import usbip_proxy
from tests.fakes.scripted_usb import BUSID, served
from tests.unit.hwsim.wires.usbip_host import Printer

VENDOR = 0x1209


@pytest.fixture
async def printer() -> Printer:
    printer = Printer()
    printer.open.set()
    return printer


@pytest.fixture
async def server(printer: Printer) -> AsyncIterator[UsbIpServer]:
    async with served(printer) as server:
        yield server


@pytest.fixture
async def device(server: UsbIpServer) -> AsyncIterator[Any]:
    found = await asyncio.to_thread(open_printer, server)
    yield found
    await asyncio.to_thread(usb.util.dispose_resources, found)


def open_printer(server: UsbIpServer) -> Any:
    device = usb.core.find(idVendor=VENDOR, backend=UsbIpBackend("127.0.0.1", server.port))
    assert device is not None
    device.set_configuration()
    usb.util.claim_interface(device, 0)
    return device


async def test_pyusb_finds_the_printer_and_reads_its_strings(device: Any) -> None:
    strings = await asyncio.to_thread(lambda: (device.manufacturer, device.product, device.serial_number))
    assert strings == ("hw-sim", "Card printer", "SIM0001")


async def test_pyusb_sees_the_printer_interface_and_its_endpoints(device: Any) -> None:
    interface = device.get_active_configuration()[(0, 0)]
    assert (interface.bInterfaceClass, [end.bEndpointAddress for end in interface]) == (7, [0x01, 0x82])


async def test_a_panel_is_written_in_one_transfer(device: Any, printer: Printer) -> None:
    panel = bytes(range(256)) * 2400
    assert await asyncio.to_thread(device.write, 1, panel, 2000) == len(panel)
    assert printer.printed == [panel]


async def test_a_reply_is_read(device: Any, printer: Printer) -> None:
    printer.replies.put_nowait(b"OK\r")
    assert bytes(await asyncio.to_thread(device.read, 0x82, 64, 2000)) == b"OK\r"


async def test_a_read_that_timed_out_loses_no_reply(device: Any, printer: Printer) -> None:
    with pytest.raises(usb.core.USBTimeoutError):
        await asyncio.to_thread(device.read, 0x82, 64, 50)
    printer.replies.put_nowait(b"late\r")
    assert bytes(await asyncio.to_thread(device.read, 0x82, 64, 2000)) == b"late\r"


async def test_a_write_that_timed_out_on_nak_was_not_taken(device: Any, printer: Printer) -> None:
    printer.open.clear()
    with pytest.raises(usb.core.USBTimeoutError):
        await asyncio.to_thread(device.write, 1, b"panel", 50)
    printer.open.set()
    assert printer.printed == []


async def test_the_status_is_read_while_a_write_waits(device: Any, printer: Printer) -> None:
    printer.open.clear()
    writing = asyncio.create_task(asyncio.to_thread(device.write, 1, b"panel", 5000))
    status = await asyncio.to_thread(device.ctrl_transfer, 0xA1, 1, 0, 0, 1, 2000)
    printer.open.set()
    assert (len(status), await writing) == (1, 5)


async def test_a_stall_is_cleared_by_clear_halt(device: Any, printer: Printer) -> None:
    with pytest.raises(usb.core.USBError) as stalled:
        await asyncio.to_thread(device.write, 1, b"STALL", 2000)
    assert stalled.value.errno == errno.EPIPE
    await asyncio.to_thread(device.clear_halt, 0x01)
    assert await asyncio.to_thread(device.write, 1, b"again", 2000) == 5


async def test_a_pulled_cable_ends_a_waiting_read(device: Any, server: UsbIpServer) -> None:
    reading = asyncio.create_task(asyncio.to_thread(device.read, 0x82, 64, 5000))
    await asyncio.to_thread(device.ctrl_transfer, 0xA1, 1, 0, 0, 1, 2000)
    server.unplug(BUSID)
    with pytest.raises(usb.core.USBError) as pulled:
        await reading
    assert pulled.value.errno == errno.ENODEV


async def test_a_swapped_printer_is_found_under_a_new_address(device: Any, server: UsbIpServer, printer: Printer) -> None:
    server.unplug(BUSID)
    server.plug(BUSID, printer)
    other = await asyncio.to_thread(open_printer, server)
    await asyncio.to_thread(usb.util.dispose_resources, other)
    assert other.address != device.address


async def test_a_printer_that_another_host_takes_between_look_and_grasp_is_busy(server: UsbIpServer) -> None:
    async with usbip_proxy.server(usbip_proxy.snatching(server.port, BUSID)) as port:
        backend, wanted = UsbIpBackend("127.0.0.1", port), UsbWanted(VENDOR, "SIM0001")
        with pytest.raises(DeviceAbsent, match="another program or host holds") as busy:
            await asyncio.to_thread(find_device, backend, wanted)
        assert busy.value.condition == "printer_busy"
