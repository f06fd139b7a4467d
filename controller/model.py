"""The station's vocabulary: enums and frozen records that every layer shares. Words as in docs/architecture.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class JobState(StrEnum):
    """Where the work of issuing one card stands."""

    HELD = "held"  # waits for a person; the reason says why
    READY = "ready"  # may be fed as soon as a lane is free
    ACTIVE = "active"  # one passage of it is live
    ISSUED = "issued"  # one good card left into the output bin
    HANDED_OVER = "handed_over"  # the resident has it
    FAILED = "failed"  # needs a person; no blank is spent on it meanwhile
    CANCELLED = "cancelled"  # taken back; no card of it is in work


class PassageState(StrEnum):
    """Where one blank's trip through a lane stands."""

    LIVE = "live"  # the worker is running its stages
    UNKNOWN = "unknown"  # an intent has no outcome: holds the lane until it is resolved
    ENDED = "ended"  # has a verdict


class Verdict(StrEnum):
    """What became of a passage's card."""

    GOOD = "good"
    SPOILED = "spoiled"
    STILL_BLANK = "still_blank"


class CardPosition(StrEnum):
    """Where the printer says its card is."""

    NONE = "none"
    PRINT = "print"
    CONTACT = "contact"
    CONTACTLESS = "contactless"
    UNTOLD = "untold"  # this printer never says: proves neither that a card is inside nor that none is

    @property
    def inside(self) -> bool:
        """The printer says that it holds a card."""
        return self not in (CardPosition.NONE, CardPosition.UNTOLD)


class Beam(StrEnum):
    """A light barrier a card passes exactly once."""

    FEED = "feed"
    EXIT = "exit"
    REJECT = "reject"


class Button(StrEnum):
    """A button of the front panel."""

    GO = "go"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class PrinterIdentity:
    """Who answered on the USB cable."""

    model: str  # the printer's own model text
    firmware: str
    serial: str  # binds a lane to one physical printer


@dataclass(frozen=True, slots=True)
class PrinterWitness:
    """What the printer reports of itself, noted before and after each physical act."""

    position: CardPosition
    cards_fed: int  # life counter
    panels_printed: int  # life counter
    ribbon_remaining: int | None  # cards left on the ribbon; None when the tag cannot be read
    cover_open: bool | None = None  # None: this printer does not tell


@dataclass(frozen=True, slots=True)
class PrinterCare:
    """What a printer says of its upkeep; asked only while nothing is printed."""

    cards_until_cleaning: int | None = None  # 0 or less: cleaning is due; None: this printer does not tell
    settings: Mapping[str, str] = field(default_factory=dict)  # by the profile's names, in the printer's words


@dataclass(frozen=True, slots=True)
class Panel:
    """One ribbon panel's dots, packed as the printer takes them."""

    name: str  # y, m, c, k or o
    levels: int  # 2 for 1 bit a dot, 128 for 7 bits
    data: bytes
    sha256: str = ""  # of data, once it was needed for the journal
    side: str = "front"  # or "back"; the front's panels come first


@dataclass(frozen=True, slots=True)
class ChipFile:
    """One elementary file of the chip: its content without the 2-byte length prefix."""

    fid: int  # e.g. 0x6FF1
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChipSight:
    """A chip as first seen in the field of the reader."""

    uid: str  # upper-case hex, 7 bytes (type A) or 8 (type B)
    fresh: bool  # every file of the profile still has length 0


@dataclass(frozen=True, slots=True)
class LaneLevels:
    """What the lane's sensors see now; True means the named thing is so."""

    feed_beam: bool  # a card is in the beam
    exit_beam: bool
    reject_beam: bool
    hopper_low: bool
    hopper_empty: bool
    bin_full: bool


@dataclass(frozen=True, slots=True)
class Lamps:
    """The three lamps of the front panel."""

    green: bool  # working, or ready to work
    amber: bool  # waiting for a person
    red: bool  # a fault


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What a lane does now, for lamps, display, panel, API and metrics."""

    name: str
    activity: str = "starting"  # starting, idle, waiting, stopped, or the stage under way
    condition: str | None = None  # key of conditions.CONDITIONS: what keeps the lane from working
    detail: str = ""  # raw words of the device, for the technician
    job_id: int | None = None
    passage_id: int | None = None
    printer: PrinterIdentity | None = None
    printer_up: bool = False
    reader_up: bool = False
    key_holder_up: bool | None = None  # None: the chips need none, or the reader it is asked through is down
    pins_up: bool = False
    ribbon_remaining: int | None = None
    hopper_low: bool = False
    asks: tuple[str, ...] = ()  # keys of CONDITIONS: what a person should see to soon; the lane works meanwhile
    cards_until_cleaning: int | None = None  # as the printer last said
    rest_s: int = 0  # how long the printer still rests, in steps of some seconds


@dataclass(frozen=True, slots=True)
class Balance:
    """A lane's blanks by the ledger."""

    hopper: int = 0
    passage: int = 0
    reject: int = 0  # spoiled, not yet destroyed


@dataclass(frozen=True, slots=True)
class RollYield:
    """What a lane's ribbon rolls gave: the one that is fitted and the one before it. None: there is none."""

    sets: int | None = None  # by its box
    used: int | None = None  # printed so far
    old_sets: int | None = None
    old_used: int | None = None


@dataclass(frozen=True, slots=True)
class LaneProfile:
    """What a lane's printer profile says of itself."""

    name: str
    model: str
    unproven: tuple[str, ...] = ()  # its parts that nobody has seen on a real printer


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest row of the event log."""

    seq: int
    hash: str  # SHA-256 of its body, lower-case hex

    @property
    def anchor(self) -> str:
        """What to keep outside the station: proves later that no row up to this one was cut off or changed."""
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What only a person can answer now."""

    id: int
    lane: str
    kind: str  # tray, desk or look; the condition `ask_KIND` says what to do
    job_id: int
    passage_id: int


@dataclass(frozen=True, slots=True)
class StationSnapshot:
    """The whole station now: the single truth for everything that shows it."""

    name: str
    lanes: tuple[LaneStatus, ...]
    jobs: Mapping[JobState, int]
    outcomes: Mapping[Verdict, int]
    blanks: Mapping[str, Balance]  # by lane
    stock: Mapping[str, int] = field(default_factory=dict)  # the station's own accounts of blanks: store, issued, missing, ...
    incidents: Mapping[str, int] = field(default_factory=dict)  # open ones, by kind
    ribbons: Mapping[str, RollYield] = field(default_factory=dict)  # by lane, where one was ever booked
    profiles: Mapping[str, LaneProfile] = field(default_factory=dict)  # by lane
    questions: tuple[OpenQuestion, ...] = ()  # oldest first; the first one is on the display, and the buttons answer it
    notice: str = ""  # key of conditions.NOTICES: what to do with the card on the desk reader
    desk_reader_up: bool | None = None  # None: there is none
    log: LogHead | None = None  # None: not read yet
    held: bool = False  # HOLD was pressed
    stopping: bool = False
    display_up: bool = False
    panel_up: bool = False
