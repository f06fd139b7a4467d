"""Replies on their way to the host: packets on the bulk IN endpoint, and the tricks a bad line plays with them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

MAX_PACKETS = 1_000  # replies nobody fetched; a host that never reads loses the oldest
_PIECE_GAP_S = 0.02  # wall clock between the pieces of a split reply
_GARBLE = 0x15  # turns "OK" into "Z^"


@dataclass(frozen=True, slots=True)
class Trick:
    """What happens to one reply."""

    kind: str  # late, split, merged, garbled, wrong, lost
    seconds: float = 0.0  # late: how late, wall clock
    text: str = ""  # wrong: what comes instead


class ReplyTricks:
    """A queue of packets; a bulk IN transfer takes one, or a part of it when it asks for less."""

    def __init__(self) -> None:
        self.tricks: deque[Trick] = deque()  # each next reply uses one up
        self._packets: deque[bytes] = deque(maxlen=MAX_PACKETS)
        self._held = b""  # a reply that waits for the next one
        self._ready = asyncio.Event()

    async def send(self, reply: bytes) -> None:
        """Let the host have a reply, as the next trick wants it."""
        trick = self.tricks.popleft() if self.tricks else None
        if trick is None:
            self._put(reply)
        elif trick.kind == "late":
            await asyncio.sleep(trick.seconds)
            self._put(reply)
        elif trick.kind == "split":
            await self._put_in_pieces(reply)
        elif trick.kind == "merged":
            self._held += reply
        elif trick.kind == "garbled":
            self._put(bytes(byte ^ _GARBLE for byte in reply[:-1]) + reply[-1:])
        elif trick.kind == "wrong":
            self._put(trick.text.encode("latin-1", "replace") + b"\0")

    async def take(self, length: int) -> bytes:
        """The next packet, at most `length` bytes of it; waits for one."""
        while not self._packets:
            self._ready.clear()
            await self._ready.wait()
        packet = self._packets.popleft()
        if len(packet) > length:
            self._packets.appendleft(packet[length:])
        return packet[:length]

    def flush(self) -> None:
        """Lose what was not fetched."""
        self._packets.clear()
        self._held = b""

    def _put(self, data: bytes) -> None:
        self._packets.append(self._held + data)
        self._held = b""
        self._ready.set()

    async def _put_in_pieces(self, reply: bytes) -> None:
        for byte in reply:
            self._put(bytes([byte]))
            await asyncio.sleep(_PIECE_GAP_S)
