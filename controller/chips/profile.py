"""A chip profile: which files a chip has, how they are selected, read and written (`firmware_profiles/chips/*.toml`).

The read side of `ektp` is public, the write side is not (chip.md 1.2, 1.3): what is this project's own choice stands under
`[invented]`, and `confidence` says how sure each table is. A profile with mistakes raises ConfigError with all of them.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, StrictBool, StrictInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from controller.chips.apdu import ApduError, Command
from controller.errors import ConfigError, Problem

LENGTH_PREFIX_BYTES = 2
MAX_CONTENT_BYTES = 0x8000 - LENGTH_PREFIX_BYTES  # READ BINARY has a 15-bit offset
MAX_FILES = 64  # far more than any identity chip has; bounds identify()

_FID_MARK = "{fid}"
_TEXTS = {  # pydantic's error type: Indonesian, English
    "missing": ("wajib ada", "is required"),
    "unexpected_keyword_argument": ("tidak dikenal", "is not known here"),
}


def _command(value: object) -> Command:
    if not isinstance(value, str):
        raise ApduError("must be a command in hex digits")
    try:
        raw = bytes.fromhex(value)
    except ValueError as error:
        raise ApduError(f"'{value}' is not made of pairs of hex digits") from error
    return Command.decode(raw)


def _fid_template(value: str) -> str:
    if value.count(_FID_MARK) != 1:
        raise ApduError(f"must contain {_FID_MARK} once")
    _command(value.replace(_FID_MARK, "6FF1"))
    return value


_Hex = Annotated[Command, PlainValidator(_command)]
_Byte = Annotated[StrictInt, Field(ge=0, le=0xFF)]
_Letter = Annotated[str, Field(pattern="^[A-E]$")]
_closed = ConfigDict(defer_build=True, extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, config=_closed)
class Selecting:
    """How the chip and its files are addressed."""

    uid: _Hex
    df: _Hex
    file: Annotated[str, AfterValidator(_fid_template)]  # hex with {fid} for the four digits of the file id


@dataclass(frozen=True, slots=True, config=_closed)
class Reading:
    """How a file is read."""

    block_bytes: Annotated[StrictInt, Field(ge=LENGTH_PREFIX_BYTES, le=256)]
    length_prefix_bytes: Literal[2]


@dataclass(frozen=True, slots=True, config=_closed)
class Writing:
    """How a file is written."""

    write_ins: _Byte
    write_block_bytes: Annotated[StrictInt, Field(ge=LENGTH_PREFIX_BYTES, le=255)]


@dataclass(frozen=True, slots=True, config=_closed)
class FileRow:
    """One elementary file."""

    fid: Annotated[StrictInt, Field(ge=1, le=0xFFFF)]
    name: str
    max_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_CONTENT_BYTES)]  # content, without the length prefix
    personalised: StrictBool  # written for each resident; False: there on the blank, never written here


def _sound(rows: tuple[FileRow, ...]) -> tuple[FileRow, ...]:
    if not 1 <= len(rows) <= MAX_FILES:
        raise ValueError(f"lists {len(rows)} files; 1 to {MAX_FILES} are possible")
    twice = [f"{fid:04X}" for fid, times in Counter(row.fid for row in rows).items() if times > 1]
    if twice:
        raise ValueError(f"file ids listed more than once: {', '.join(twice)}")
    return rows


@dataclass(frozen=True, slots=True, config=_closed)
class ChipProfile:
    """Everything the scripts need to know of one kind of chip."""

    format: Literal[1]
    name: str
    secure_channel: Literal["none"]
    select: Selecting
    read: Reading
    files: Annotated[tuple[FileRow, ...], AfterValidator(_sound)]
    invented: Writing
    confidence: dict[str, _Letter]

    @property
    def personalised(self) -> tuple[FileRow, ...]:
        """The files written for each resident, in profile order."""
        return tuple(row for row in self.files if row.personalised)

    @property
    def max_bytes(self) -> Mapping[int, int]:
        """For intake: the file ids a record must bring, each with the most bytes of content it may have."""
        return {row.fid: row.max_bytes for row in self.personalised}

    def row(self, fid: int) -> FileRow | None:
        """The row of a file; None when this chip has no such file."""
        return next((row for row in self.files if row.fid == fid), None)

    def select_file(self, fid: int) -> Command:
        """The command that makes a file the current one."""
        return _command(self.select.file.replace(_FID_MARK, f"{fid:04X}"))


def find_profile(directory: Path, name: str) -> ChipProfile:
    """The profile called `name` in `directory`. Raises ConfigError when it is missing or has mistakes."""
    names = sorted(path.stem for path in directory.glob("*.toml"))
    if name not in names:
        listed = ", ".join(names) or "-"
        raise _refusal("missing", name, f"profil chip ini tidak ada di {directory}; yang ada: {listed}",
                       f"no such chip profile in {directory}; there are: {listed}")  # fmt: skip
    profile = load_profile(directory / f"{name}.toml")
    if profile.name != name:
        raise _refusal("name", f"{name}.toml: name", f"'{profile.name}' tidak sama dengan nama berkas",
                       f"'{profile.name}' is not the file's name")  # fmt: skip
    return profile


def load_profile(path: Path) -> ChipProfile:
    """The profile in the file `path`. Raises ConfigError with every mistake and its place."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refusal("unreadable", path.name, f"tidak dapat dibaca: {error}", f"cannot be read: {error}") from error
    return parse_profile(table, path.name)


def parse_profile(table: Mapping[str, Any], source: str) -> ChipProfile:
    """The profile in a parsed TOML table; `source` names it in the ConfigError that lists every mistake."""
    try:
        return TypeAdapter(ChipProfile).validate_python(dict(table))  # judged once: nothing of the judging is kept
    except ValidationError as error:
        raise ConfigError([_problem(detail, source) for detail in error.errors(include_url=False)]) from error


def _problem(detail: ErrorDetails, source: str) -> Problem:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    place = f"{source}: {''.join(steps).removeprefix('.')}"
    message = detail["msg"].removeprefix("Value error, ")
    indonesian, english = _TEXTS.get(detail["type"], (f"tidak sah: {message}", message))
    return Problem(f"chip_profile.{detail['type']}", place, indonesian, english)


def _refusal(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem(f"chip_profile.{code}", place, indonesian, english)])
