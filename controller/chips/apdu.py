"""ISO 7816-4 command and response APDUs, and what to send after 61xx and 6Cxx (chip.md 2.1, 2.3).

| case | short                   | extended                          |
|------|-------------------------|-----------------------------------|
| 1    | CLA INS P1 P2           | the same                          |
| 2    | CLA INS P1 P2 Le        | CLA INS P1 P2 00 Le Le            |
| 3    | CLA INS P1 P2 Lc data   | CLA INS P1 P2 00 Lc Lc data       |
| 4    | CLA INS P1 P2 Lc data Le| CLA INS P1 P2 00 Lc Lc data Le Le |

No reader says whether it can do extended length (chip.md 6.3), so a command is short unless `extended` asks for more. No shipped
profile asks for it, nor for a chain: their blocks fit into one short command. Both are here for chips that want them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controller.chips.status_words import meaning_of

MAX_COMMAND_DATA_BYTES = 255  # Lc is one byte
MAX_ANSWER_DATA_BYTES = 256  # Le is one byte; 00 asks for 256
MAX_EXTENDED_DATA_BYTES = 65_000  # a command with all its lengths must stay below a vpcd frame of 65535 bytes (chip.md 6.2)
MAX_EXTENDED_ANSWER_BYTES = 65_536  # Le is two bytes; 0000 asks for 65536
MAX_CHAIN = 64  # links of one chain: 16 kB, twice what a whole identity chip holds

_HEADER_BYTES = 4
_STATUS_BYTES = 2
_GET_RESPONSE = 0xC0
_CHANNEL_BITS = 0x03  # GET RESPONSE goes to the logical channel of its command
_CHAINED = 0x10  # in CLA: more of this command follows


class ApduError(ValueError):
    """These bytes are not an APDU, or the command does not fit the form it is to be sent in."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command APDU. Raises ApduError for anything that does not fit its form."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)  # a resident's
    le: int | None = None  # bytes wanted, 1 to 256 (extended: 65536); None: no answer data is wanted
    extended: bool = False  # lengths of two bytes

    def __post_init__(self) -> None:
        if not all(0 <= byte <= 0xFF for byte in (self.cla, self.ins, self.p1, self.p2)):
            raise ApduError("CLA, INS, P1 and P2 are one byte each")
        holds, asks = (MAX_EXTENDED_DATA_BYTES, MAX_EXTENDED_ANSWER_BYTES) if self.extended else (
            MAX_COMMAND_DATA_BYTES, MAX_ANSWER_DATA_BYTES)  # fmt: skip
        form = "extended" if self.extended else "short"
        if len(self.data) > holds:
            raise ApduError(f"{len(self.data)} bytes of data; the {form} form holds {holds}")
        if self.le is not None and not 1 <= self.le <= asks:
            raise ApduError(f"an answer of {self.le} bytes; the {form} form asks for 1 to {asks}")

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    def encode(self) -> bytes:
        """The bytes to send."""
        if self.extended:
            return self.header + self._extended_body()
        body = bytes((len(self.data),)) + self.data if self.data else b""
        return self.header + body + (b"" if self.le is None else bytes((self.le % MAX_ANSWER_DATA_BYTES,)))

    def _extended_body(self) -> bytes:
        if not self.data and self.le is None:
            return b""
        body = len(self.data).to_bytes(2, "big") + self.data if self.data else b""
        return b"\0" + body + (b"" if self.le is None else (self.le % MAX_EXTENDED_ANSWER_BYTES).to_bytes(2, "big"))

    @classmethod
    def decode(cls, raw: bytes) -> Command:
        """The command in `raw`, with nothing left over. A command without data and Le is taken as short."""
        if len(raw) < _HEADER_BYTES:
            raise ApduError(f"{len(raw)} bytes; a command has at least {_HEADER_BYTES}")
        cla, ins, p1, p2 = raw[:_HEADER_BYTES]
        body = raw[_HEADER_BYTES:]
        if len(body) >= 3 and body[0] == 0:
            return cls(cla, ins, p1, p2, *_split_body(body[1:], 2), extended=True)
        return cls(cla, ins, p1, p2, *_split_body(body, 1))


@dataclass(frozen=True, slots=True)
class Response:
    """One response APDU."""

    data: bytes = field(repr=False)  # a resident's
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
    further = get_response(command, response)
    if further is not None:
        return further
    if meaning_of(response.sw).retryable:
        return replace(command, le=response.sw & 0xFF or MAX_ANSWER_DATA_BYTES)
    return None


def get_response(command: Command, response: Response) -> Command | None:
    """The GET RESPONSE that fetches what 61xx says is waiting; None when nothing waits."""
    if response.sw >> 8 != 0x61:
        return None
    return Command(command.cla & _CHANNEL_BITS, _GET_RESPONSE, 0, 0, le=response.sw & 0xFF or MAX_ANSWER_DATA_BYTES)


def chain(command: Command, block_bytes: int) -> list[Command]:
    """One command as a chain of short ones with at most `block_bytes` of data each; only the last asks for an answer.

    No shipped profile needs it, and none can ask for it: there is no key for it in format 2.
    ApduError when the chain would be longer than MAX_CHAIN.
    """
    if not 1 <= block_bytes <= MAX_COMMAND_DATA_BYTES:
        raise ApduError(f"a link of {block_bytes} bytes; 1 to {MAX_COMMAND_DATA_BYTES} are possible")
    parts = [command.data[at : at + block_bytes] for at in range(0, len(command.data), block_bytes)] or [b""]
    if len(parts) > MAX_CHAIN:
        raise ApduError(f"a chain of {len(parts)} links; {MAX_CHAIN} are allowed")
    links = [replace(command, cla=command.cla | _CHAINED, data=part, le=None, extended=False) for part in parts[:-1]]
    le = None if command.le is None else min(command.le, MAX_ANSWER_DATA_BYTES)  # 61xx tells of more
    return [*links, replace(command, data=parts[-1], le=le, extended=False)]


def _split_body(body: bytes, size: int) -> tuple[bytes, int | None]:
    """Data and Le of a command's body whose lengths have `size` bytes each."""
    if not body:
        return b"", None
    most = 256**size
    if len(body) == size:
        return b"", int.from_bytes(body, "big") or most
    length, rest = int.from_bytes(body[:size], "big"), body[size:]
    if length == 0:
        raise ApduError("Lc says that there is no data, and some follows")
    if len(rest) not in (length, length + size):
        raise ApduError(f"Lc says {length} bytes, {len(rest)} follow")
    return bytes(rest[:length]), (int.from_bytes(rest[length:], "big") or most) if len(rest) > length else None
