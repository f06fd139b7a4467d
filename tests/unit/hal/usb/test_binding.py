"""Which printer a lane takes: by serial number and port path, for printers whose descriptor has no serial number, and by make.

Two identical printers are never confused, and one that was swapped is noticed before a card moves. Over real USB/IP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from controller.errors import DeviceAbsent
from controller.hal.evolis.driver import EvolisPrinter
from controller.hal.profiles.printer import EvolisProfile
from hwsim.wires.usbip import UsbIpServer
from tests.fakes.usb_printer import SERIAL, ScriptedPrinter, tiny_profile

PROFILE = tiny_profile()
UNTOLD = replace(PROFILE, usb=replace(PROFILE.usb, serial="device"))  # the descriptor's number says nothing


@dataclass
class Room:
    """A USB/IP server with printers, and drivers that look for theirs."""

    server: UsbIpServer
    drivers: list[EvolisPrinter] = field(default_factory=list)
    printers: dict[str, ScriptedPrinter] = field(default_factory=dict)

    def plug(self, busid: str, serial: str, *, descriptor: str | None = None) -> ScriptedPrinter:
        printer = ScriptedPrinter(serial=serial if descriptor is None else descriptor)
        printer.says["Rsn"] = serial
        self.server.plug(busid, printer)
        self.printers[busid] = printer
        return printer

    def driver(self, profile: EvolisProfile = PROFILE, serial: str = SERIAL, port: str | None = None) -> EvolisPrinter:
        self.drivers.append(EvolisPrinter.at(profile, f"usbip://127.0.0.1:{self.server.port}", serial, port))
        return self.drivers[-1]

    def moved(self) -> list[str]:
        return [command for printer in self.printers.values() for command in printer.heard if command.startswith("S")]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room(UsbIpServer("127.0.0.1", 0))
    await room.server.start()
    yield room
    for driver in room.drivers:
        await driver.close()
    await room.server.close()


async def test_the_right_printer_at_its_port_is_taken(room: Room) -> None:
    room.plug("1-1.2", SERIAL)
    assert (await room.driver(port="1-1.2").open()).serial == SERIAL


async def test_the_right_printer_at_another_port_names_both_ports(room: Room) -> None:
    room.plug("1-1.3", SERIAL)
    with pytest.raises(
        DeviceAbsent, match=r"printer_elsewhere: .*port 1-1.2: found at 1-1.3, not at 1-1.2 as lanes.printer.port"
    ):
        await room.driver(port="1-1.2").open()
    assert room.moved() == []


async def test_another_printer_at_the_port_is_a_swap(room: Room) -> None:
    room.plug("1-1.2", "SIM-E-0002")
    with pytest.raises(DeviceAbsent, match=r"printer_swapped: .*serial SIM-E-0001, port 1-1.2: found SIM-E-0002 at 1-1.2$"):
        await room.driver(port="1-1.2").open()


async def test_two_swapped_printers_are_both_noticed_and_told_where_theirs_is(room: Room) -> None:
    room.plug("1-1", "SIM-E-0002")
    room.plug("1-2", SERIAL)
    with pytest.raises(DeviceAbsent, match=r"printer_swapped: .*found SIM-E-0002 at 1-1; SIM-E-0001 is at 1-2"):
        await room.driver(port="1-1").open()
    with pytest.raises(DeviceAbsent, match=r"printer_swapped: .*found SIM-E-0001 at 1-2; SIM-E-0002 is at 1-1"):
        await room.driver(serial="SIM-E-0002", port="1-2").open()


async def test_another_product_of_the_vendor_at_the_port_is_a_swap(room: Room) -> None:
    room.plug("1-1", SERIAL)
    zenius = replace(PROFILE, usb=replace(PROFILE.usb, product_ids=(0x0A00,)))
    with pytest.raises(DeviceAbsent, match=r"printer_swapped: .*found product 0aff at 1-1"):
        await room.driver(zenius, port="1-1").open()


async def test_an_empty_port_tells_what_is_elsewhere(room: Room) -> None:
    room.plug("1-4", "SIM-E-0009")
    with pytest.raises(DeviceAbsent, match=r"printer_absent: .*port 1-1: not found; others: SIM-E-0009 at 1-4"):
        await room.driver(port="1-1").open()


async def test_twins_without_a_port_are_refused_with_the_key_to_write(room: Room) -> None:
    room.plug("1-1", SERIAL)
    room.plug("1-2", SERIAL)
    with pytest.raises(DeviceAbsent, match=r"printer_doubled: .*found at 1-1, 1-2; write the right one as lanes.printer.port"):
        await room.driver().open()


async def test_a_printer_without_a_serial_number_in_its_descriptor_is_asked_for_it(room: Room) -> None:
    room.plug("1-1", SERIAL, descriptor="")
    assert (await room.driver(UNTOLD).open()).serial == SERIAL


async def test_two_of_them_need_their_ports(room: Room) -> None:
    first, second = room.plug("1-1", SERIAL, descriptor=""), room.plug("1-2", "SIM-E-0002", descriptor="")
    with pytest.raises(DeviceAbsent, match=r"printer_doubled: .*1-1, 1-2; write the right one as lanes.printer.port"):
        await room.driver(UNTOLD).open()
    assert (first.heard, second.heard) == ([], [])
    assert (await room.driver(UNTOLD, port="1-1").open()).serial == SERIAL
    assert (await room.driver(UNTOLD, "SIM-E-0002", "1-2").open()).serial == "SIM-E-0002"


async def test_one_that_was_swapped_is_let_go_before_a_card_moves(room: Room) -> None:
    room.plug("1-1", "SIM-E-0002", descriptor="")
    with pytest.raises(DeviceAbsent, match="printer_swapped: the printer calls itself 'SIM-E-0002', not 'SIM-E-0001'"):
        await room.driver(UNTOLD, port="1-1").open()
    assert room.moved() == []
    assert (await room.driver(UNTOLD, "SIM-E-0002", "1-1").open()).serial == "SIM-E-0002"  # its own lane finds it free


async def test_a_swap_behind_an_open_driver_is_noticed_at_the_next_opening(room: Room) -> None:
    room.plug("1-1", SERIAL, descriptor="")
    driver = room.driver(UNTOLD, port="1-1")
    await driver.open()
    room.server.unplug("1-1")
    room.plug("1-1", "SIM-E-0002", descriptor="")
    with pytest.raises(DeviceAbsent, match=r"printer_lost|printer_swapped"):
        await driver.open()
    with pytest.raises(DeviceAbsent, match="printer_swapped"):
        await driver.open()
    assert room.moved() == []


async def test_the_make_is_read_from_the_ieee_1284_text(room: Room) -> None:
    room.plug("1-1", SERIAL)
    assert await room.driver(replace(PROFILE, usb=replace(PROFILE.usb, device_id="evolis PRIMACY"))).open()


async def test_another_make_behind_the_same_numbers_is_refused(room: Room) -> None:
    room.plug("1-1", SERIAL)
    other = replace(PROFILE, usb=replace(PROFILE.usb, device_id="Magicard"))
    with pytest.raises(DeviceAbsent, match=r"printer_other: 1-1: IEEE 1284 text 'MFG:Evolis;MDL:Primacy;' without 'Magicard'"):
        await room.driver(other).open()
    assert room.printers["1-1"].heard == []
    assert await room.driver().open()  # and it is let go


async def test_a_printer_that_cannot_say_its_make_is_refused_where_the_profile_asks(room: Room) -> None:
    room.plug("1-1", SERIAL).mute_control = True
    with pytest.raises(DeviceAbsent, match="printer_other: no IEEE 1284 text"):
        await room.driver(replace(PROFILE, usb=replace(PROFILE.usb, device_id="Evolis"))).open()
