"""A printer profile: how one family of card printers is found, asked and told (`firmware_profiles/printers/*.toml`).

The keys and their confidence letters are explained in firmware_profiles/README.md; sources in printers.md 3. A profile with
mistakes raises ConfigError with all of them, each with its place. `timing_s` is for the simulator only.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from controller.cards.raster import Raster, RasterPanel
from controller.conditions import CONDITIONS
from controller.errors import ConfigError, Problem
from controller.model import CardPosition

PANELS_MARK = "@panels"  # in an act: one Db command per panel, in ribbon order
MAX_COMMANDS = 32  # per act; the longest known has five
MAX_COMMAND_CHARS = 120  # far above the longest known command without data
_TEXTS = {  # pydantic's error type: Indonesian, English
    "missing": ("wajib ada", "is required"),
    "unexpected_keyword_argument": ("tidak dikenal", "is not known here"),
}


def _command(text: str) -> str:
    if text != PANELS_MARK and not re.fullmatch(rf"[ -:<-~][ -~]{{0,{MAX_COMMAND_CHARS - 1}}}", text):
        raise ValueError(f"{text!r} is not a command: 1 to {MAX_COMMAND_CHARS} printable ASCII characters, name first")
    return text


def _condition(code: str) -> str:
    if code not in CONDITIONS:
        raise ValueError(f"'{code}' is not a condition of controller/conditions.py")
    return code


_Command = Annotated[str, AfterValidator(_command)]
_Condition = Annotated[str, AfterValidator(_condition)]
_Commands = Annotated[tuple[_Command, ...], Field(min_length=1, max_length=MAX_COMMANDS)]
_Word = Annotated[StrictInt, Field(ge=0, le=0xFFFF)]
_Size = Annotated[StrictInt, Field(ge=1, le=65_536)]
_Seconds = Annotated[float, Field(gt=0, le=600, strict=True)]
_Letter = Literal["A", "B", "C", "D", "E"]
_closed = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_closed)
class UsbMatch:
    """Which USB devices may be this printer."""

    vendor_id: _Word
    product_ids: tuple[_Word, ...]  # empty: any product of the vendor
    interface_class: Annotated[StrictInt, Field(ge=0, le=0xFF)]


@dataclass(frozen=True, slots=True, config=_closed)
class PanelRow:
    """One ribbon panel as the profile writes it."""

    name: Annotated[str, Field(pattern="^[a-z]{1,4}$")]
    levels: Annotated[StrictInt, Field(ge=2, le=256)]
    size_bytes: Annotated[StrictInt, Field(ge=1, le=16_777_216)]

    @property
    def bits(self) -> int:
        """Bits one dot takes on the wire."""
        return (self.levels - 1).bit_length()


@dataclass(frozen=True, slots=True, config=_closed)
class RasterTable:
    """One card side's dots as the profile writes them."""

    width_dots: _Size
    height_lines: _Size
    dpi: _Size
    packing: str
    panels: Annotated[tuple[PanelRow, ...], Field(min_length=1, max_length=8)]


@dataclass(frozen=True, slots=True, config=_closed)
class Ribbon:
    """The ribbon the printer must hold."""

    type: str
    set_command: _Command
    panels_per_side: _Size
    capacity_cards: _Size


@dataclass(frozen=True, slots=True, config=_closed)
class Acts:
    """What the passage may ask for, each as the commands that do it; None where this printer cannot."""

    open: _Commands
    feed: _Commands
    reject: _Commands
    print: _Commands | None = None
    to_chip_station: _Commands | None = None
    deliver: _Commands | None = None
    print_and_deliver: _Commands | None = None


@dataclass(frozen=True, slots=True, config=_closed)
class Queries:
    """The commands that read; they move nothing."""

    alive: _Command
    model: _Command
    firmware: _Command
    serial: _Command
    position: _Command
    panels_printed: _Command
    cards_fed: _Command
    ribbon_remaining: _Command
    cover: _Command | None = None


@dataclass(frozen=True, slots=True, config=_closed)
class Timeouts:
    """Seconds to wait for the reply to one command."""

    query: _Seconds
    motion: _Seconds
    panel: _Seconds
    print: _Seconds
    reset: _Seconds


@dataclass(frozen=True, slots=True, config=_closed)
class PowerOn:
    """What the printer does when power comes back."""

    error_mode: _Command
    no_eject: StrictBool
    card_inside: Literal["holds", "ejects"]


@dataclass(frozen=True, slots=True, config=_closed)
class _Table:
    """The whole file, key by key."""

    format: Literal[1]
    family: Literal["evolis"]
    model: str
    usb: UsbMatch
    raster: RasterTable
    ribbon: Ribbon
    acts: Acts
    queries: Queries
    positions: Annotated[dict[str, CardPosition], Field(min_length=1)]
    replies: Annotated[dict[str, _Condition], Field(min_length=1)]
    timeouts_s: Timeouts
    timing_s: dict[str, _Seconds]
    power_on: PowerOn
    confidence: dict[str, _Letter]


@dataclasses.dataclass(frozen=True, slots=True)
class PrinterProfile:
    """Everything the printer driver needs to know of one family of printers."""

    name: str  # of the file, and what a lane's config calls it
    model: str
    usb: UsbMatch
    raster: Raster
    ribbon: Ribbon
    acts: Acts
    queries: Queries
    positions: Mapping[str, CardPosition]  # reply to queries.position
    replies: Mapping[str, str]  # error word -> condition; "ERR" is written "ERROR" here
    timeouts_s: Timeouts
    power_on: PowerOn
    confidence: Mapping[str, str]  # part of the profile -> A (seen on the wire) to E (inference)

    @property
    def ejects_at_power_on(self) -> bool:
        """What the printer does with a card inside when its power comes back: a verdict depends on it."""
        return self.power_on.card_inside == "ejects"

    @property
    def holds_card(self) -> bool:
        """Whether the card stays inside after printing, so that it can be checked before it is let go."""
        return self.acts.print is not None

    @property
    def unproven(self) -> tuple[str, ...]:
        """The parts nobody has seen on real hardware (confidence E); to be said aloud at start."""
        return tuple(sorted(part for part, letter in self.confidence.items() if letter == "E"))


