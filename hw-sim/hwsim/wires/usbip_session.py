"""The URB traffic of one imported device: transfers run in order per endpoint, endpoints do not wait for each other.

Behaves as the kernel's usbip-host (drivers/usb/usbip/stub_rx.c, stub_tx.c): an URB taken back answers only the unlink, with
-ECONNRESET; one that was answered before gives 0. Errors are Linux errno numbers, negative.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno

from hwsim.wires.usb_device import Setup, Stall, StandardRequests, UsbDevice
from hwsim.wires.usbip_codec import (
    ProtocolError,
    RequestDecoder,
    Submit,
    Unlink,
    pack_submit_reply,
    pack_unlink_reply,
)

READ_BYTES = 1 << 18  # one panel in three reads

_URBS_IN_FLIGHT = 256  # a driver keeps a handful; each costs a task
_BYTES_IN_FLIGHT = 64 << 20  # four of the largest transfers; the kernel's usbfs gives ENOMEM beyond 16 MiB
_CONTROL = 0


class Session:
    """One host's hold on one device, from import to unplug or disconnect."""

    def __init__(self, device: UsbDevice, devid: int, writer: asyncio.StreamWriter) -> None:
        self._device = device
        self._devid = devid
        self._writer = writer
        self._standard = StandardRequests(device)
        self._turns: dict[int, asyncio.Lock] = {}
        self._urbs: dict[int, asyncio.Task[None]] = {}
        self._bytes_in_flight = 0
        self._ended = False
        device.configured()

    async def run(self, decoder: RequestDecoder, reader: asyncio.StreamReader) -> None:
        """Serve until the connection ends. Raises ProtocolError, and whatever a faulty device raised, in an ExceptionGroup."""
        try:
            async with asyncio.TaskGroup() as group:
                while self._serve_decoded(decoder, group):
                    await self._writer.drain()
                    data = await reader.read(READ_BYTES)
                    if not data:
                        break
                    decoder.feed(data)
                self.end()
        finally:
            self.end()

    def end(self) -> None:
        """Drop every transfer and tell the device. Twice is fine."""
        if self._ended:
            return
        self._ended = True
        for urb in self._urbs.values():
            urb.cancel()
        self._urbs.clear()
        self._device.detached()

    def _serve_decoded(self, decoder: RequestDecoder, group: asyncio.TaskGroup) -> bool:
        """Act on every whole request; False once the session has ended."""
        while not self._ended and (request := decoder.next()) is not None:
            if isinstance(request, Submit):
                self._submit(request, group)
            elif isinstance(request, Unlink):
                self._unlink(request)
        return not self._ended

    def _submit(self, urb: Submit, group: asyncio.TaskGroup) -> None:
        if urb.devid != self._devid or urb.seqnum in self._urbs:
            raise ProtocolError(f"URB {urb.seqnum} for device 0x{urb.devid:x} or used twice")
        if len(self._urbs) >= _URBS_IN_FLIGHT or self._bytes_in_flight + len(urb.data) > _BYTES_IN_FLIGHT:
            self._writer.write(pack_submit_reply(urb.seqnum, -errno.ENOMEM, 0))
            return
        self._bytes_in_flight += len(urb.data)
        task = group.create_task(self._transfer(urb))
        task.add_done_callback(lambda _: self._release(len(urb.data)))
        self._urbs[urb.seqnum] = task

    def _release(self, count: int) -> None:
        self._bytes_in_flight -= count

    def _unlink(self, request: Unlink) -> None:
        task = self._urbs.pop(request.target, None)
        if task is not None:
            task.cancel()
        self._writer.write(pack_unlink_reply(request.seqnum, 0 if task is None else -errno.ECONNRESET))

    async def _transfer(self, urb: Submit) -> None:
        """Wait for the endpoint, run the transfer and answer it, all in the order of submission."""
        turn = _CONTROL if urb.endpoint == _CONTROL else urb.address
        async with self._turns.setdefault(turn, asyncio.Lock()):
            status, data = await self._outcome(urb)
            if self._urbs.pop(urb.seqnum, None) is None:
                return  # unlinked, and the device ended the transfer instead of being cancelled
            actual = len(data) if urb.inward else (0 if status else urb.length)
            self._writer.write(pack_submit_reply(urb.seqnum, status, actual) + data)
            with contextlib.suppress(ConnectionError):  # the reading side sees the end of the connection too
                await self._writer.drain()

    async def _outcome(self, urb: Submit) -> tuple[int, bytes]:
        """Status and data for the host."""
        try:
            if urb.endpoint == _CONTROL:
                return 0, await self._control(urb)
            return await self._bulk(urb)
        except Stall:
            if urb.endpoint != _CONTROL:  # the control endpoint recovers with the next setup packet
                self._standard.halt(urb.address)
            return -errno.EPIPE, b""

    async def _control(self, urb: Submit) -> bytes:
        setup = Setup.decode(urb.setup)
        answer = self._standard.answer(setup) if setup.standard else await self._device.control(setup, urb.data)
        return answer[: min(setup.length, urb.length)] if urb.inward else b""

    async def _bulk(self, urb: Submit) -> tuple[int, bytes]:
        if not self._standard.has(urb.address):
            return -errno.ENOENT, b""
        if self._standard.halted(urb.address):
            return -errno.EPIPE, b""
        if not urb.inward:
            await self._device.bulk_out(urb.endpoint, urb.data)
            return 0, b""
        data = await self._device.bulk_in(urb.endpoint, urb.length)
        if len(data) > urb.length:
            return -errno.EOVERFLOW, data[: urb.length]
        return 0, data
