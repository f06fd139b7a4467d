"""Claiming a printer where a kernel driver, another program, a missing permission or an odd descriptor stands in the way.

The backend is ours over real USB/IP with the answers that libusb and the kernel give changed at pyusb's own seam.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import usb.core
import usb.util

from controller.errors import DeviceAbsent
from controller.hal.usb.find import UsbRoute, UsbWanted, claim, find_device, open_backend
from controller.hal.usb.usbip_backend import UsbIpBackend
from hwsim.wires.usbip import PrinterDescriptors, UsbIpServer
from tests.fakes.scripted_usb import BUSID, served
from tests.fakes.usb_printer import SERIAL, VENDOR, ScriptedPrinter

WANTED = UsbWanted(VENDOR, SERIAL)


class KernelBackend(UsbIpBackend):
    """What Linux adds: usblp on the interface, other programs, permissions, an unconfigured device."""

    def __init__(self, port: int, *, driver: bool = False, refuse: dict[str, int] | None = None, configuration: int = 1) -> None:
        super().__init__("127.0.0.1", port)
        self.driver, self.refuse, self.configuration = driver, refuse or {}, configuration
        self.calls: list[str] = []

    def is_kernel_driver_active(self, _handle: Any, _intf: int) -> bool:
        return self.driver

    def detach_kernel_driver(self, _handle: Any, intf: int) -> None:
        self._do(f"detach {intf}")

    def get_configuration(self, dev_handle: Any) -> int:
        return self.configuration

    def set_configuration(self, dev_handle: Any, config_value: int) -> None:
        self._do(f"configure {config_value}")
        super().set_configuration(dev_handle, config_value)

    def claim_interface(self, _handle: Any, _intf: int) -> None:
        self._do(f"claim {_intf}")

    def set_interface_altsetting(self, _handle: Any, intf: int, altsetting: int) -> None:
        self._do(f"alternate {intf} {altsetting}")

    def open_device(self, dev: Any) -> Any:
        self._do("open")
        return super().open_device(dev)

    def _do(self, call: str) -> None:
        self.calls.append(call)
        code = self.refuse.get(call.split(" ")[0])
        if code is not None:
            raise usb.core.USBError("refused", None, code)


class OddPrinter(ScriptedPrinter):
    """A printer whose configuration descriptor was made by hand."""

    configuration = b""

    def descriptors(self) -> PrinterDescriptors:
        plain = super().descriptors()
        return PrinterDescriptors(plain.device, self.configuration or plain.configuration, plain.strings)


class SpoiltPrinter(ScriptedPrinter):
    """A printer whose serial number cannot be read as text."""

    def __init__(self, text: bytes, serial: str) -> None:
        super().__init__(serial=serial)
        self.text = text

    def descriptor(self, kind: int, index: int, language: int) -> bytes | None:
        return self.text if (kind, index) == (3, 3) else super().descriptor(kind, index, language)


@pytest.fixture
async def device() -> OddPrinter:
    return OddPrinter()


@pytest.fixture
async def server(device: OddPrinter) -> AsyncIterator[UsbIpServer]:
    async with served(device) as server:
        yield server


def claimed(backend: UsbIpBackend) -> UsbRoute:
    found = find_device(backend, WANTED)
    try:
        return claim(found, 7)
    finally:
        usb.util.dispose_resources(found)


async def route(backend: UsbIpBackend) -> UsbRoute:
    return await asyncio.to_thread(claimed, backend)


async def test_the_endpoints_come_from_the_descriptors(server: UsbIpServer) -> None:
    assert await route(KernelBackend(server.port)) == UsbRoute(1, 0, 0, 0x03, 0x85)


async def test_a_configured_device_without_a_driver_is_only_claimed(server: UsbIpServer) -> None:
    backend = KernelBackend(server.port)
    await route(backend)
    assert backend.calls == ["open", "claim 0"]


async def test_usblp_is_detached_first(server: UsbIpServer) -> None:
    backend = KernelBackend(server.port, driver=True)
    await route(backend)
    assert backend.calls == ["open", "detach 0", "claim 0"]


async def test_an_unconfigured_device_is_configured(server: UsbIpServer) -> None:
    backend = KernelBackend(server.port, configuration=0)
    await route(backend)
    assert backend.calls == ["open", "configure 1", "claim 0"]


@pytest.mark.parametrize("call", ["claim", "detach"])
async def test_a_printer_another_program_holds_is_busy(server: UsbIpServer, call: str) -> None:
    with pytest.raises(DeviceAbsent, match="printer_busy: 1-1: held by another program"):
        await route(KernelBackend(server.port, driver=True, refuse={call: errno.EBUSY}))


async def test_a_printer_held_while_it_is_looked_at_is_busy(server: UsbIpServer) -> None:
    with pytest.raises(DeviceAbsent, match=r"printer_busy: .* another program or host holds 1-1"):
        await route(KernelBackend(server.port, refuse={"open": errno.EBUSY}))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
async def test_a_missing_permission_names_the_udev_rule(server: UsbIpServer, code: int) -> None:
    with pytest.raises(DeviceAbsent, match="printer_absent: 1-1: no permission; install the udev rule"):
        await route(KernelBackend(server.port, refuse={"claim": code}))
    with pytest.raises(DeviceAbsent, match=r"cannot be read \(udev rule\?\): 1-1 \(refused\)"):
        await route(KernelBackend(server.port, refuse={"open": code}))


def configuration(*interfaces: bytes) -> bytes:
    body = b"".join(interfaces)
    numbers = {part[2] for part in interfaces}
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), len(numbers), 1, 0, 0xC0, 0) + body


def interface(kind: int, protocol: int, *endpoints: tuple[int, int], number: int = 0, alternate: int = 0) -> bytes:
    head = struct.pack("<BBBBBBBBB", 9, 4, number, alternate, len(endpoints), kind, 1, protocol, 0)
    return head + b"".join(struct.pack("<BBBBHB", 7, 5, address, how, 64, 0) for address, how in endpoints)


BULK, INTERRUPT = 2, 3


async def test_the_printer_interface_is_found_behind_others(server: UsbIpServer, device: OddPrinter) -> None:
    device.configuration = configuration(
        interface(11, 0, (0x01, BULK), (0x81, BULK), number=0),  # a smart-card reader in the same housing
        interface(7, 1, (0x02, BULK), number=1),  # one way only
        interface(7, 2, (0x02, BULK), (0x86, INTERRUPT), (0x83, BULK), number=1, alternate=1),
        interface(7, 4, (0x04, BULK), (0x84, BULK), number=1, alternate=2),
    )
    backend = KernelBackend(server.port)
    assert await route(backend) == UsbRoute(1, 1, 1, 0x02, 0x83)
    assert backend.calls == ["open", "claim 1", "alternate 1 1"]


@pytest.mark.parametrize(
    "parts",
    [
        (interface(3, 0, (0x01, BULK), (0x81, BULK)),),
        (interface(7, 2, (0x81, BULK)),),
        (interface(7, 4, (0x01, BULK), (0x81, BULK)),),
    ],
    ids=["other class", "no way out", "IPP over USB"],
)
async def test_a_device_without_a_printer_interface_says_so(
    server: UsbIpServer, device: OddPrinter, parts: tuple[bytes, ...]
) -> None:
    device.configuration = configuration(*parts)
    with pytest.raises(DeviceAbsent, match="1-1 has no interface of class 7 with bulk endpoints"):
        await route(KernelBackend(server.port))


@pytest.mark.parametrize(
    "spoil",
    [lambda raw: raw[:2] + b"\xff\xff" + raw[4:], lambda raw: b"\x09\x07" + raw[2:], lambda raw: raw[:9] + b"\x09\x04\x00"],
    ids=["too long", "not a configuration", "cut"],
)
async def test_a_descriptor_that_makes_no_sense_is_an_absent_printer(
    server: UsbIpServer, device: OddPrinter, spoil: Callable[[bytes], bytes]
) -> None:
    found = device.descriptors().configuration
    device.configuration = spoil(found)
    with pytest.raises(DeviceAbsent, match="printer_absent"):
        await route(KernelBackend(server.port))


@pytest.mark.parametrize("text", [b"\x04\x03\x00\xd8", b"\x02\x03", b""], ids=["half a character", "no text", "nothing"])
async def test_a_serial_number_that_is_no_text_hides_no_other_printer(server: UsbIpServer, text: bytes) -> None:
    server.plug("1-2", SpoiltPrinter(text, serial="OTHER"))
    assert await route(KernelBackend(server.port)) == UsbRoute(1, 0, 0, 0x03, 0x85)


async def test_a_printer_without_a_serial_number_is_told_of(server: UsbIpServer) -> None:
    server.unplug(BUSID)
    server.plug("1-2", ScriptedPrinter(serial=""))
    with pytest.raises(DeviceAbsent, match=r"printer_absent: .*others: one without a serial number at 1-2$"):
        await route(KernelBackend(server.port))


async def test_a_server_that_says_nothing_holds_up_no_lane_of_another(server: UsbIpServer) -> None:
    """The silent one accepts links and is never read from; looking there takes seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"usbip://127.0.0.1:{silent.getsockname()[1]}"
        stuck = asyncio.create_task(asyncio.to_thread(find_device, open_backend(address), WANTED))
        link, _ = await asyncio.to_thread(silent.accept)
        await route(KernelBackend(server.port))
        assert not stuck.done()
        link.close()
    with pytest.raises(DeviceAbsent, match="cannot be listed"):
        await stuck


def test_a_backend_is_chosen_by_the_address() -> None:
    assert isinstance(open_backend("usbip://127.0.0.1:1"), UsbIpBackend)
    with pytest.raises(ValueError, match="is neither 'usb' nor"):
        open_backend("serial")
