"""A Magicard printer on its USB cable (printers.md 4.1-4.3, 4.7): requests are answered whatever it does, a second job is
not taken while one is under way. Our choices (E): a torn job waits for its rest; CAN drops it, and so do a bus reset and
SOFT_RESET; FRM, which would change the firmware, and requests that are only named in service documents do nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from hwsim.clock import Clock
from hwsim.devices.magicard_job import Job
from hwsim.devices.magicard_machine import MagicardMachine
from hwsim.devices.magicard_parser import Event, MagicardParser, Request
from hwsim.devices.magicard_replies import dump_reply, error_reply, info_reply, key_reply
from hwsim.devices.parts import whole_number
from hwsim.devices.usb_printer import MAX_PACKET_BYTES, UsbPrinter
from hwsim.errors import SimError
from hwsim.exchanges import Exchanges
from hwsim.timing import LaneMeter
from hwsim.wires.usbip import PrinterDescriptors, printer_descriptors

_USB_1_1 = 0x0110
_PRODUCT_ID = 0x48FF  # ours, for a profile without one
PIECE_BYTES = 8_192  # read between two turns of the loop, which other lanes wait for
_DEVICE_PACKET_BYTES = 8  # endpoint 0 (printers.md 4.1)


class MagicardPrinter(UsbPrinter):
    """The USB device."""

    def __init__(self, machine: MagicardMachine, clock: Clock, meter: LaneMeter, exchanges: Exchanges) -> None:
        super().__init__(machine.mechanics, clock, exchanges, end_of_reply=b"\x03")
        self.machine, self._meter = machine, meter
        self.vendor_id = machine.profile.vendor_id
        self.product_id = machine.profile.product_id or _PRODUCT_ID
        self._parser = MagicardParser()
        self._said: deque[tuple[bytes, str]] = deque()  # replies on their way, and what each answers
        self._speaks = asyncio.Event()
        self._started_s = 0.0
        self._motors: list[asyncio.Task[None]] = []

    # Power

    async def run(self) -> None:
        """See UsbPrinter."""
        self.bus_reset()
        self.machine.forget()
        async with asyncio.TaskGroup() as life:
            self._motors = [life.create_task(self.machine.run()), life.create_task(self._speak())]

    def cut_power(self) -> None:
        """See UsbPrinter."""
        for motor in self._motors:
            motor.cancel()
        self._motors = []
        self.bus_reset()
        self.machine.forget()
        self.mechanics.lose_power()

    # The USB device

    def descriptors(self) -> PrinterDescriptors:
        """See UsbPrinter."""
        return printer_descriptors(
            self.vendor_id,
            self.product_id,
            self.machine.unit.serial,
            "Magicard",
            self.machine.unit.model,
            max_packet=MAX_PACKET_BYTES,
            device_packet=_DEVICE_PACKET_BYTES,
            usb=_USB_1_1,
        )

    def device_id(self) -> str:
        """See UsbPrinter; what follows the model is ours (E)."""
        return f"MFG:Magicard ;MDL:{self.machine.unit.short_model};CMD:SOH;CLS:PRINTER;"

    def becomes(self, words: Mapping[str, str]) -> None:
        """See UsbPrinter."""
        for name, word in words.items():
            setattr(self.machine.unit, name, word)

    def adjust(self, name: str, value: str) -> None:
        """See UsbPrinter."""
        settings = self.machine.unit.settings
        if name not in settings or whole_number(value) is None:
            raise SimError(f"a setting is one of {', '.join(settings)}, and a number")
        settings[name] = value

    @property
    def machine_status(self) -> int:
        """18 ready, 08 working, 10 fault."""
        return self.machine.port_status

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return not self.machine.free.is_set()

    def forget_buffers(self) -> None:
        """A torn job is forgotten, and so are replies on their way."""
        self._parser.reset()
        self._said.clear()

    async def take(self, data: bytes) -> None:
        """Requests at once; a job's bytes when no other job is under way."""
        if self._parser.idle:
            self._started_s = self._clock.now_s()
        request = self._parser.whole_request(data)
        if request is not None:
            await self._act(request)
            return
        rest, began, resets = memoryview(data), self._parser.in_job, self._resets
        while len(rest) and self._resets == resets:  # until the power or the cable goes, or the host resets it
            rest = rest[await self._take_piece(rest[:PIECE_BYTES]) :]
        if self._parser.in_job and not began:
            number, _ = self._exchanges.begin("usb", "> job first")
            self._exchanges.end("usb", number)

    async def _take_piece(self, piece: memoryview) -> int:
        """Read on until a message or the piece is complete; returns how many bytes were used."""
        resets = self._resets
        while self.busy and self._parser.begins_job(piece):
            await self.machine.free.wait()
        if self._resets != resets:
            return 0
        used, event = self._parser.take(piece)
        while self.busy and isinstance(event, Job):  # the second side of the job before never came: this is a job of its own
            await self.machine.free.wait()
        if event is None or self._resets != resets:
            await asyncio.sleep(0)  # the other lanes' turn
        else:
            await self._act(event)
        return used

    async def _act(self, event: Event) -> None:
        text = event.text
        number, _ = self._exchanges.begin("usb", f"> {text}")
        for watcher in list(self.on_command):
            watcher(event)
        await asyncio.sleep(0)  # a watcher may have cut the power
        now = self._clock.now_s()
        self._meter.command(self._started_s, now)
        self._started_s = now
        reply = self._carry_out(event)
        if self._exchanges.end("usb", number):
            await asyncio.sleep(0)
        if reply is not None:
            self._meter.reply(self._clock.now_s())
            self._said.append((reply, text))
            self._speaks.set()

    async def _speak(self) -> None:
        """Replies go out beside what comes in: a slow one holds up no transfer."""
        while True:
            await self._speaks.wait()
            self._speaks.clear()
            while self._said:
                reply, text = self._said.popleft()
                await self.replies.send(reply, text)

    def _carry_out(self, event: Event) -> bytes | None:
        """The reply, if there is one."""
        if isinstance(event, Job):
            self.machine.print(event)
            return None
        return self._request(event)

    def _request(self, request: Request) -> bytes | None:
        machine = self.machine
        word, _, key = request.text.removeprefix("REQ,").partition(",")
        if word == "ERR":
            return error_reply(machine.fault, machine.language)
        if word == "INF":
            return info_reply(machine.unit, machine.profile, self.mechanics, machine.fault, machine.hand_feed)
        if word == "STA":
            return key_reply(key, machine.unit, machine.profile, self.mechanics)
        if word[:3] in ("SNR", "QPR") and word[3:].isdecimal():
            return dump_reply(word, self.mechanics)
        self._action(word)
        return None

    def _action(self, word: str) -> None:
        torn = self._parser.in_job
        if word in ("CAN", "RST"):
            self._parser.reset()
        if word == "CAN" and torn:
            return
        if word in ("OKY", "CAN"):
            self.machine.answer(word)
        elif word in ("TST", "CLN", "EJT"):
            self.machine.act(word)
        elif word == "RST":
            self.machine.restart()
