"""The checks that use stock libusb through pyusb, with usblp out of the way and given back after."""

from __future__ import annotations

import errno
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import usb.core
import usb.util

from tools.vm_usb.guest.printer import LIMIT_S, READY, SHORT_MS, SPEAK, Printer, Wrong, need

_PANEL_BYTES = 600_000  # as large as a colour panel: libusb makes some 37 transfers of it
_TO_INTERFACE, _TO_PRINTER = 0xA1, 0x21


def libusb_strings(printer: Printer) -> str:
    """libusb reads the strings while usblp has the interface."""
    device = _open(printer)
    try:
        need(device.is_kernel_driver_active(0), "usblp does not have it")
        return f"{device.manufacturer} / {device.product} / {device.serial_number}, bus {device.bus} port {device.port_numbers}"
    finally:
        usb.util.dispose_resources(device)


def libusb_requests(printer: Printer) -> str:
    """Every standard and class request a host may make."""
    return _with_claimed(printer, _ask_everything)


def libusb_conversation(printer: Printer) -> str:
    """A read that times out, a question and its reply; again after a stall, and after a reset of the port."""

    def talk(device: Any) -> str:
        _converse(device, printer)
        out, into = _endpoints(device)
        for endpoint in (out, into):  # SET_FEATURE(ENDPOINT_HALT), which only the device can clear
            device.ctrl_transfer(0x02, 3, 0, endpoint.bEndpointAddress, None)
            need(device.ctrl_transfer(0x82, 0, 0, endpoint.bEndpointAddress, 2)[0] == 1, "the endpoint is not halted")
            device.clear_halt(endpoint.bEndpointAddress)
        return _converse(device, printer)

    return _with_claimed(printer, talk)


def libusb_panel(printer: Printer) -> str:
    """As many bytes as a colour panel in one write, all filler, and a question at their end."""

    def talk(device: Any) -> str:
        out, into = _endpoints(device)
        data = array("B", SPEAK[printer.family][3] * _PANEL_BYTES + printer.question)
        took = out.write(data, int(LIMIT_S * 1000))
        need(took == len(data), f"it took {took} of {len(data)} bytes")
        return f"{took} bytes, then {_hear(into, printer)}"

    return _with_claimed(printer, talk)


def libusb_reset(printer: Printer) -> str:
    """A reset of the port: the kernel reads the descriptors anew and finds the same device."""

    def talk(device: Any) -> str:
        device.reset()
        return _converse(device, printer)

    return _with_claimed(printer, talk)


def _ask_everything(device: Any) -> str:
    need(device.ctrl_transfer(0x80, 8, 0, 0, 1)[0] == 1, "GET_CONFIGURATION is not 1")
    need(len(device.ctrl_transfer(0x80, 0, 0, 0, 2)) == 2, "GET_STATUS of the device")
    need(list(device.ctrl_transfer(0x81, 0, 0, 0, 2)) == [0, 0], "GET_STATUS of the interface")
    need(device.ctrl_transfer(0x81, 10, 0, 0, 1)[0] == 0, "GET_INTERFACE is not 0")
    device.set_interface_altsetting(0, 0)
    for endpoint in _endpoints(device):
        device.clear_halt(endpoint.bEndpointAddress)
    _refused(device, 0xC0, 1)  # a vendor request
    _refused(device, _TO_INTERFACE, 99)  # a class request that no printer has
    identity = bytes(device.ctrl_transfer(_TO_INTERFACE, 0, 0, 0, 1024))
    need(int.from_bytes(identity[:2], "big") == len(identity), f"the device id's length is wrong: {identity[:8]!r}")
    short = bytes(device.ctrl_transfer(_TO_INTERFACE, 0, 0, 0, 7))
    need(short == identity[:7], "a shorter GET_DEVICE_ID is not cut")
    status = device.ctrl_transfer(_TO_INTERFACE, 1, 0, 0, 1)[0]
    need(status == READY, f"port status {status:02X}h")
    device.ctrl_transfer(_TO_PRINTER, 2, 0, 0, None)  # SOFT_RESET
    return identity[2:].decode("ascii")


def _refused(device: Any, kind: int, request: int) -> None:
    try:
        device.ctrl_transfer(kind, request, 0, 0, 4)
    except usb.core.USBError as error:
        need(error.errno == errno.EPIPE, f"request {kind:02X} {request:02X}: {error}")
    else:
        raise Wrong(f"request {kind:02X} {request:02X} is answered")


def _converse(device: Any, printer: Printer) -> str:
    out, into = _endpoints(device)
    with suppress(usb.core.USBTimeoutError):  # the kernel takes the transfer back
        raise Wrong(f"it says {bytes(into.read(4096, SHORT_MS))!r} unasked")
    out.write(array("B", printer.question), int(LIMIT_S * 1000))
    return _hear(into, printer)


def _hear(into: Any, printer: Printer) -> str:
    reply = b""
    while SPEAK[printer.family][1] not in reply:
        reply += bytes(into.read(4096, int(LIMIT_S * 1000)))
    return printer.judge(reply)


def _with_claimed(printer: Printer, work: Callable[[Any], str]) -> str:
    device = _open(printer)
    try:
        if device.is_kernel_driver_active(0):
            device.detach_kernel_driver(0)
        usb.util.claim_interface(device, 0)
        return work(device)
    finally:
        usb.util.release_interface(device, 0)
        with suppress(usb.core.USBError):
            device.attach_kernel_driver(0)
        usb.util.dispose_resources(device)


def _open(printer: Printer) -> Any:
    device = usb.core.find(idVendor=printer.vendor_id, idProduct=printer.product_id)
    need(device is not None, "libusb does not find it")
    return device


def _endpoints(device: Any) -> list[Any]:
    return sorted(device.get_active_configuration()[(0, 0)], key=lambda endpoint: int(endpoint.bEndpointAddress) & 0x80)
