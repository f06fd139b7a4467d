"""A printer profile, key by key, as pydantic reads it: `EvolisTable` and `MagicardTable` are whole files, `extends` resolved.

firmware_profiles/README.md is written from the docstrings and descriptions here (tools/make_profile_docs.py). What two keys must
have in common is judged in `profiles.checks`. Facts: printers.md 3 and 4.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt
from pydantic.dataclasses import dataclass

from controller.hal.profiles.parts import (
    CLOSED,
    INFO_FIELDS,
    MAX_KEYS,
    Command,
    Commands,
    ConditionCode,
    JobKey,
    NoCommand,
    NoCommands,
    NoHeads,
    NoRequest,
    PowerOn,
    ProfileTable,
    Request,
    Seconds,
    SettingName,
)
from controller.model import CardPosition


@dataclass(frozen=True, slots=True, config=CLOSED)
class EvolisActs:
    """What the passage may ask for, each as the commands that do it, sent one by one and each answered with OK.

    `@ribbon` stands for the command of the lane's ribbon, `@panels` for one panel download each in ribbon order, `@back` for
    `acts.back` when the card has a back and for nothing otherwise.
    """

    open: Annotated[
        Commands, Field(description="when the link comes up; first the command of host error mode, then once `@ribbon`")
    ]
    feed: Annotated[Commands, Field(description="a blank from the hopper to the contactless station")]
    reject: Annotated[Commands, Field(description="the card inside into the reject box")]
    print: Annotated[NoCommands, Field(description="plan `held`: print and keep the card")] = None
    to_chip_station: Annotated[NoCommands, Field(description="plan `held`: the printed card back to the station")] = None
    deliver: Annotated[NoCommands, Field(description="plan `held`: the card into the output bin")] = None
    print_and_deliver: Annotated[NoCommands, Field(description="plan `ejecting`: instead of the three")] = None
    back: Annotated[NoCommands, Field(description="what `@back` stands for; its own `@panels` are those of the back")] = None
    clean: Annotated[NoCommands, Field(description="the cleaning cycle; a person puts the cleaning card in")] = None
    test_card: Annotated[NoCommands, Field(description="the printer's own test card, from the hopper and out")] = None


@dataclass(frozen=True, slots=True, config=CLOSED)
class EvolisQueries:
    """The commands that read; they move nothing."""

    model: Annotated[Command, Field(description="model text")]
    firmware: Annotated[Command, Field(description="version text")]
    serial: Annotated[Command, Field(description="serial number; also the mark that keeps commands and replies in step")]
    position: Annotated[Command, Field(description="where the card is, in the words of `positions`")]
    panels_printed: Annotated[Command, Field(description="life counter")]
    cards_fed: Annotated[Command, Field(description="life counter")]
    ribbon_remaining: Annotated[Command, Field(description="sets left by the ribbon's tag")]
    cards_until_cleaning: Annotated[NoCommand, Field(description="cards until cleaning is due")] = None
    cover: Annotated[NoCommand, Field(description="voltage of the cover's switch, near 0 when open")] = None
    reject_box: Annotated[
        NoCommand, Field(description="CARD when the reject box is full; asked after HOPPER FULL, which may mean either box")
    ] = None


@dataclass(frozen=True, slots=True, config=CLOSED)
class EvolisTimeouts:
    """Seconds to wait for the reply to one command."""

    query: Annotated[Seconds, Field(description="reads and parameters")]
    motion: Annotated[Seconds, Field(description="sequence commands: a card moves")]
    panel: Annotated[Seconds, Field(description="one panel's download")]
    print: Annotated[Seconds, Field(description="the command after the panels: answered when the card is printed")]
    reset: Annotated[Seconds, Field(description="until the printer answers after it came up; also for a whole look at it")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class Job:
    """The header of a Magicard print job, and the print head that it is for."""

    guard_bytes: Annotated[StrictInt, Field(ge=0, le=1024, description="05h before the job")]
    keys: Annotated[
        tuple[JobKey, ...],
        Field(min_length=1, max_length=MAX_KEYS,
              description="in their order. `@time`: TDT; `@planes`: IMF; `@window`: XCO YCO WID HGT; `@overcoat`: OVR, PCT, NCT; "
              "`@ribbon`: the ribbon's key; `@sizes`: SZB SZG SZR SZK"),
    ]  # fmt: skip
    heads: Annotated[
        NoHeads,
        Field(description="field 2 of REQ,INF -> print head. A printer with another head than `raster.packing` is refused; "
              "a text that is not here is only logged. Empty: it is not looked at"),
    ] = None  # fmt: skip


@dataclass(frozen=True, slots=True, config=CLOSED)
class MagicardActs:
    """Words after REQ that do something; no reply is defined for them, so port status and REQ,ERR are asked afterwards."""

    cancel: Annotated[Request, Field(description="an error as if Cancel were pressed: the job is dropped")]
    clean: Annotated[NoRequest, Field(description="the cleaning cycle; a person puts the cleaning card in")] = None
    test_card: Annotated[NoRequest, Field(description="the printer's own test card")] = None


@dataclass(frozen=True, slots=True, config=CLOSED)
class MagicardQueries:
    """Words after REQ that read."""

    info: Annotated[Request, Field(description="one line of 34 or 35 fields: who it is, counters, ribbon")]
    errors: Annotated[Request, Field(description="text of the state, with a pair major:minor")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class MagicardTimeouts:
    """Seconds to wait."""

    query: Annotated[Seconds, Field(description="for the answer to a question")]
    data: Annotated[Seconds, Field(description="until the printer has taken a whole job")]
    print: Annotated[Seconds, Field(description="from the data's end until the port says ready again")]
    hand_feed: Annotated[Seconds, Field(description="for a person to put the card into the slot")]
    reset: Annotated[Seconds, Field(description="until the printer answers after it came up")]


@dataclass(frozen=True, slots=True, config=CLOSED)
class EvolisPowerOn(PowerOn):
    """What the printer does when power comes back."""

    error_mode: Annotated[Command, Field(description="the error mode it is in then; for hw-sim")]
    no_eject: Annotated[StrictBool, Field(description="whether it keeps printed cards then; for hw-sim")]


@dataclass(frozen=True, slots=True, kw_only=True, config=CLOSED)
class EvolisTable(ProfileTable):
    """An Evolis printer: ESC commands in ASCII, one reply to each (printers.md 3)."""

    family: Annotated[Literal["evolis"], Field(description="the protocol")]
    plan: Annotated[
        Literal["held", "ejecting"],
        Field(description="`held`: kept after the print and read again; `ejecting`: it leaves, and the desk reader reads it"),
    ]
    acts: EvolisActs
    queries: EvolisQueries
    settings: Annotated[
        dict[SettingName, NoCommand],
        Field(max_length=64, description="what people can set: name -> command that reads it; compared, never written"),
    ]
    positions: Annotated[
        dict[str, CardPosition], Field(min_length=1, description="answer to `queries.position` -> place of the card")
    ]
    replies: Annotated[
        dict[str, ConditionCode],
        Field(min_length=1,
              description="error word -> condition of `controller/conditions`. Written with ERROR; ERR means the same. "
              "A word that is not here is `printer_error`, shown as it came"),
    ]  # fmt: skip
    timeouts_s: EvolisTimeouts
    power_on: EvolisPowerOn


@dataclass(frozen=True, slots=True, kw_only=True, config=CLOSED)
class MagicardTable(ProfileTable):
    """A Magicard printer: whole jobs with a header of keys, questions as REQ (printers.md 4)."""

    family: Annotated[Literal["magicard"], Field(description="the protocol")]
    plan: Annotated[
        Literal["external"],
        Field(description="`external`: the chip is written on a reader beside the printer, the card is fed by hand"),
    ]
    job: Job
    acts: MagicardActs
    queries: MagicardQueries
    settings: Annotated[
        dict[SettingName, Annotated[StrictInt, Field(ge=0, lt=INFO_FIELDS[-1])]],
        Field(max_length=64, description="what people can set: name -> field of REQ,INF; compared, never written"),
    ]
    errors: Annotated[
        dict[Annotated[str, Field(pattern=r"^\d\d:\d\d$")], ConditionCode],
        Field(description="major:minor of REQ,ERR -> condition; another pair is `printer_error`, shown as it came"),
    ]
    timeouts_s: MagicardTimeouts
    power_on: PowerOn
