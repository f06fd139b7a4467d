"""ISO 7816-4 command and response APDUs in short form, and what to send after 61xx and 6Cxx (chip.md 2.1, 2.3).

| case | bytes                        |
|------|------------------------------|
| 1    | CLA INS P1 P2                |
| 2    | CLA INS P1 P2 Le             |
| 3    | CLA INS P1 P2 Lc data        |
| 4    | CLA INS P1 P2 Lc data Le     |

Extended length is refused: no reader says whether it can do it (chip.md 6.3), so it comes with a probe of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MAX_COMMAND_DATA_BYTES = 255  # Lc is one byte
MAX_ANSWER_DATA_BYTES = 256  # Le is one byte; 00 asks for 256

_HEADER_BYTES = 4
_STATUS_BYTES = 2
_GET_RESPONSE = 0xC0
_CHANNEL_BITS = 0x03  # GET RESPONSE goes to the logical channel of its command


class ApduError(ValueError):
    """These bytes are not an APDU, or not one in short form."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command APDU. Raises ApduError for anything that does not fit the short form."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None  # 1..256 bytes wanted; None: no answer data is wanted

    def __post_init__(self) -> None:
        if not all(0 <= byte <= 0xFF for byte in (self.cla, self.ins, self.p1, self.p2)):
            raise ApduError("CLA, INS, P1 and P2 are one byte each")
        if len(self.data) > MAX_COMMAND_DATA_BYTES:
            raise ApduError(
                f"{len(self.data)} bytes of data need the extended form; the short form holds {MAX_COMMAND_DATA_BYTES}"
            )
        if self.le is not None and not 1 <= self.le <= MAX_ANSWER_DATA_BYTES:
            raise ApduError(f"an answer of {self.le} bytes; the short form asks for 1 to {MAX_ANSWER_DATA_BYTES}")

    def encode(self) -> bytes:
        """The bytes to send."""
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        body = bytes((len(self.data),)) + self.data if self.data else b""
        tail = b"" if self.le is None else bytes((self.le % MAX_ANSWER_DATA_BYTES,))
        return header + body + tail

    @classmethod
    def decode(cls, raw: bytes) -> Command:
        """The command in `raw`, with nothing left over."""
        if len(raw) < _HEADER_BYTES:
            raise ApduError(f"{len(raw)} bytes; a command has at least {_HEADER_BYTES}")
        cla, ins, p1, p2 = raw[:_HEADER_BYTES]
        data, le = _split_body(raw[_HEADER_BYTES:])
        return cls(cla, ins, p1, p2, data, le)


@dataclass(frozen=True, slots=True)
class Response:
    """One response APDU."""

    data: bytes
    sw: int  # SW1 SW2 as one number, e.g. 0x9000

    def encode(self) -> bytes:
        """The bytes as they come from the card."""
        return self.data + self.sw.to_bytes(_STATUS_BYTES, "big")

    @classmethod
    def decode(cls, raw: bytes) -> Response:
        """The response in `raw`; ApduError when it lacks a status word."""
        if len(raw) < _STATUS_BYTES:
            raise ApduError(f"an answer of {len(raw)} bytes has no status word")
        return cls(bytes(raw[:-_STATUS_BYTES]), int.from_bytes(raw[-_STATUS_BYTES:], "big"))


def follow_up(command: Command, response: Response) -> Command | None:
    """What must be sent next to get the answer `command` asked for; None when `response` is the last word.

    Nothing is fetched for a command that wants no data, and such a command is never sent again: it may be a write.
    """
    if command.le is None:
        return None
    kind, count = response.sw >> 8, response.sw & 0xFF or MAX_ANSWER_DATA_BYTES
    if kind == 0x61:
        return Command(command.cla & _CHANNEL_BITS, _GET_RESPONSE, 0, 0, le=count)
    if kind == 0x6C:
        return replace(command, le=count)
    return None


def _split_body(body: bytes) -> tuple[bytes, int | None]:
    """Data and Le of a command's body."""
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or MAX_ANSWER_DATA_BYTES
    length, rest = body[0], body[1:]
    if length == 0:
        raise ApduError("extended length is not supported")
    if len(rest) not in (length, length + 1):
        raise ApduError(f"Lc says {length} bytes, {len(rest)} follow")
    return bytes(rest[:length]), (rest[length] or MAX_ANSWER_DATA_BYTES) if len(rest) > length else None
