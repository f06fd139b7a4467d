"""The Magicard SOH/REQ protocol as bytes: requests out, replies in, fields into meaning. Pure. Facts: printers.md 4.2.

A request is 01h ``,REQ,`` name ``,`` 1Ch 03h. A reply is 01h ``STA`` text 03h; a 00h may follow. Requests have no number and
replies do not name their request, but three kinds can be told apart: ``STA$$`` and fields (INF), ``STA,`` key (a key query),
and ``STA`` and lines of text (ERR). The text is in the language of the last job; only its error pair decides anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from controller.errors import DeviceUnknown
from controller.hal.profiles.parts import INFO_FIELDS

MAX_REPLY_BYTES = 1024  # the vendor's own driver reads into 1024 bytes
MAX_FIELD_CHARS = 64  # the vendor's own driver keeps at most 30
MAX_DIGITS = 10  # life counters are 32 bits wide at most
NO_ERROR = "00:00"

_SOH, _FS, _ETX, _NUL = 0x01, b"\x1c", 0x03, 0x00
_HEAD = b"STA"
_REQUEST = re.compile(r"[A-Z][A-Z0-9,]{1,15}")
_PAIR = re.compile(r"(?<!\d)(\d\d):(\d\d)\s*$")
_BUTTONS = re.compile(r"\(c\d{4}\)")  # which buttons a monitor may show
_KEY = re.compile(r",[A-Z]{3}.*", re.DOTALL)
_BREAKS = "\n\r\t"
_PCB_VERSION, _BY_HAND = 7, 8
_FLAGS = ("0", "1")


class Kind(StrEnum):
    """What a reply answers."""

    ERRORS = "ERR"
    INFO = "INF"
    KEY = "STA"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply without its frame and head."""

    kind: Kind
    body: str


@dataclass(frozen=True, slots=True)
class Status:
    """The reply to ERR."""

    pair: str  # ``major:minor``; NO_ERROR when all is well
    text: str  # the printer's own words with the pair, for the technician


@dataclass(frozen=True, slots=True)
class Info:
    """The reply to INF."""

    fields: tuple[str, ...]  # by the numbers of printers.md 4.2
    cards: int  # printed in the printer's life
    panels: int  # dye panels, likewise
    cleans: int
    cards_since_clean: int
    cards_between_cleans: int
    head_position: int  # 50 unless the maker or a technician moved the picture
    shots_left: int | None  # on the ribbon; None when it has no tag

    @property
    def model(self) -> str:
        """The printer's own name."""
        return self.fields[1]

    @property
    def head(self) -> str:
        """The kind of its print head, as a number."""
        return self.fields[2]

    @property
    def serial(self) -> str:
        """The printer's own number: the only mark of a printer in this protocol."""
        return self.fields[3]

    @property
    def firmware(self) -> str:
        """Its version."""
        return self.fields[6]

    @property
    def counters(self) -> tuple[str, ...]:
        """What rises when a card is printed: total cards, cards on this head, dye panels, shots used."""
        return tuple(self.fields[number] for number in (9, 10, 11, 23))


def encode(request: str) -> bytes:
    """The bytes of a request such as ``INF``. A text that is no request is a bug of the profile: ValueError."""
    if not _REQUEST.fullmatch(request):
        raise ValueError(f"not a request: {request!r}")
    return b"\x01,REQ," + request.encode("ascii") + b"," + _FS + b"\x03"


