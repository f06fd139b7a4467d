"""Finds one USB printer among all devices of a pyusb backend, by vendor id, serial number and port path, and claims it.

A printer whose descriptor has no serial number is found by vendor and port; who it is, is asked when it is open. A serial number
that two devices carry, a printer at another port or another one at this port, a device that another program holds and one that
may not be opened are told apart: each needs something else from staff. Everything that was opened to look is let go again.
"""

from __future__ import annotations

import errno
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import usb.backend.libusb1
import usb.core
import usb.util

from controller.errors import DeviceAbsent
from controller.hal.profiles.printer import UsbMatch
from controller.hal.usb.usbip_backend import UsbIpBackend

USBIP_PORT = 3240
_ENGLISH = 0x0409
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_IPP_OVER_USB = 4  # a printer interface that speaks HTTP, not the printer's own language
_IMPORTING: dict[tuple[str, int], threading.Lock] = {}  # by USB/IP server: looking takes a device from others for a moment


@dataclass(frozen=True, slots=True)
class UsbWanted:
    """The device a link is for."""

    vendor_id: int
    serial: str  # the USB serial number string
    port: str | None = None  # e.g. "1-1.2": only a device plugged in there
    product_ids: tuple[int, ...] = ()  # empty: any product of the vendor
    interface_class: int = 7
    serial_in_descriptor: bool = True  # False: only the opened printer tells it
    device_id: str = ""  # words of its IEEE 1284 text; empty: not asked

    @classmethod
    def by(cls, match: UsbMatch, serial: str, port: str | None) -> UsbWanted:
        """The unit with this serial number among the devices of a profile."""
        return cls(match.vendor_id, serial, port, match.product_ids, match.interface_class,
                   match.serial == "descriptor", match.device_id)  # fmt: skip

    def __str__(self) -> str:
        return f"USB vendor {self.vendor_id:04x}, serial {self.serial}" + (f", port {self.port}" if self.port else "")


@dataclass(frozen=True, slots=True)
class UsbRoute:
    """Where the bytes go, from the device's own descriptors."""

    configuration: int
    interface: int
    alternate: int
    out: int  # endpoint addresses
    into: int


@dataclass(slots=True)
class _Sight:
    """What one look around found."""

    matches: list[Any] = field(default_factory=list)  # usb.core.Device
    others: list[str] = field(default_factory=list)  # the vendor's other devices: serial number and place
    busy: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)  # cannot be read, most often for want of permission


def check_address(address: str) -> tuple[str, int] | None:
    """The USB/IP server an address names; None for this machine's own USB (``usb``). Raises ValueError for anything else."""
    if address == "usb":
        return None
    parts = urlsplit(address)
    if (
        parts.scheme != "usbip"
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in address
    ):
        raise ValueError(f"'{address}' is neither 'usb' nor 'usbip://HOST:PORT'")
    return parts.hostname, USBIP_PORT if parts.port is None else parts.port  # a wrong port is a ValueError too


def open_backend(address: str, wanted: UsbWanted | None = None) -> Any:
    """The pyusb backend for an address of `check_address`. Raises ValueError, or DeviceAbsent when libusb is not installed."""
    server = check_address(address)
    if server is not None:
        limits = () if wanted is None else (wanted.vendor_id, wanted.port)
        return UsbIpBackend(*server, *limits)
    backend = usb.backend.libusb1.get_backend()
    if backend is None:
        raise DeviceAbsent("printer_absent", "libusb 1.0 cannot be loaded; install the package libusb-1.0-0")
    return backend


def find_device(backend: Any, wanted: UsbWanted) -> Any:
    """The one usb.core.Device that is wanted. Raises DeviceAbsent."""
    sight, elsewhere = _Sight(), _Sight()
    with _alone(backend):
        try:
            _look(backend, wanted, sight)
            if len(sight.matches) == 1:
                return sight.matches.pop()
            if wanted.port is not None:
                if isinstance(backend, UsbIpBackend):
                    backend.busid = None
                _look(backend, replace(wanted, port=None), elsewhere)
            raise _missing(wanted, sight, elsewhere)
        except usb.core.USBError as error:
            raise DeviceAbsent("printer_absent", f"the USB devices cannot be listed: {error}") from error
        finally:
            for device in (*sight.matches, *elsewhere.matches):
                usb.util.dispose_resources(device)


def claim(device: Any, interface_class: int) -> UsbRoute:
    """Take the printer interface for ourselves. Raises DeviceAbsent, naming who holds it where that can be known."""
    try:
        route = find_route(device, interface_class)
        if device.is_kernel_driver_active(route.interface):
            device.detach_kernel_driver(route.interface)  # usblp; it is not given back: CUPS would take it
        if _configuration(device) != route.configuration:
            device.set_configuration(route.configuration)
        usb.util.claim_interface(device, route.interface)
        if route.alternate:
            device.set_interface_altsetting(route.interface, route.alternate)
    except usb.core.USBError as error:
        raise _not_claimed(error, device) from error
    return route


def find_route(device: Any, interface_class: int) -> UsbRoute:
    """The first interface of the class with a bulk endpoint each way. Raises DeviceAbsent when the device has none."""
    for configuration in device:
        for interface in configuration:
            route = _route(configuration, interface)
            if (
                route is not None
                and interface.bInterfaceClass == interface_class
                and interface.bInterfaceProtocol != _IPP_OVER_USB
            ):
                return route
    raise DeviceAbsent("printer_absent", f"{port_path(device)} has no interface of class {interface_class} with bulk endpoints")


