"""A chip profile: which files a chip has, how they are selected, read and written (`firmware_profiles/chips/*.toml`).

The read side of `ektp` is public, the write side is not (chip.md 1.2, 1.3): what is this project's own choice stands under
`[invented]`, and `confidence` says how sure each part is. A profile with mistakes raises ConfigError with all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from controller.chips.apdu import Command
from controller.chips.profile_checks import (
    Mistake,
    block_mistakes,
    channel_mistakes,
    confidence_mistakes,
    key_mistakes,
    lock_mistakes,
    signature_mistakes,
)
from controller.chips.profile_tables import (
    CLOSED,
    FID_MARK,
    ChannelTable,
    Confidence,
    FileRow,
    Keys,
    Phase,
    ProfileMistake,
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

MAX_FILE_BYTES = 100_000  # a profile has some 5 kB
UNPROVEN = ("D", "E")

_TEXTS = {  # pydantic's error type: Indonesian, English; empty: what pydantic says
    "missing": ("wajib ada", "is required"),
    "unexpected_keyword_argument": ("tidak dikenal", "is not known here"),
    "literal_error": ("harus {expected}", ""),
    "enum": ("harus {expected}", ""),
    "greater_than_equal": ("paling kecil {ge}", ""),
    "less_than_equal": ("paling besar {le}", ""),
    "int_type": ("harus bilangan bulat", ""),
    "bool_type": ("harus true atau false", ""),
    "string_type": ("harus teks", ""),
    "string_too_short": ("tidak boleh kosong", ""),
    "string_pattern_mismatch": ("harus berbentuk {pattern}", ""),
    "dataclass_type": ("harus tabel", ""),
    "dict_type": ("harus tabel", ""),
    "tuple_type": ("harus larik", ""),
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

    @property
    def unproven(self) -> tuple[str, ...]:
        """Its parts that nobody has seen on a real chip, or that only one third party tells of."""
        return tuple(part for part, row in self.confidence.items() if row.level in UNPROVEN)

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
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # TOML and UTF-8 mistakes are ValueErrors; RecursionError: [[[[...
        raise _refusal("unreadable", path.name, f"tidak dapat dibaca: {error}", f"cannot be read: {error}") from error
    return parse_profile(table, path.name)


def parse_profile(table: Mapping[str, Any], source: str) -> ChipProfile:
    """The profile in a parsed TOML table; `source` names it in the ConfigError that lists every mistake."""
    found = [_wrong(source, mistake) for mistake in confidence_mistakes(table)]
    try:
        profile = TypeAdapter(ChipProfile).validate_python(dict(table))  # judged once: nothing of the judging is kept
    except ValidationError as error:
        raise ConfigError([*(_problem(detail, source) for detail in error.errors(include_url=False)), *found]) from error
    found += [_wrong(source, mistake) for mistake in _misfits(profile)]
    if found:
        raise ConfigError(found)
    return profile


def _misfits(profile: ChipProfile) -> Iterator[Mistake]:
    """What one table says that another contradicts."""
    yield from block_mistakes(profile.channel, profile.read, profile.invented)
    yield from channel_mistakes(profile.channel, profile.files, profile.steps)
    yield from key_mistakes(profile.channel, profile.keys, profile.steps)
    yield from lock_mistakes(profile.steps)
    yield from signature_mistakes(profile.invented, profile.files)


def _wrong(source: str, mistake: Mistake) -> Problem:
    place, indonesian, english = mistake
    return Problem("chip_profile.wrong", f"{source}: {place}", indonesian, english)


def _problem(detail: ErrorDetails, source: str) -> Problem:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"] if step != "[key]")
    place = f"{source}: {''.join(steps).removeprefix('.')}".removesuffix(": ")
    message = detail["msg"].removeprefix("Value error, ")
    said = detail.get("ctx", {}).get("error")
    if isinstance(said, ProfileMistake):
        return Problem("chip_profile.wrong", place, said.indonesian, message)
    indonesian, english = _TEXTS.get(detail["type"], (f"tidak sah: {message}", message))
    words = {name: str(value).replace(" or ", " atau ") for name, value in detail.get("ctx", {}).items()}
    return Problem(f"chip_profile.{detail['type']}", place, indonesian.format(**words), english or message)


def _refusal(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem(f"chip_profile.{code}", place, indonesian, english)])
