"""What the profiles of all printer families have in common: the kinds of values, and the tables that each of them has.

firmware_profiles/README.md is written from the docstrings and descriptions here (tools/make_profile_docs.py).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt
from pydantic.dataclasses import dataclass

from controller.conditions import CONDITIONS

DONE = "OK"  # Evolis: the reply to a command that was carried out and asks for nothing
INFO_FIELDS = (33, 34, 35)  # Magicard: of INF; the last two are there on newer firmware only

PANELS_MARK = "@panels"  # in an act: one Db command per panel of the side, in ribbon order
BACK_MARK = "@back"  # in an act: acts.back when the card has a back, else nothing
RIBBON_MARK = "@ribbon"  # in an act: the command of the lane's ribbon
JOB_MARKS = ("@time", "@planes", "@window", "@overcoat", "@ribbon", "@sizes")  # in a job's header; the driver knows their values
MAX_COMMANDS = 32  # per act; the longest known has seven
MAX_COMMAND_CHARS = 120  # far above the longest known command without data
MAX_KEYS = 64  # of a job's header; a real one has 27


def _act_command(text: str) -> str:
    return text if text in (PANELS_MARK, BACK_MARK, RIBBON_MARK) else _command(text)


def _command(text: str) -> str:
    if not re.fullmatch(rf"[ -:<-?A-~][ -~]{{0,{MAX_COMMAND_CHARS - 1}}}", text):
        raise ValueError(f"{text!r} is not a command: 1 to {MAX_COMMAND_CHARS} printable ASCII characters, name first")
    return text


def _job_key(text: str) -> str:
    if text not in JOB_MARKS and not re.fullmatch(r"[A-Z]{3}[A-Z0-9.-]{0,29}", text):
        raise ValueError(f"{text!r} is neither a job key such as 'HFDON' nor one of {', '.join(JOB_MARKS)}")
    return text


def _condition(code: str) -> str:
    if code not in CONDITIONS:
        raise ValueError(f"'{code}' is not a condition of controller/conditions")
    return code


def _none_if_empty(value: object) -> object:
    """How a variant says that its model lacks what the profile it extends has."""
    return None if value in ("", [], ()) else value


Command = Annotated[str, AfterValidator(_command)]
Request = Annotated[str, Field(pattern="^[A-Z]{2,16}$")]  # of Magicard: the word after REQ
ConditionCode = Annotated[str, AfterValidator(_condition)]
Commands = Annotated[tuple[Annotated[str, AfterValidator(_act_command)], ...], Field(min_length=1, max_length=MAX_COMMANDS)]
NoCommands = Annotated[Commands | None, BeforeValidator(_none_if_empty)]
NoCommand = Annotated[Command | None, BeforeValidator(_none_if_empty)]
Head = Annotated[str, Field(pattern="^[A-Z0-9]{1,8}$")]  # a print head of Magicard, as it is written or numbered
Heads = Annotated[dict[Head, Head], Field(max_length=16)]
NoHeads = Annotated[Heads | None, BeforeValidator(_none_if_empty)]
NoRequest = Annotated[Request | None, BeforeValidator(_none_if_empty)]
JobKey = Annotated[str, AfterValidator(_job_key)]
Word = Annotated[StrictInt, Field(ge=0, le=0xFFFF)]
Size = Annotated[StrictInt, Field(ge=1, le=65_536)]
Seconds = Annotated[float, Field(gt=0, le=600, strict=True)]
PanelName = Annotated[str, Field(pattern="^[a-z]{1,4}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
SettingName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,31}$")]
CLOSED = ConfigDict(defer_build=True, extra="forbid")


@dataclass(frozen=True, slots=True, config=CLOSED)
class UsbMatch:
    """Which USB devices may be this printer, and how one unit is told from another."""

    vendor_id: Annotated[Word, Field(description="USB vendor")]
    product_ids: Annotated[tuple[Word, ...], Field(description="empty: any product of the vendor")]
    interface_class: Annotated[
        StrictInt, Field(ge=0, le=0xFF, description="7, USB printer class; the endpoints are read from the descriptors")
    ]
    serial: Annotated[
        Literal["descriptor", "device"],
        Field(description="where a unit's serial number is read: in the USB descriptor, or only by asking the printer. "
              "With `device`, two printers of a kind need `lanes.printer.port` in station.toml"),
    ]  # fmt: skip
    device_id: Annotated[
        str, Field(max_length=100, description="words that the IEEE 1284 text must contain; empty: it is not asked")
    ]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Firmware:
    """Which firmware the profile was tried with."""

    known: Annotated[
        tuple[Text, ...],
        Field(description="version texts of the printer; another one is refused before anything moves. Empty: any is taken"),
    ]


@dataclass(frozen=True, slots=True, config=CLOSED)
class PanelRow:
    """One panel that the print head can make."""

    name: Annotated[PanelName, Field(description="y, m, c, k or o")]
    levels: Annotated[StrictInt, Field(ge=2, le=256, description="2 is 1 bit a dot, 64 is 6, 128 is 7")]
    size_bytes: Annotated[
        StrictInt,
        Field(ge=0, le=16_777_216,
              description="exactly what the packing makes: one byte too few, and the printer takes the next commands for dots"),
    ]  # fmt: skip

    @property
    def bits(self) -> int:
        """Bits one dot takes on the wire."""
        return (self.levels - 1).bit_length()


@dataclass(frozen=True, slots=True, config=CLOSED)
class RasterTable:
    """The dots of one card side."""

    width_dots: Annotated[Size, Field(description="one line: the short side of the card")]
    height_lines: Annotated[Size, Field(description="lines sent: the long side of the card, from its left edge")]
    dpi: Annotated[Size, Field(description="dots an inch")]
    packing: Annotated[
        Literal["evolis", "kge", "kge2"], Field(description="how dots become bytes; a name of `controller/cards/packing.py`")
    ]
    panels: Annotated[
        tuple[PanelRow, ...], Field(min_length=1, max_length=8, description="all panels the head can print, in ribbon order")
    ]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Ribbon:
    """One kind of ribbon, by the name that station.toml may ask for."""

    panels: Annotated[
        tuple[PanelName, ...],
        Field(min_length=1, max_length=8, description="of `raster.panels`, in their order: they print the front"),
    ]
    capacity_cards: Annotated[Size, Field(description="sets of panels on a new ribbon")]
    remaining: Annotated[
        Literal["tag", "info"], Field(description="where the number of sets left is read: `queries.ribbon_remaining`, or REQ,INF")
    ]
    command: Annotated[Command, Field(description="names the ribbon to the printer: a command (evolis) or a job key (magicard)")]
    back_panels: Annotated[
        tuple[PanelName, ...],
        Field(max_length=8, description="more panels of the set, which print the back; needs `stations.flip`"),
    ] = ()


@dataclass(frozen=True, slots=True, config=CLOSED)
class Stations:
    """What the model can have inside; whether a unit has it is an option of the unit."""

    contactless: Annotated[StrictBool, Field(description="the card can be brought to a contactless encoder")]
    contact: Annotated[StrictBool, Field(description="the card can be brought to a contact encoder")]
    flip: Annotated[StrictBool, Field(description="the card can be turned and printed on both sides")]
    reject: Annotated[StrictBool, Field(description="there is a reject box beside the output")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class PowerOn:
    """What the printer does when power comes back."""

    card_inside: Annotated[Literal["holds", "ejects"], Field(description="what becomes of a card inside: a verdict needs it")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class CoolDown:
    """A rest for the print head; station.toml may say otherwise for a lane."""

    cards: Annotated[StrictInt, Field(ge=0, le=10_000, description="after so many cards; 0: never")]
    rest_s: Annotated[StrictInt, Field(ge=0, le=7200, description="seconds of rest")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Confidence:
    """How sure a part of the profile is, and whose word it is."""

    level: Annotated[Literal["A", "B", "C", "D", "E"], Field(description="see above")]
    source: Annotated[Text, Field(description="where the fact is from")]


@dataclass(frozen=True, slots=True, kw_only=True, config=CLOSED)
class ProfileTable:
    """What both families have."""

    format: Annotated[Literal[2], Field(description="of this file")]
    model: Annotated[Text, Field(description="for people; the printer itself is asked for its name")]
    ribbon: Annotated[str, Field(description="of `ribbons`: that a lane prints with, unless its station.toml says another")]
    usb: UsbMatch
    firmware: Firmware
    raster: RasterTable
    ribbons: Annotated[dict[Annotated[str, Field(pattern="^[a-z0-9-]{1,16}$")], Ribbon], Field(min_length=1, max_length=32)]
    stations: Stations
    cool_down: CoolDown
    timing_s: Annotated[
        dict[SettingName, Seconds], Field(description="for hw-sim only: how long each motion takes at `--speed 1`")
    ]
    confidence: dict[str, Confidence]