class ReplyReader:
    """Turns packets into replies, however they were cut or glued together."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, packet: bytes) -> list[Reply]:
        """The replies that this packet completes. Raises DeviceUnknown when it cannot be the protocol's text.

        NULs between replies are filler. After an error the reader must be reset.
        """
        replies = []
        self._rest = (self._rest + packet).lstrip(b"\0")
        while (end := self._rest.find(_ETX)) >= 0:
            replies.append(_reply(self._rest[:end]))
            self._rest = self._rest[end + 1 :].lstrip(b"\0")
        _check_raw(self._rest)
        return replies

    @property
    def unfinished(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._rest)

    def reset(self) -> None:
        """Forget the beginning of a reply."""
        self._rest = b""


def status_of(reply: Reply) -> Status:
    """The error pair and the words around it. DeviceUnknown when there is no pair."""
    lines = [line.strip() for line in re.split(f"[{_BREAKS}]", reply.body) if line.strip()]
    lines = [line for line in lines if not _BUTTONS.fullmatch(line)]
    match = _PAIR.search(lines[-1]) if lines else None
    if match is None:
        raise DeviceUnknown("printer_garbled", f"no error pair in {_shown(reply.body)}")
    return Status(f"{match[1]}:{match[2]}", " / ".join(_printable(line) for line in lines))


def info_of(reply: Reply) -> Info:
    """The fields with their meaning. DeviceUnknown when one that matters is not there or not a number."""
    fields = _fields(reply.body)
    if fields[_BY_HAND] not in _FLAGS:
        raise DeviceUnknown("printer_garbled", f"REQ,INF field {_BY_HAND}: {fields[_BY_HAND]!r} is neither 0 nor 1")
    if not fields[3]:
        raise DeviceUnknown("printer_garbled", "REQ,INF field 3: no serial number")
    total, used = _digits(fields[22]), _digits(fields[23])
    return Info(
        fields, cards=_number(fields, 9), panels=_number(fields, 11), cleans=_number(fields, 12),
        cards_since_clean=_number(fields, 14), cards_between_cleans=_number(fields, 15), head_position=_number(fields, 16),
        shots_left=max(0, total - used) if total and used is not None else None,
    )  # fmt: skip


def _reply(raw: bytes) -> Reply:
    _check_raw(raw)
    body = raw[1 + len(_HEAD) :].decode("latin-1")
    if raw[1 : 1 + len(_HEAD)] != _HEAD:
        raise DeviceUnknown("printer_garbled", f"not a reply: {raw[:32]!r}")
    if body.startswith("$$"):
        return Reply(Kind.INFO, body[2:])
    return Reply(Kind.KEY if _KEY.fullmatch(body) else Kind.ERRORS, body)


def _check_raw(raw: bytes) -> None:
    """Prove that these bytes may be a reply, or the beginning of one, without its end."""
    if len(raw) > MAX_REPLY_BYTES:
        raise DeviceUnknown("printer_garbled", f"a reply of more than {MAX_REPLY_BYTES} bytes: {raw[:32]!r}...")
    if raw and (raw[0] != _SOH or any(byte < 0x20 and chr(byte) not in _BREAKS for byte in raw[1:])):
        raise DeviceUnknown("printer_garbled", f"not a reply: {raw[:32]!r}")


def _fields(body: str) -> tuple[str, ...]:
    """Split at commas and colons alike, as the vendor's own parser does; a colon within the PCB version splits nothing."""
    parts = re.split("([,:])", body.strip(_BREAKS).removesuffix(","))
    fields, marks = [field.strip() for field in parts[::2]], parts[1::2]
    whole = len(fields) in INFO_FIELDS and fields[_BY_HAND] in _FLAGS
    if not whole and len(fields) - 1 in INFO_FIELDS and marks[_PCB_VERSION] == ":":
        fields[_PCB_VERSION : _PCB_VERSION + 2] = [":".join(fields[_PCB_VERSION : _PCB_VERSION + 2])]
    if len(fields) not in INFO_FIELDS:
        raise DeviceUnknown("printer_garbled", f"REQ,INF has {len(fields)} fields, not {INFO_FIELDS[0]} to {INFO_FIELDS[-1]}")
    for number, field in enumerate(fields):
        if len(field) > MAX_FIELD_CHARS:
            raise DeviceUnknown("printer_garbled", f"REQ,INF field {number} has {len(field)} characters")
    return tuple(_printable(field) for field in fields)


def _number(fields: tuple[str, ...], number: int) -> int:
    value = _digits(fields[number])
    if value is None:
        raise DeviceUnknown("printer_garbled", f"REQ,INF field {number}: {fields[number]!r} is no number")
    return value


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _shown(text: str) -> str:
    return repr(text[:80])
