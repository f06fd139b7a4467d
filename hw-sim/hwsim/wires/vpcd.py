"""A card slot of the virtual reader that pcscd serves through Debian's vsmartcard-vpcd driver.

The card connects to the driver's TCP port; frames are a 16-bit big-endian length and a payload (chip.md 6.2). The driver writes
length and payload separately, so without an immediate TCP acknowledgement each APDU costs 44 ms (chip.md 6.3.1): quick
acknowledgement is armed again around every receive because the kernel clears it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger(__name__)

_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = 0, 1, 2, 4
_RETRY_S = 0.1
_GAP_S = 0.6  # pcscd looks every 0.4 s: a card swapped faster, after a failed reset of the old one, stays unseen for good
_CONNECT_S = 0.5  # the driver's backlog is 0: a connection it did not take yet makes the next one hang, not fail
_RECEIVE_BYTES = 65_537  # the largest frame
_FRAME_LIMIT_BYTES = 65_535
_SHORTEST_RESPONSE = 2
_free_at_s: dict[tuple[str, int], float] = {}  # by address, time.monotonic(): pcscd has missed the card before, whoever served it


class CardDied(Exception):
    """The card stopped in the middle of a command: the slot is empty until the next `insert`."""


class ChipCard(Protocol):
    """A chip as the reader sees it."""

    atr: bytes

    def power(self, on: bool) -> None:
        """The reader switched the card's supply."""

    def reset(self) -> None:
        """The reader reset the card."""

    async def apdu(self, command: bytes) -> bytes | None:
        """The response with its status word. None: the card hangs and never answers. May raise CardDied."""


class FrameDecoder:
    """Cuts the driver's bytes into frames, however they were split."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The payload of the next whole frame, or None until more was fed."""
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < max(2, end):
            return None
        payload = bytes(self._buffer[2:end])
        del self._buffer[:end]
        return payload


def encode_frame(payload: bytes) -> bytes:
    """A payload with its length. Raises ValueError beyond 65535 bytes."""
    if len(payload) > _FRAME_LIMIT_BYTES:
        raise ValueError(f"a vpcd frame of {len(payload)} bytes is over the limit of {_FRAME_LIMIT_BYTES}")
    return len(payload).to_bytes(2, "big") + payload


class VpcdSlot:
    """One slot. While a card is inserted it stays connected to the driver, and connects again after the driver restarts."""

    def __init__(self, host: str, port: int) -> None:
        self.on_first_apdu: Callable[[], None] | None = None
        """Called once per inserted card, before its first APDU is answered. The driver's own polls are no APDUs."""
        self.address = (host, port)
        self._card: ChipCard | None = None
        self._running = False
        self._serving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket: socket.socket | None = None
        self._untouched = False
        self._works = asyncio.Event()  # cleared while the reader hangs
        self._works.set()
        self._stuck: list[asyncio.Task[None]] = []  # connections of cards that left while it hung

    @property
    def connected(self) -> bool:
        """Whether the driver's port took the card's connection; pcscd notices within 0.4 s, its polling interval."""
        return self._socket is not None

    async def start(self, *, after_another: bool = False) -> None:
        """Begin to serve the inserted card, if any, and those inserted later.

        `after_another`: a simulator in another process that ended just now may have had a card in this slot, which pcscd has to
        miss first. Of slots in this process that is known.
        """
        self._running = True
        if after_another:
            self._leave_gap()
        self._serve_card()

    def insert(self, card: ChipCard) -> None:
        """Put a card in. Raises ValueError when one is inside. It connects at once, or 0.6 s after the one before it left."""
        if self._card is not None:
            raise ValueError("the slot holds a card already")
        self._card = card
        self._untouched = True
        self._serve_card()

    def exchange(self, card: ChipCard) -> None:
        """Put another card in the place of the one inside, so quickly that the driver's connection stays: pcscd sees nothing.

        It answers from the next command on. Raises ValueError when none is inside.
        """
        if self._card is None:
            raise ValueError("the slot holds no card")
        self._card = card

    def remove(self) -> None:
        """Take the card out; a command under way is cancelled. An empty slot is fine."""
        connected = self._socket is not None
        if connected:
            self._leave_gap()
        self._card = self._socket = None
        serving, self._serving = self._serving, None
        if serving is not None and connected and not self._works.is_set():
            self._stuck.append(serving)
        elif serving is not None:
            serving.cancel()

    def hang(self) -> None:
        """The reader takes what it is sent and answers nothing, whatever is done to the card, until `thaw`."""
        self._works.clear()

    def thaw(self) -> None:
        """The reader goes on: it answers for the card that is still there; what was asked of one that left fails."""
        for serving in self._stuck:
            serving.cancel()
            self._leave_gap()
        self._stuck.clear()
        self._works.set()

    async def close(self) -> None:
        """Disconnect and end. Twice is fine."""
        self._running = False
        self.thaw()
        self.remove()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _serve_card(self) -> None:
        if not self._running or self._card is None:
            return
        self._serving = asyncio.get_running_loop().create_task(self._serve(self._card), name="vpcd slot")
        self._tasks.add(self._serving)
        self._serving.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        """A card was served; its own mistake must not pass unseen."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "vpcd slot failed", "exception": task.exception(), "task": task}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _serve(self, card: ChipCard) -> None:
        """Hold a connection for this card until it is removed or dies."""
        await self._works.wait()
        await asyncio.sleep(_free_at_s.get(self.address, 0.0) - time.monotonic())
        while True:
            with contextlib.suppress(OSError):  # the driver is not there or went: pcscd restarts
                try:
                    await self._connect_and_answer(card)
                except CardDied:
                    _log.info("card died")
                    self._card = None
                    self._leave_gap()
                    return
            await asyncio.sleep(_RETRY_S)

    def _leave_gap(self) -> None:
        _free_at_s[self.address] = time.monotonic() + _GAP_S

    async def _connect_and_answer(self, card: ChipCard) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.get_running_loop().sock_connect(sock, self.address)
            self._socket = sock
            try:
                await self._answer_frames(card, sock)
            finally:
                if self._socket is sock:  # pcscd went, and with it the supply; a card that was removed has lost its own already
                    self._socket = None
                    (self._card or card).power(on=False)

    async def _answer_frames(self, card: ChipCard, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        frames = FrameDecoder()
        while True:
            while (frame := frames.next()) is not None:
                await self._works.wait()
                answer = await self._answer(self._card or card, frame)
                await self._works.wait()
                if answer is not None:
                    await loop.sock_sendall(sock, encode_frame(answer))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = await loop.sock_recv(sock, _RECEIVE_BYTES)
            if not data:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            frames.feed(data)

    async def _answer(self, card: ChipCard, frame: bytes) -> bytes | None:
        """What to send back; None for nothing."""
        if len(frame) > 1:
            return await self._apdu(card, frame)
        command = frame[0] if frame else None
        if command in (_POWER_OFF, _POWER_ON):
            card.power(command == _POWER_ON)
        elif command == _RESET:
            card.reset()
        return card.atr if command == _GET_ATR else None

    async def _apdu(self, card: ChipCard, command: bytes) -> bytes | None:
        if self._untouched:
            self._untouched = False
            if self.on_first_apdu is not None:
                self.on_first_apdu()
        response = await card.apdu(command)
        if response is not None and len(response) < _SHORTEST_RESPONSE:
            raise ValueError(f"a card answered {len(response)} bytes: a response ends with two bytes of status")
        return response
