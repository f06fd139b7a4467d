"""An Evolis-class printer on its USB cable: commands in, one NUL-ended reply each, when the motion is over.

Sources: printers.md 2 (class requests), 3.2-3.4, 3.12. Our choices (E): a host that lets go or dies is not noticed: the rest of a
half-sent command is still awaited, commands received are executed, replies not fetched wait for whoever asks next. At a bus
reset (the cable) and SOFT_RESET these buffers are lost and the machine goes on; the reply of a command that was under way
still comes. Without power all of it is lost at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hwsim.clock import Clock
from hwsim.devices.evolis_commands import COMMANDS, DOWNLOADS, RESTART
from hwsim.devices.evolis_machine import Machine
from hwsim.devices.evolis_parser import Command, EvolisParser
from hwsim.devices.evolis_queries import UNKNOWN
from hwsim.devices.mechanics import Obstacle
from hwsim.devices.usb_printer import BUSY, MAX_PACKET_BYTES, READY, UsbPrinter
from hwsim.exchanges import Exchanges
from hwsim.timing import LaneMeter
from hwsim.wires.usbip import PrinterDescriptors, printer_descriptors

PRODUCT_ID = 0x0AFF  # ours: real product ids besides the Zenius are not public (E)
MAX_INBOX = 3  # commands received but not begun; then the endpoint NAKs. A panel is 0.6 MB
PIECE_BYTES = 16_384  # of a transfer, taken in at once, with however many commands it completes


@dataclass(frozen=True, slots=True)
class Received:
    """A complete command and when its first and last byte came, in seconds."""

    command: Command
    started_s: float
    complete_s: float
    number: int  # among the exchanges of the lane


class EvolisPrinter(UsbPrinter):
    """The USB device."""

    def __init__(self, machine: Machine, clock: Clock, meter: LaneMeter, exchanges: Exchanges) -> None:
        super().__init__(machine.mechanics, clock, exchanges)
        self.machine, self._meter = machine, meter
        self.vendor_id = machine.profile.vendor_id
        self.product_id = machine.profile.product_id or PRODUCT_ID
        self._parser = EvolisParser(machine.geometry)
        self._started_s = 0.0
        self._inbox: deque[Received] = deque()
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._executing = False
        self._waits_for: Obstacle | None = None  # Pem;0: the obstacle that a person must remove
        self._motors: list[asyncio.Task[None]] = []  # whatever acts while there is power
        self._update_room()

    # Power

    async def run(self) -> None:
        """Live until the power goes (cancelled). Starts with everything forgotten that needs power."""
        self._forget()
        self.machine.power_on()
        async with asyncio.TaskGroup() as life:
            self._motors = [life.create_task(motor) for motor in (self.machine.press.run(), self._work(), self._mind_head())]

    def cut_power(self) -> None:
        """The power goes: nothing moves from this moment on, and what needs power is forgotten."""
        for motor in self._motors:
            motor.cancel()
        self._motors = []
        self._forget()
        self.machine.mechanics.lose_power()

    def _forget(self) -> None:
        self.bus_reset()
        self._executing, self._waits_for = False, None

    async def _throw_out(self) -> None:
        """The clearing cycle of a printer that keeps no card inside over a power cut."""
        self._executing = True
        try:
            await self.machine.mechanics.eject()
        except Obstacle:
            pass  # it stays inside, and the next command will say why
        finally:
            self._executing = False

    async def _work(self) -> None:
        if self.machine.profile.power_on_ejects:
            await self._throw_out()
        while True:
            self._update_room()
            while not self._inbox:  # the cable may be pulled between the waking and the running
                await self._arrived.wait()
            received = self._inbox.popleft()
            self._update_room()
            self._meter.command(received.started_s, received.complete_s)
            self._executing = True
            await self._answer(received)
            self._executing = False

    async def _answer(self, received: Received) -> None:
        command = received.command
        for watcher in list(self.on_command):
            watcher(command)
        await asyncio.sleep(0)  # a watcher may have cut the power
        if command.name == RESTART:
            await self._restart()
            return
        reply = await self._execute(command)
        if self._exchanges.end("usb", received.number):
            await asyncio.sleep(0)
        self._meter.reply(self._clock.now_s())
        await self.replies.send(reply.encode("latin-1") + b"\0", command.text)

    async def _execute(self, command: Command) -> str:
        handler = COMMANDS.get(command.name)
        if handler is None:
            return UNKNOWN
        if command.name not in DOWNLOADS:
            await self.machine.press.at_rest()
        first = True
        while True:
            try:
                return await handler(self.machine, command)
            except Obstacle as obstacle:
                if self.machine.settings.host_errors:
                    self.machine.drop_sequence()
                    return obstacle.word
                # The head may have stopped long ago, and the reason may be gone since: one try before a person is awaited.
                if not (first and self.machine.press.stopped_by(obstacle)):
                    await self._wait_for_person(obstacle)
                self.machine.press.resume()
                first = False

    async def _wait_for_person(self, obstacle: Obstacle) -> None:
        """Pem;0: no answer, the endpoint NAKs, the port status tells; go on when somebody did something."""
        self._waits_for = obstacle
        self._update_room()
        await self.machine.mechanics.changed()
        self._waits_for = None
        self._update_room()

    async def _mind_head(self) -> None:
        """Pem;0: what stops the head is waited out too when nothing else is to be done."""
        while True:
            obstacle = await self.machine.press.stopped()
            if self.machine.press.stopped_by(obstacle) and not self.machine.settings.host_errors:
                await self._wait_for_person(obstacle)
                self.machine.press.resume()

    async def _restart(self) -> None:
        """Srs: about 5 s without an answer, then as after power-on."""
        self._waits_for = None
        self.bus_reset()
        await self._clock.motion(self.machine.profile.timing_s["reset"])
        self.bus_reset()
        self.machine.power_on()

    # The USB device

    def descriptors(self) -> PrinterDescriptors:
        """See UsbPrinter."""
        identity = self.machine.identity
        brand, _, model = identity.model.partition(" ")
        product = f"{brand} {model}".strip()
        return printer_descriptors(self.vendor_id, self.product_id, identity.serial, brand, product, max_packet=MAX_PACKET_BYTES)

    def device_id(self) -> str:
        """See UsbPrinter; the real text is not public (E)."""
        brand, _, model = self.machine.identity.model.partition(" ")
        return f"MFG:{brand};MDL:{model or brand};CMD:ESC;CLS:PRINTER;SN:{self.machine.identity.serial};"

    def becomes(self, words: Mapping[str, str]) -> None:
        """See UsbPrinter."""
        self.machine.identity = replace(self.machine.identity, **words)

    def adjust(self, name: str, value: str) -> None:
        """See UsbPrinter."""
        self.machine.adjust(name, value)

    @property
    def machine_status(self) -> int:
        """18 ready, 08 busy; while a person is awaited 38 (media) or 10 (fault)."""
        if self._waits_for is not None:
            return self._waits_for.line.value
        return BUSY if self.busy else READY

    @property
    def busy(self) -> bool:
        """Whether it acts on something or is about to."""
        return bool(self._inbox) or self._executing or self.machine.press.busy

    async def take(self, data: bytes) -> None:
        """Take all of it; NAK while there is no room or a person is awaited."""
        download, resets = self._parser.download, self._resets
        for at in range(0, max(len(data), 1), PIECE_BYTES):
            await asyncio.sleep(0) if at else None  # the other lanes' turn
            while not self._room.is_set():
                await self._room.wait()
            if self._resets != resets or not self._take_piece(data[at : at + PIECE_BYTES]):
                return  # the power or the cable went
        self._count_download(download)

    def _take_piece(self, data: bytes) -> bool:
        """Put the commands that it completes into the inbox; False when the buffers were lost with one of them."""
        now, resets = self._clock.now_s(), self._resets
        if self._parser.idle:
            self._started_s = now
        for command in self._parser.feed(data):
            number, _ = self._exchanges.begin("usb", f"> {command.text}")
            if self._resets != resets:
                return False
            self._inbox.append(Received(command, self._started_s, now, number))
            self._started_s = now
        self._update_room()
        return True

    def _count_download(self, known: Command | None) -> None:
        """A download that began with this transfer and did not end with it is an exchange of its own."""
        begun = self._parser.download
        if begun is not None and begun is not known:
            number, _ = self._exchanges.begin("usb", f"> {begun.text} first")
            self._exchanges.end("usb", number)

    def forget_buffers(self) -> None:
        """See UsbPrinter."""
        self._parser.reset()
        self._inbox.clear()
        self._update_room()

    def _update_room(self) -> None:
        _set(self._arrived, bool(self._inbox))
        _set(self._room, self._waits_for is None and len(self._inbox) < MAX_INBOX)


def _set(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()
