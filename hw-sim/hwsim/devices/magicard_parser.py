"""What a Magicard makes of the bytes it is sent (printers.md 4.2, 4.4). Pure: bytes in, requests and jobs out.

    request = *any 01 text 1C 03        text: ",REQ,ERR,", "REQ,STA,MSR,", "TST,"; 05h before 01h is a guard, 0, 9 or 64 of them
    job     = page [ page ]             the second after a page with DPXON
    page    = *any 01 header 1C *( plane 1C letter 3A ) [ 03 ]

Planes are as long as the SZ keys say, so one that is too short swallows what follows. They come in the order y, m, c, k; one
driver says in the order of the SZ keys, so a terminator at the length of another due plane ends that one. Our choices (E):
a transfer that is one whole request and nothing else is taken as a request even while a job's planes are due: that is how a torn
job can be dropped with CAN. A header begins anew at every 01h.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from hwsim.devices.magicard_job import PANELS, Job, Page, parse_header

SOH, ETX, END_OF_TEXT = 0x01, 0x03, 0x1C
MAX_HEADER_BYTES = 4_096  # real headers have some 210; magnetic tracks add 400
_WHOLE_REQUEST = re.compile(rb"\x05*\x01(,?REQ,[A-Z0-9,]+)\x1c\x03")
_JOB = re.compile(rb"\x01,?NOC")
_TERMINATOR = re.compile(rb"\x1c([BGRKYMC]):")
_MARK_BYTES = 3  # of a terminator


@dataclass(frozen=True, slots=True)
class Request:
    """A question or an action: `REQ,ERR`, `REQ,STA,MSR`, `TST`."""

    text: str


Event = Request | Job


class _State(Enum):
    SEEK = auto()  # between messages
    TEXT = auto()
    END = auto()  # of a request: 03h is due
    PLANE = auto()
    MARK = auto()  # the plane's terminator is due
    TAIL = auto()  # all planes are there: 03h or the next page is due


class MagicardParser:
    """Feed bytes in any pieces; `take` stops after each message. Holds at most one job."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what is not complete, the first side of a job included."""
        self._state, self._text, self._plane, self._mark = _State.SEEK, bytearray(), bytearray(), bytearray()
        self._due: list[str] = []
        self._page: Page | None = None
        self._pages: list[Page] = []

    @property
    def idle(self) -> bool:
        """Whether the next byte begins something new."""
        return self._state is _State.SEEK and not self._pages

    @property
    def in_job(self) -> bool:
        """Whether part of a job has come."""
        return self._page is not None or bool(self._pages)

    def whole_request(self, transfer: bytes) -> Request | None:
        """The request that this transfer is in whole, when a job is under way."""
        found = _WHOLE_REQUEST.fullmatch(transfer) if self.in_job and len(transfer) < MAX_HEADER_BYTES else None
        return None if found is None else Request(found[1].decode("ascii").strip(","))

    def begins_job(self, data: memoryview) -> bool:
        """Whether a new job's header is in this data, or ends in it."""
        if self._state not in (_State.SEEK, _State.TEXT) or self._pages:
            return False
        before = b"\x01" + bytes(self._text) if self._state is _State.TEXT else b""
        return _JOB.search(before + bytes(data)) is not None

    def take(self, data: memoryview) -> tuple[int, Event | None]:
        """Read on until a message is complete; returns how many bytes were used, and the message."""
        at = 0
        while at < len(data):
            used, event = self._step(data, at)
            at += used
            if event is not None:
                return at, event
        return at, None

    def _step(self, data: memoryview, at: int) -> tuple[int, Event | None]:
        if self._state is _State.PLANE:
            return self._plane_bytes(data, at), None
        byte = data[at]
        if self._state is _State.SEEK:
            return 1, self._seek(byte)
        if self._state is _State.TEXT:
            return 1, self._header_byte(byte)
        if self._state is _State.MARK:
            self._mark_byte(byte)
            return 1, None
        if self._state is _State.TAIL:
            return self._tail_byte(byte)
        self._state = _State.SEEK  # END
        return (1, Request(self._said())) if byte == ETX else (0, None)

    def _seek(self, byte: int) -> Event | None:
        if byte == SOH:
            self._begin_text()
        return None

    def _begin_text(self) -> None:
        self._state = _State.TEXT
        self._text.clear()

    def _header_byte(self, byte: int) -> Event | None:
        if byte == SOH:
            self._text.clear()
        elif byte == ETX or len(self._text) >= MAX_HEADER_BYTES:
            self._state = _State.SEEK
        elif byte == END_OF_TEXT:
            return self._end_of_header()
        else:
            self._text.append(byte)
        return None

    def _end_of_header(self) -> Event | None:
        page = parse_header(self._said())
        if page is None:
            self._state = _State.END if not self._said().startswith("NOC") else _State.SEEK
            return None
        first, self._pages = (self._pages, []) if page.side == "front" else ([], self._pages)
        self._page, self._due = page, list(page.sizes)
        self._next_plane()
        return Job(tuple(first)) if first else None  # its other side never came

    def _next_plane(self) -> None:
        self._plane, self._mark = bytearray(), bytearray()
        self._state = _State.PLANE if self._due else _State.TAIL

    def _plane_bytes(self, data: memoryview, at: int) -> int:
        assert self._page is not None
        sizes = sorted(self._page.sizes[panel] for panel in self._due)
        ends = [size + _MARK_BYTES for size in sizes if size + _MARK_BYTES < sizes[-1]] + [sizes[-1]]
        end = next(end for end in ends if end > len(self._plane))
        part = data[at : at + end - len(self._plane)]
        self._plane += part
        if len(self._plane) == sizes[-1]:
            self._state = _State.MARK
        elif len(self._plane) == end:
            self._maybe_shorter()
        return len(part)

    def _maybe_shorter(self) -> None:
        """End the plane here when what came last is the terminator of a due one that is just as long."""
        panel, size = _named(self._plane[-_MARK_BYTES:]), len(self._plane) - _MARK_BYTES
        if self._page is not None and panel in self._due and self._page.sizes[panel] == size:
            del self._plane[size:]
            self._plane_complete(panel)

    def _mark_byte(self, byte: int) -> None:
        """The terminator names the plane; what stands before it is dropped."""
        self._mark = (self._mark + bytes((byte,)))[-_MARK_BYTES:]
        panel = _named(self._mark)
        if panel is not None:
            self._plane_complete(panel)

    def _plane_complete(self, panel: str) -> None:
        assert self._page is not None
        self._page.planes[panel] = bytes(self._plane)
        self._due.remove(panel if panel in self._due else self._due[0])
        self._next_plane()

    def _tail_byte(self, byte: int) -> tuple[int, Event | None]:
        if byte not in (ETX, SOH):
            return 1, None
        page, self._page, self._state = self._page, None, _State.SEEK
        assert page is not None
        self._pages.append(page)
        if page.both_sides and page.side == "front":
            return int(byte == ETX), None
        job, self._pages = Job(tuple(self._pages)), []
        return int(byte == ETX), job

    def _said(self) -> str:
        return self._text.decode("latin-1").strip(",")


def _named(mark: bytes | bytearray) -> str | None:
    """The panel whose plane this terminator ends; None when it is none."""
    found = _TERMINATOR.fullmatch(mark)
    return None if found is None else PANELS[found[1].decode("ascii")]
