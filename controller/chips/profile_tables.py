"""The tables of a chip profile, each sound in itself; `controller.chips.profile` puts them together."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, StrictBool, StrictInt
from pydantic.dataclasses import dataclass

from controller.chips.apdu import ApduError, Command

LENGTH_PREFIX_BYTES = 2
MAX_CONTENT_BYTES = 0x8000 - LENGTH_PREFIX_BYTES  # READ BINARY has a 15-bit offset
MAX_FILES = 64  # far more than any identity chip has; bounds a look at all of them
MAX_BLOCK_BYTES = 255  # one short command; longer blocks need a reader that was tried with extended length
MAX_STEPS = 64  # far more than any script has

FID_MARK = "{fid}"


class ProfileMistake(ValueError):
    """What is wrong in a table, for people."""

    def __init__(self, indonesian: str, english: str) -> None:
        super().__init__(english)
        self.indonesian = indonesian


def parse_command(value: object) -> Command:
    """The command in a text of hex digits. Raises ApduError."""
    if not isinstance(value, str):
        raise ApduError("must be a command in hex digits")
    try:
        raw = bytes.fromhex(value)
    except ValueError as error:
        raise ApduError(f"'{value}' is not made of pairs of hex digits") from error
    return Command.decode(raw)


def _fid_template(value: str) -> str:
    if value.count(FID_MARK) != 1:
        raise ProfileMistake(f"harus memuat {FID_MARK} satu kali", f"must contain {FID_MARK} once")
    parse_command(value.replace(FID_MARK, "6FF1"))
    return value


_Hex = Annotated[Command, PlainValidator(parse_command)]
_Byte = Annotated[StrictInt, Field(ge=0, le=0xFF)]
_Fid = Annotated[StrictInt, Field(ge=1, le=0xFFFF)]
CLOSED = ConfigDict(defer_build=True, extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, config=CLOSED)
class ChannelTable:
    """How commands are protected once the steps of `open` are done."""

    kind: Literal["none", "icao", "scp03"]
    card_control: _Fid | None = None  # icao: the file that the key holder derives the card's keys from
    size: Literal[8, 16] = 8  # scp03: S8 or S16
    level: Literal[0x00, 0x01, 0x03, 0x11, 0x13, 0x33] = 0x33  # scp03: security level
    key_version: Annotated[StrictInt, Field(ge=0, le=0x7F)] = 0  # scp03: of INITIALIZE UPDATE; 0: the card's choice

    @property
    def most_bytes(self) -> tuple[int, int]:
        """The most clear data that a short command holds, and that its answer does (chip.md 2.4)."""
        if self.kind == "none":
            return 255, 256
        if self.kind == "icao":
            return 239, 231
        answer = 256 - self.size if self.level & 0x10 else 256
        return _padded_room(255 - self.size, self.level & 0x02), _padded_room(answer, self.level & 0x20)


def _padded_room(room: int, enciphered: int) -> int:
    """What fits into `room` bytes when it may be padded to whole blocks of 16."""
    return room // 16 * 16 - 1 if enciphered else room


@dataclass(frozen=True, slots=True, config=CLOSED)
class Selecting:
    """How the chip and its files are addressed."""

    uid: _Hex  # answered by the reader
    file: Annotated[str, AfterValidator(_fid_template)]  # hex with {fid} for the four digits of the file id
    uid_b: _Hex | None = None  # the UID of a type B chip, answered by the chip


@dataclass(frozen=True, slots=True, config=CLOSED)
class Reading:
    """How a file is read."""

    block_bytes: Annotated[StrictInt, Field(ge=LENGTH_PREFIX_BYTES, le=MAX_BLOCK_BYTES)]
    length_prefix_bytes: Literal[2]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Writing:
    """How a file is written."""

    write: Literal["update binary", "store data"]
    block_bytes: Annotated[StrictInt, Field(ge=LENGTH_PREFIX_BYTES, le=MAX_BLOCK_BYTES)]
    signature: _Fid | None = None  # the file that holds the centre's signature over the others; None: nothing is checked


@dataclass(frozen=True, slots=True, config=CLOSED)
class Keys:
    """PUT KEY."""

    version: Annotated[StrictInt, Field(ge=1, le=0x7F)]  # that the card's own keys get
    block: Literal["prefixed", "bare"]


@dataclass(frozen=True, slots=True, config=CLOSED)
class FileRow:
    """One elementary file."""

    fid: _Fid
    name: str
    max_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_CONTENT_BYTES)]  # content, without the length prefix
    personalised: StrictBool  # written for each resident; False: there on the blank, never written here
    read: Literal["free", "channel"]  # who may read it


class Phase(StrEnum):
    """When a step is done."""

    OPEN = "open"  # the connection to the card is new: its UID is known, nothing is selected, nothing is protected
    FRESH = "fresh"  # is anything written on it?
    WRITE = "write"
    READ = "read"
    LOCK = "lock"  # what was read back was right
    VERIFY = "verify"  # after a reset and `open`


class Do(StrEnum):
    """What a step does: see `controller.chips.steps`."""

    SEND = "send"
    AUTHENTICATE = "authenticate"
    MEASURE = "measure"
    WRITE = "write"
    READ = "read"
    STOP_IF = "stop if"
    REQUIRE = "require"
    KEYS = "keys"


_PHASES = {  # what belongs where; the rest may stand anywhere
    Do.AUTHENTICATE: {Phase.OPEN}, Do.MEASURE: {Phase.FRESH}, Do.WRITE: {Phase.WRITE}, Do.READ: {Phase.READ, Phase.VERIFY},
    Do.STOP_IF: {Phase.LOCK}, Do.KEYS: {Phase.LOCK},
}  # fmt: skip
_COMMANDS = {Do.SEND, Do.STOP_IF, Do.REQUIRE}
_NEEDED = {Phase.FRESH: Do.MEASURE, Phase.WRITE: Do.WRITE, Phase.READ: Do.READ, Phase.VERIFY: Do.READ}
_LOOKING = {Do.STOP_IF, Do.REQUIRE}


@dataclass(frozen=True, slots=True, config=CLOSED)
class Step:
    """One row of the script."""

    phase: Phase
    do: Do
    name: str = ""
    command: _Hex | None = None
    path: tuple[StrictInt, ...] = ()  # of tags in the answer
    value: Annotated[str, Field(pattern="^([0-9A-F]{2})*$")] = ""  # what stands there, in hex


def sound_step(row: Step) -> Step:
    """The step, when it has what it needs and no more. Raises ProfileMistake."""
    if row.phase not in _PHASES.get(row.do, {row.phase}):
        raise ProfileMistake(
            f"'{row.do}' tidak boleh dalam fase '{row.phase}'", f"'{row.do}' has no place in phase '{row.phase}'"
        )
    if (row.command is not None) != (row.do in _COMMANDS):
        wanted = row.do in _COMMANDS
        raise ProfileMistake(f"'{row.do}' {'memerlukan' if wanted else 'tidak memakai'} command",
                             f"'{row.do}' {'needs a' if wanted else 'has no'} command")  # fmt: skip
    if bool(row.value and row.path) != (row.do in _LOOKING) or bool(row.value) != bool(row.path):
        wanted = row.do in _LOOKING
        raise ProfileMistake(f"'{row.do}' {'memerlukan' if wanted else 'tidak memakai'} path dan value",
                             f"'{row.do}' {'needs' if wanted else 'has no'} path and value")  # fmt: skip
    if row.command is not None and not row.name:
        raise ProfileMistake(f"'{row.do}' memerlukan name: itu yang dilihat teknisi bila chip menolak",
                             f"'{row.do}' needs a name: it is what a technician sees when the chip says no")  # fmt: skip
    return row


def sound_script(rows: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, when nothing is missing. Raises ProfileMistake."""
    if not len(_NEEDED) <= len(rows) <= MAX_STEPS:
        raise ProfileMistake(f"{len(rows)} langkah; harus {len(_NEEDED)} sampai {MAX_STEPS}",
                             f"{len(rows)} steps; {len(_NEEDED)} to {MAX_STEPS} are possible")  # fmt: skip
    missing = ", ".join(f"'{do}' ({phase})" for phase, do in _NEEDED.items()
                        if sum((row.phase, row.do) == (phase, do) for row in rows) != 1)  # fmt: skip
    if missing:
        raise ProfileMistake(f"harus ada tepat satu kali: {missing}", f"needed exactly once: {missing}")
    return rows


def sound_files(rows: tuple[FileRow, ...]) -> tuple[FileRow, ...]:
    """The files, when each is listed once. Raises ProfileMistake."""
    if not 1 <= len(rows) <= MAX_FILES:
        raise ProfileMistake(f"memuat {len(rows)} berkas; harus 1 sampai {MAX_FILES}",
                             f"lists {len(rows)} files; 1 to {MAX_FILES} are possible")  # fmt: skip
    twice = ", ".join(f"{fid:04X}" for fid, times in Counter(row.fid for row in rows).items() if times > 1)
    if twice:
        raise ProfileMistake(f"nomor berkas lebih dari sekali: {twice}", f"file ids listed more than once: {twice}")
    return rows


@dataclass(frozen=True, slots=True, config=CLOSED)
class Confidence:
    """How sure one part of the profile is, and whose word it is; the letters stand in firmware_profiles/README.md."""

    level: Annotated[str, Field(pattern="^[A-E]$")]
    source: Annotated[str, Field(min_length=1)]