_ADAPTER = TypeAdapter(_Table)


def find_profile(directory: Path, name: str) -> PrinterProfile:
    """The profile called `name` in `directory`. Raises ConfigError when it is missing or has mistakes."""
    names = sorted(path.stem for path in directory.glob("*.toml"))
    if name not in names:
        listed = ", ".join(names) or "-"
        raise _refusal("missing", name, f"profil printer ini tidak ada di {directory}; yang ada: {listed}",
                       f"no such printer profile in {directory}; there are: {listed}")  # fmt: skip
    return load_profile(directory / f"{name}.toml")


def load_profile(path: Path) -> PrinterProfile:
    """The profile in the file `path`. Raises ConfigError with every mistake and its place."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refusal("unreadable", path.name, f"tidak dapat dibaca: {error}", f"cannot be read: {error}") from error
    return parse_profile(table, path.stem)


def parse_profile(table: Mapping[str, Any], name: str) -> PrinterProfile:
    """The profile in a parsed TOML table; `name` is its own name and that of its file."""
    source = f"{name}.toml"
    try:
        parsed = _ADAPTER.validate_python(dict(table))
    except ValidationError as error:
        raise ConfigError([_problem(detail, source) for detail in error.errors(include_url=False)]) from error
    mistakes = [*_act_mistakes(parsed.acts), *_raster_mistakes(parsed.raster, parsed.ribbon), *_reply_mistakes(parsed.replies)]
    if mistakes:
        raise ConfigError([
            Problem("printer_profile.wrong", f"{source}: {place}", indonesian, english) for place, indonesian, english in mistakes
        ])  # fmt: skip
    return PrinterProfile(
        name, parsed.model, parsed.usb, _raster(parsed.raster, name), parsed.ribbon, parsed.acts, parsed.queries,
        parsed.positions, parsed.replies, parsed.timeouts_s, parsed.power_on, parsed.confidence,
    )  # fmt: skip


def _raster(table: RasterTable, name: str) -> Raster:
    panels = tuple(RasterPanel(row.name, row.levels, row.size_bytes) for row in table.panels)
    return Raster(name, table.width_dots, table.height_lines, table.dpi, table.packing, panels)


_Mistake = tuple[str, str, str]  # place, Indonesian, English


def _act_mistakes(acts: Acts) -> list[_Mistake]:
    found: list[_Mistake] = []
    holding = {"print": acts.print, "to_chip_station": acts.to_chip_station, "deliver": acts.deliver}
    if acts.print_and_deliver is None:
        found += [
            (f"acts.{name}", "wajib ada bila tidak ada print_and_deliver", "is required where there is no print_and_deliver")
            for name, commands in holding.items() if commands is None
        ]  # fmt: skip
    else:
        found += [
            (f"acts.{name}", "tidak boleh ada bersama print_and_deliver", "cannot stand beside print_and_deliver")
            for name, commands in holding.items() if commands is not None
        ]  # fmt: skip
    for name in ("open", "feed", "reject", "to_chip_station", "deliver", "print", "print_and_deliver"):
        commands: tuple[str, ...] = getattr(acts, name) or ()
        wanted = 1 if name.startswith("print") and commands else 0
        if commands.count(PANELS_MARK) != wanted:
            found.append((f"acts.{name}", f"harus memuat {PANELS_MARK} {wanted} kali", f"must have {PANELS_MARK} {wanted} times"))
    return found


def _raster_mistakes(raster: RasterTable, ribbon: Ribbon) -> list[_Mistake]:
    found: list[_Mistake] = []
    names = Counter(row.name for row in raster.panels)
    found += [("raster.panels", f"panel '{name}' ganda", f"panel '{name}' is listed twice") for name, n in names.items() if n > 1]
    if len(raster.panels) > ribbon.panels_per_side:
        found.append(("raster.panels", "lebih banyak panel daripada pitanya", "has more panels than the ribbon"))
    for place, row in enumerate(raster.panels):
        size, rest = divmod(raster.width_dots * raster.height_lines * row.bits, 8)
        if rest or size != row.size_bytes:
            found.append((f"raster.panels[{place}].size_bytes", f"seharusnya {size} byte, bukan {row.size_bytes}",
                          f"should be {size} bytes, not {row.size_bytes}"))  # fmt: skip
    return found


def _reply_mistakes(replies: Mapping[str, str]) -> list[_Mistake]:
    return [
        (f"replies.{word}", "tulis ERROR, bukan ERR", "write ERROR, not ERR: both are read as ERROR")
        for word in replies if word.split(" ")[0] == "ERR"
    ]  # fmt: skip


def _problem(detail: ErrorDetails, source: str) -> Problem:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])
    place = f"{source}: {''.join(steps).removeprefix('.')}"
    message = detail["msg"].removeprefix("Value error, ")
    indonesian, english = _TEXTS.get(detail["type"], (f"tidak sah: {message}", message))
    return Problem(f"printer_profile.{detail['type']}", place, indonesian, english)


def _refusal(code: str, place: str, indonesian: str, english: str) -> ConfigError:
    return ConfigError([Problem(f"printer_profile.{code}", place, indonesian, english)])
