"""What a conversation needs of the bytes to and from a USB printer, and what every conversation does with them. Pure.

The line of each family stands on this (`evolis.line`, `magicard.line`): which question is due and what a reply means is theirs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol, TypeVar

from controller.clock import Deadline
from controller.errors import DeviceError, DeviceUnknown
from controller.hal.usb.port_status import Port, port_of, shown

QUIET_S = 0.1  # a line that says nothing for so long has been drained
DRAIN_S = 2.0  # a printer that goes on for longer is not answering, it is broken
MAX_FILLER_BYTES = 4096  # NULs around one reply; the most that is known of is 64 bytes, the padding of Evolis

_T = TypeVar("_T")


class BytePipe(Protocol):
    """Bytes to and from one printer. Blocks; what each method does and raises: `usb_link.UsbPipe`."""

    @property
    def is_open(self) -> bool: ...
    def open(self) -> bool: ...
    def write(self, data: bytes, deadline: Deadline) -> None: ...
    def read(self, deadline: Deadline) -> bytes: ...
    def port_status(self) -> int: ...
    def soft_reset(self) -> None: ...
    def pause(self, seconds: float) -> None: ...
    def dispose(self) -> None: ...


class Reader(Protocol[_T]):
    """A codec's `ReplyReader`: turns packets into replies, however they were cut or glued together."""

    def feed(self, packet: bytes) -> list[_T]: ...


def drain(pipe: BytePipe) -> None:
    """Drop whatever is on its way. DeviceUnknown when it does not end."""
    limit = Deadline.after(DRAIN_S)
    while pipe.read(Deadline.after(QUIET_S)):
        if limit.passed:
            raise DeviceUnknown("printer_garbled", f"the printer talks without end{port_words(pipe)}")


def hear(pipe: BytePipe, reader: Reader[_T], question: str, limit: Deadline) -> list[_T]:
    """What comes next, at least one reply; none when nothing whole came in time. DeviceUnknown for filler without end."""
    heard_bytes = 0
    while heard_bytes <= MAX_FILLER_BYTES:
        packet = pipe.read(limit)
        replies = reader.feed(packet)
        if replies or not packet or limit.passed:
            return replies
        heard_bytes += len(packet)
    raise DeviceUnknown("printer_garbled", f"{heard_bytes} bytes and no reply to {question}")


def is_ready(pipe: BytePipe) -> bool:
    """Whether the port says that the printer waits for us. One that is ready and yet silent takes what we send for dots: somebody
    died in the middle of a card."""
    with suppress(DeviceError):
        return port_of(pipe.port_status()) is Port.READY
    return False


def port_words(pipe: BytePipe) -> str:
    """The port's status as the end of a message; nothing when it cannot be had."""
    with suppress(DeviceError):
        return f"; {shown(pipe.port_status())}"
    return ""
