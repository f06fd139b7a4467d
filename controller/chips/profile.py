"""A chip profile: which files a chip has, how they are selected, read and written (`firmware_profiles/chips/*.toml`).

The read side of `ektp` is public, the write side is not (chip.md 1.2, 1.3): what is this project's own choice stands under
`[invented]`, and `confidence` says how sure each table is. A profile with mistakes raises ConfigError with all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from controller.chips.apdu import Command
from controller.chips.profile_tables import (
    CLOSED,
    FID_MARK,
    ChannelTable,
    Confidence,
    Do,
    FileRow,
    Keys,
    Phase,
    Reading,
    Selecting,
    Step,
    Writing,
    parse_command,
    sound_files,
    sound_script,
    sound_step,
)
from controller.errors import ConfigError, Problem

_TEXTS = {  # pydantic's error type: Indonesian, English
    "missing": ("wajib ada", "is required"),
    "unexpected_keyword_argument": ("tidak dikenal", "is not known here"),
}


@dataclass(frozen=True, slots=True, config=CLOSED)
class ChipProfile:
    """Everything the scripts need to know of one kind of chip."""

    format: Literal[2]
    name: str
    channel: ChannelTable
    select: Selecting
    read: Reading
    files: Annotated[tuple[FileRow, ...], AfterValidator(sound_files)]
    invented: Writing
    steps: Annotated[tuple[Annotated[Step, AfterValidator(sound_step)], ...], AfterValidator(sound_script)]
    confidence: dict[str, Confidence]
    keys: Keys | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> ChipProfile:
        wrong = list(_misfits(self))
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def personalised(self) -> tuple[FileRow, ...]:
        """The files written for each resident, in profile order."""
        return tuple(row for row in self.files if row.personalised)

    @property
    def max_bytes(self) -> Mapping[int, int]:
        """For intake: the file ids a record must bring, each with the most bytes of content it may have."""
        return {row.fid: row.max_bytes for row in self.personalised}

    @property
    def needs_sam(self) -> bool:
        """Whether a key holder takes part."""
        return self.channel.kind != "none"

    @property
    def locks(self) -> bool:
        """Whether the card is closed after it was read back."""
        return any(row.phase is Phase.LOCK for row in self.steps)

    def row(self, fid: int) -> FileRow | None:
        """The row of a file; None when this chip has no such file."""
        return next((row for row in self.files if row.fid == fid), None)

    def phase(self, phase: Phase) -> tuple[Step, ...]:
        """The steps of one phase, in order."""
        return tuple(row for row in self.steps if row.phase is phase)

    def select_file(self, fid: int) -> Command:
        """The command that makes a file the current one."""
        return parse_command(self.select.file.replace(FID_MARK, f"{fid:04X}"))


def _misfits(profile: ChipProfile) -> Iterator[str]:
    """What one table says that another contradicts."""
    command_bytes, answer_bytes = profile.channel.most_bytes
    if profile.invented.block_bytes > command_bytes:
        yield f"invented.block_bytes is {profile.invented.block_bytes}; this channel holds {command_bytes}"
    if profile.read.block_bytes > answer_bytes:
        yield f"read.block_bytes is {profile.read.block_bytes}; this channel holds {answer_bytes}"
    asked = sum(row.do is Do.AUTHENTICATE for row in profile.steps)
    if asked != (profile.channel.kind != "none"):
        yield f"channel '{profile.channel.kind}' and {asked} steps 'authenticate'"
    control = None if profile.channel.card_control is None else profile.row(profile.channel.card_control)
    if (profile.channel.kind == "icao") != (control is not None and control.read == "free"):
        yield "channel.card_control is for 'icao', and names a file that is free to read"
    if (profile.keys is not None) != any(row.do is Do.KEYS for row in profile.steps):
        yield "[keys] and a step 'keys' belong together"
    if profile.keys is not None and profile.channel.kind != "scp03":
        yield "[keys] is for 'scp03'"
    if profile.invented.signature is not None and profile.invented.signature not in profile.max_bytes:
        yield "invented.signature is no personalised file"


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
    place = f"{source}: {''.join(steps).removeprefix('.')}".removesuffix(": ")
    message = detail["msg"].removeprefix("Value error, ")
    indonesian, english = _TEXTS.get(detail["type"], (f"tidak sah: {message}", message))
    return Problem(f"chip_profile.{detail['type']}", place, indonesian, english)


def _refusal(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem(f"chip_profile.{code}", place, indonesian, english)])
