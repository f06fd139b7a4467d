"""Replies on their way to the host: packets on the bulk IN endpoint, and the tricks a bad line plays with them."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

MAX_PACKETS = 1_000  # replies nobody fetched; a host that never reads loses the oldest
ENDLESS_PACKETS = 200  # of 512 bytes: far more than any reply has
_PIECE_GAP_S = 0.02  # wall clock between the pieces of a split reply
_PIECES_S = 0.4  # and of all of them together: a split reply is not a late one
_GARBLE = 0x15  # turns "OK" into "Z^"


@dataclass(frozen=True, slots=True)
class Trick:
    """What happens to one reply."""

    kind: str  # late, split, merged, garbled, wrong, lost, endless
    seconds: float = 0.0  # late: how late, wall clock
    text: str = ""  # wrong: what comes instead


class ReplyTricks:
    """A queue of packets; a bulk IN transfer takes one, or a part of it when it asks for less."""

    def __init__(self, end: bytes = b"\0") -> None:
        self._end = end  # of a reply
        self.tricks: deque[Trick] = deque()  # each next reply uses one up
        self._packets: deque[bytes] = deque(maxlen=MAX_PACKETS)
        self._labels: deque[str] = deque(maxlen=MAX_PACKETS)  # which command each packet answers
        self._held = b""  # a reply that waits for the next one
        self._ready = asyncio.Event()

    async def send(self, reply: bytes, label: str) -> None:
        """Let the host have the reply to the command `label`, as the next trick wants it."""
        trick = self.tricks.popleft() if self.tricks else None
        if trick is None:
            self._put(reply, label)
        elif trick.kind == "late":
            await asyncio.sleep(trick.seconds)
            self._put(reply, label)
        elif trick.kind == "split":
            await self._put_in_pieces(reply, label)
        elif trick.kind == "merged":
            self._held += reply
        elif trick.kind == "garbled":
            self._put(bytes(byte ^ _GARBLE for byte in reply[:-1]) + reply[-1:], label)
        elif trick.kind == "endless":
            for _ in range(ENDLESS_PACKETS):
                self._put(b"A" * 512, label)
        elif trick.kind == "wrong":
            self._put(trick.text.encode("latin-1", "replace") + self._end, label)

    async def wait(self) -> str:
        """Wait for a packet; returns which command it answers."""
        while not self._packets:
            self._ready.clear()
            await self._ready.wait()
        return self._labels[0]

    def take(self, length: int) -> bytes:
        """The next packet, which is there, or the first `length` bytes of it."""
        packet, label = self._packets.popleft(), self._labels.popleft()
        if len(packet) > length:
            self._packets.appendleft(packet[length:])
            self._labels.appendleft(label)
        return packet[:length]

    def flush(self) -> None:
        """Lose what was not fetched."""
        self._packets.clear()
        self._labels.clear()
        self._held = b""

    def _put(self, data: bytes, label: str) -> None:
        self._packets.append(self._held + data)
        self._labels.append(label)
        self._held = b""
        self._ready.set()

    async def _put_in_pieces(self, reply: bytes, label: str) -> None:
        gap_s = min(_PIECE_GAP_S, _PIECES_S / max(1, len(reply)))
        for byte in reply:
            self._put(bytes([byte]), label)
            await asyncio.sleep(gap_s)