def port_path(device: Any) -> str:
    """Where a device is plugged in, as the kernel writes it: ``1-1.2``."""
    return f"{device.bus}-{'.'.join(map(str, device.port_numbers or (device.address,)))}"


def holder_of(device: Any) -> str:
    """Who else has the device open, as far as this user may see; for the technician."""
    node = f"/dev/bus/usb/{device.bus:03}/{device.address:03}"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or another user's
            own = process.name == str(Path("/proc/self").readlink())
            if not own and any(str(link.readlink()) == node for link in (process / "fd").iterdir()):
                return f"held by {(process / 'comm').read_text(encoding='utf-8').strip()} (process {process.name})"
    return "held by another program"


def _alone(backend: Any) -> AbstractContextManager[object]:
    """Lanes of one process must not meet where looking needs a device for itself. A dead server holds up nobody else's lane."""
    if isinstance(backend, UsbIpBackend):
        return _IMPORTING.setdefault(backend.server, threading.Lock())
    return nullcontext()  # libusb opens what others have open


def _look(backend: Any, wanted: UsbWanted, sight: _Sight) -> None:
    for node in backend.enumerate_devices():
        _judge(node, backend, wanted, sight)


def _judge(node: Any, backend: Any, wanted: UsbWanted, sight: _Sight) -> None:
    """Look at one device and keep it open only when it is the wanted one."""
    try:
        device = usb.core.Device(node, backend)
    except usb.core.USBError as error:
        _note_failure(error, "a device", sight)
        return
    place = port_path(device)
    if device.idVendor != wanted.vendor_id or wanted.port not in (None, place):
        return
    if wanted.product_ids and device.idProduct not in wanted.product_ids:
        if wanted.port is not None:
            sight.others.append(f"product {device.idProduct:04x} at {place}")
        return
    try:
        serial = _serial_of(device) if wanted.serial_in_descriptor else wanted.serial
    except usb.core.USBError as error:
        _note_failure(error, place, sight)
    else:
        if serial == wanted.serial:
            sight.matches.append(device)
            return
        sight.others.append(f"{serial or 'one without a serial number'} at {place}")
    usb.util.dispose_resources(device)


def _note_failure(error: Any, place: str, sight: _Sight) -> None:
    if error.errno == errno.EBUSY:
        sight.busy.append(place)
    elif error.errno != errno.ENODEV:  # that is: unplugged just now
        sight.closed.append(f"{place} ({error.strerror})")


def _serial_of(device: Any) -> str | None:
    """The serial number string. Not `device.serial_number`: pyusb hides there why a device cannot be read."""
    if not device.iSerialNumber:
        return None
    try:
        languages = usb.util.get_langids(device)
        text: str | None = usb.util.get_string(device, device.iSerialNumber, languages[0] if languages else _ENGLISH)
    except (ValueError, IndexError) as error:  # half a character, nothing at all: one odd device must not hide the others
        raise usb.core.USBError("its serial number is no text", None, errno.EIO) from error
    return text


def _missing(wanted: UsbWanted, sight: _Sight, elsewhere: _Sight) -> DeviceAbsent:
    """Why the one device could not be had: what staff can do about it first."""
    there = ", ".join(port_path(device) for device in sight.matches)
    if there:
        return DeviceAbsent("printer_doubled", f"{wanted}: found at {there}; write the right one as lanes.printer.port")
    away = ", ".join(port_path(device) for device in elsewhere.matches)
    if wanted.port is not None and sight.others:
        hint = f"; {wanted.serial} is at {away}" if away and wanted.serial_in_descriptor else ""
        return DeviceAbsent("printer_swapped", f"{wanted}: found {', '.join(sight.others)}{hint}")
    if sight.busy:
        return DeviceAbsent("printer_busy", f"{wanted}: another program or host holds {', '.join(sight.busy)}")
    if away and wanted.serial_in_descriptor:
        return DeviceAbsent("printer_elsewhere", f"{wanted}: found at {away}, not at {wanted.port} as lanes.printer.port says")
    seen = ", ".join([*sight.others, *elsewhere.others]) or away
    shut = f"; cannot be read (udev rule?): {', '.join(sight.closed)}" if sight.closed else ""
    return DeviceAbsent("printer_absent", f"{wanted}: not found{f'; others: {seen}' if seen else ''}{shut}")


def _configuration(device: Any) -> int | None:
    try:
        value: int = device.get_active_configuration().bConfigurationValue
    except usb.core.USBError:  # unconfigured
        return None
    return value


def _not_claimed(error: Any, device: Any) -> DeviceAbsent:
    where = port_path(device)
    if error.errno == errno.EBUSY:
        return DeviceAbsent("printer_busy", f"{where}: {holder_of(device)}")
    if error.errno in _NOT_ALLOWED:
        return DeviceAbsent("printer_absent", f"{where}: no permission; install the udev rule of this package")
    return DeviceAbsent("printer_absent", f"{where}: {error}")


def _route(configuration: Any, interface: Any) -> UsbRoute | None:
    bulk = [
        endpoint.bEndpointAddress
        for endpoint in interface
        if usb.util.endpoint_type(endpoint.bmAttributes) == usb.util.ENDPOINT_TYPE_BULK
    ]
    out = [address for address in bulk if usb.util.endpoint_direction(address) == usb.util.ENDPOINT_OUT]
    into = [address for address in bulk if usb.util.endpoint_direction(address) == usb.util.ENDPOINT_IN]
    if not out or not into:
        return None
    number, alternate = interface.bInterfaceNumber, interface.bAlternateSetting
    return UsbRoute(configuration.bConfigurationValue, number, alternate, out[0], into[0])
