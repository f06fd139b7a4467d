"""One printer of the plan, the little that is said to it, and what a failed check is."""

from __future__ import annotations

from dataclasses import dataclass

LIMIT_S = 30.0  # an emulated processor is some 20 times slower than a real one
SHORT_MS = 300  # a read that gets nothing
READY = 0x18  # port status
SPEAK = {  # family -> a harmless question, how its reply ends, how it begins, the filler that may stand before a command
    "evolis": (b"\x1bRtp\r", b"\0", b"Evolis", b"\0"),
    "magicard": (b"\x01,REQ,INF,\x1c\x03", b"\x03", b"\x01STA", b"\x05"),
}


class Wrong(Exception):
    """A check failed; the text says how."""


@dataclass(frozen=True, slots=True)
class Printer:
    """One printer of the plan."""

    name: str
    family: str
    busid: str
    serial: str
    vendor_id: int
    product_id: int
    port: str  # TCP, of the USB/IP server

    @property
    def question(self) -> bytes:
        """A harmless question."""
        return SPEAK[self.family][0]

    def judge(self, reply: bytes) -> str:
        """The reply's text. Raises Wrong."""
        _, end, start, _ = SPEAK[self.family]
        if not reply.startswith(start) or end not in reply:
            raise Wrong(f"not a reply: {reply[:80]!r}")
        return reply.strip(b"\0\1\3").decode("latin-1")[:80]


def need(good: bool, otherwise: str) -> None:
    """Raise Wrong unless it is good."""
    if not good:
        raise Wrong(otherwise)
