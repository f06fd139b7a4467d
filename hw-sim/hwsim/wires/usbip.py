"""USB/IP server for simulated devices: TCP, protocol 1.1.1, attachable by our pyusb backend and by a Linux kernel.

Behaves as the kernel's usbipd where it matters to a host: a device in use is not listed and a second import is refused with
"busy"; unplugging resets the connection, so every URB in flight dies; each plugging gives a new device number.
Sources: kernel Documentation/usb/usbip_protocol.rst, tools/usb/usbip/src/usbipd.c, ecosystem.md section 2.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from dataclasses import dataclass, field

from hwsim.wires.usb_descriptors import PrinterDescriptors, printer_descriptors
from hwsim.wires.usb_device import Setup, Stall, UsbDevice, device_identity, first_configuration
from hwsim.wires.usbip_codec import (
    ST_DEV_BUSY,
    ST_NODEV,
    ExportedDevice,
    ImportDevice,
    ListDevices,
    ProtocolError,
    Request,
    RequestDecoder,
    pack_device_list,
    pack_import,
    pack_import_refusal,
)
from hwsim.wires.usbip_session import READ_BYTES, Session

__all__ = ["PrinterDescriptors", "Setup", "Stall", "UsbDevice", "UsbIpServer", "printer_descriptors"]

_log = logging.getLogger(__name__)

_HANDSHAKE_S = 10.0  # a host asks at once; a silent connection must not stay for ever
_READ_LIMIT_BYTES = 2 * READ_BYTES
_LAST_DEVNUM = 127  # a USB address has seven bits
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Plugged:
    exported: ExportedDevice
    device: UsbDevice
    session: Session | None = None
    writer: asyncio.StreamWriter | None = None


@dataclass(slots=True)
class _Bus:
    """What is plugged in, by bus id, and the last device number given."""

    devices: dict[str, _Plugged] = field(default_factory=dict)
    last_devnum: int = 0


class UsbIpServer:
    """Exports plugged devices on one TCP port. Devices may be plugged before `start` and after."""

    def __init__(self, host: str, port: int) -> None:
        """Port 0 takes a free one, known after `start`."""
        self._host = host
        self._port = port
        self._bus = _Bus()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def port(self) -> int:
        """The TCP port; 0 only while it is still to be chosen."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._accept, self._host, self._port, limit=_READ_LIMIT_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, reset every connection and wait for their ends. Twice is fine."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._connections.values():
            _reset(writer)
        if self._connections:
            await asyncio.wait(self._connections)

    def plug(self, busid: str, device: UsbDevice) -> None:
        """Make the device visible. Raises ValueError when something is plugged in there."""
        if busid in self._bus.devices:
            raise ValueError(f"bus id {busid} is in use")
        self._bus.last_devnum = self._bus.last_devnum % _LAST_DEVNUM + 1
        self._bus.devices[busid] = _Plugged(_exported(busid, self._bus.last_devnum, device), device)

    def unplug(self, busid: str) -> None:
        """Pull the cable: the device is gone at once and its host's connection is reset. Nothing plugged there is fine."""
        plugged = self._bus.devices.pop(busid, None)
        if plugged is None or plugged.session is None or plugged.writer is None:
            return
        plugged.session.end()
        _reset(plugged.writer)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="usbip connection")
        self._connections[task] = writer
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """A connection ended; a device's own mistake must not pass unseen."""
        del self._connections[task]
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "USB/IP connection failed", "exception": task.exception(), "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = RequestDecoder()
        try:
            request = await _first_request(decoder, reader)
            if isinstance(request, ListDevices):
                free = [plugged.exported for plugged in self._bus.devices.values() if plugged.session is None]
                writer.write(pack_device_list(free))
            elif isinstance(request, ImportDevice):
                await self._import(request.busid, decoder, reader, writer)
        except* ProtocolError as refused:
            _log.warning("USB/IP host dropped: %s", refused.exceptions[0])
        except* (ConnectionError, TimeoutError) as lost:
            _log.debug("USB/IP host lost: %s", lost.exceptions[0])
        finally:
            await _close(writer)

    async def _import(
        self, busid: str, decoder: RequestDecoder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        plugged = self._bus.devices.get(busid)
        if plugged is None or plugged.session is not None:
            writer.write(pack_import_refusal(ST_NODEV if plugged is None else ST_DEV_BUSY))
            return
        writer.write(pack_import(plugged.exported))
        session = Session(plugged.device, plugged.exported.devid, writer)
        plugged.session, plugged.writer = session, writer
        try:
            await session.run(decoder, reader)
        finally:
            plugged.session = plugged.writer = None


async def _first_request(decoder: RequestDecoder, reader: asyncio.StreamReader) -> Request | None:
    """What the host wants; None when it leaves without a word."""
    async with asyncio.timeout(_HANDSHAKE_S):
        while (request := decoder.next()) is None:
            data = await reader.read(READ_BYTES)
            if not data:
                return None
            decoder.feed(data)
        return request


def _exported(busid: str, devnum: int, device: UsbDevice) -> ExportedDevice:
    known, chosen = device_identity(device), first_configuration(device)
    return ExportedDevice(
        busid=busid,
        busnum=int(busid.split("-")[0]),
        devnum=devnum,
        speed=device.speed,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        release=known.release,
        device_class=known.device_class,
        configuration=chosen.value,
        configurations=known.configurations,
        interfaces=chosen.interfaces,
    )


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop the connection with a TCP reset, as a pulled cable drops what is under way."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # already closed by the host
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
