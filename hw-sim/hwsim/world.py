"""The truth: where every blank is and what is on it.

Blanks are made once, never deleted, and change place only through `World.move`, which takes a blank from exactly one
place and puts it in exactly one: blanks are conserved by construction. Pure: no clock, no I/O.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hwsim.errors import SimError
from hwsim.forms import Form
from hwsim.profiles import ChipProfile

CARD_CONTROL = 0x6FF0  # the one file that a blank brings with it: 51 random bytes (chip.md 1.2)
LIFE_ACTIVATED = 0x05  # life cycle of a locked e-KTP application (chip.md 2.2)
# The first bytes of a UID, and how many follow: NXP's, one of type B, and a random one that changes with every presentation.
UID_TYPES = {"a": (b"\x04", 6), "b": (b"", 8), "single": (b"\x08", 3)}


class Spot(StrEnum):
    """The kinds of places a blank can be."""

    SUPPLY = "supply"  # made, but not yet put into a hopper
    HOPPER = "hopper"
    INSIDE = "inside"  # in the printer; the station says where
    OUTPUT = "output"
    REJECT = "reject"
    PERSON = "person"  # somebody took it
    DESK = "desk"  # somebody laid it on the desk reader
    READER = "reader"  # somebody laid it on the reader beside a lane's printer


class Station(StrEnum):
    """Where a card can stand inside a printer."""

    PRINT = "print"
    CONTACT = "contact"
    CONTACTLESS = "contactless"
    SLOT = "slot"  # half in: a person put it into the hand-feed slot


@dataclass(frozen=True, slots=True)
class Place:
    """One place; `lane` is None for supply, `station` only for INSIDE."""

    spot: Spot
    lane: str | None = None
    station: Station | None = None


@dataclass(frozen=True, slots=True)
class Printed:
    """One panel that the head put on a card."""

    side: str  # front or back
    panel: str  # y, m, c, k or o
    levels: int
    sha256: str  # of the packed dots
    form: Form
    dots: bytes | None  # packed as the printer prints them; None once the picture is made
    complete: bool  # False when power failed in the middle of it


@dataclass(slots=True)
class ChipMemory:
    """What a chip keeps without power. Each file is its whole EEPROM space: length prefix and content."""

    files: dict[int, bytearray]
    prefix_bytes: int
    life: int  # life cycle of the application that holds the files (chip.md 2.2, 3.4)
    card_life: int = 0x01  # life cycle of a GlobalPlatform card: OP_READY
    key_sets: dict[int, tuple[bytes, bytes, bytes]] = field(default_factory=dict)  # version -> ENC, MAC, DEK; the newest last
    sequence: int = 0  # sessions begun under SCP03
    foreign: bool = False  # made with another office's keys
    written_bytes: dict[int, int] = field(default_factory=dict)  # highest offset ever written, per file
    dead: bool = False  # never answers the field
    _sha256: dict[int, str] = field(default_factory=dict)

    def length(self, fid: int) -> int:
        """The content length as the file's prefix says it."""
        return int.from_bytes(self.files[fid][: self.prefix_bytes], "big")

    def content(self, fid: int) -> bytes:
        """The content as a reader would see it: as long as the prefix says, cut at the end of the file."""
        return bytes(self.files[fid][self.prefix_bytes : self.prefix_bytes + self.length(fid)])

    def sha256(self, fid: int) -> str:
        """The hash of the content; worked out once after each change."""
        if fid not in self._sha256:
            self._sha256[fid] = hashlib.sha256(self.content(fid)).hexdigest()
        return self._sha256[fid]

    def write(self, fid: int, offset: int, data: bytes) -> None:
        """Put bytes into a file's space: the only way it changes."""
        self.files[fid][offset : offset + len(data)] = data
        self.written_bytes[fid] = max(self.written_bytes.get(fid, 0), offset + len(data))
        self._sha256.pop(fid, None)


@dataclass(slots=True)
class Blank:
    """One card body with its chip."""

    id: str
    uid: bytes  # 7 bytes of type A (NXP), 8 of type B
    chip: ChipMemory
    printed: list[Printed] = field(default_factory=list)


class World:
    """All blanks. Within a hopper the first in is the first out."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  repeatable synthetic identifiers, not secrets
        self._blanks: dict[str, Blank] = {}
        self._place: dict[str, Place] = {}
        self._order: dict[tuple[Spot, str | None], list[str]] = {}
        self._uids: set[bytes] = set()
        self._taken_from: dict[str, Place] = {}
        self.on_move: list[Callable[[], None]] = []  # told after every move

    def make(self, count: int, chip: ChipProfile, uid_type: str = "a") -> list[str]:
        """Make new blanks in the supply; returns their ids. `uid_type` is a or b."""
        return [self._make_one(chip, uid_type) for _ in range(count)]

    def new_uid(self, uid_type: str) -> bytes:
        """A UID that no chip has: 7 bytes for type a, 8 for b, 4 random ones for `single` (no e-KTP has that)."""
        head, size = UID_TYPES[uid_type]
        while (uid := head + self._random.randbytes(size)) in self._uids:
            pass
        self._uids.add(uid)
        return uid

    def move(self, blank: str, to: Place) -> None:
        """Take a blank from where it is and put it there: the only way any blank changes its place."""
        here = self._place[blank]
        if to.spot in {Spot.HOPPER, Spot.INSIDE, Spot.OUTPUT, Spot.REJECT, Spot.READER} and to.lane is None:
            raise SimError(f"{to.spot} is a place of a lane, and no lane is given")
        if (here.spot, here.lane) != (to.spot, to.lane):
            self._order[here.spot, here.lane].remove(blank)
            self._order.setdefault((to.spot, to.lane), []).append(blank)
        if to.lane is not None:
            self._taken_from.pop(blank, None)
        elif here.lane is not None:
            self._taken_from[blank] = here
        self._place[blank] = to
        for watcher in self.on_move:
            watcher()

    def blank(self, blank: str) -> Blank:
        """The blank with this id."""
        return self._blanks[blank]

    def where(self, blank: str) -> Place:
        """Where the blank is now."""
        return self._place[blank]

    def taken_from(self, blank: str) -> Place | None:
        """Where a person took the blank from last; None when it was never in a lane, or is in one."""
        return self._taken_from.get(blank)

    def at(self, spot: Spot, lane: str | None = None) -> list[str]:
        """The blanks at one place, longest there first."""
        return list(self._order.get((spot, lane), ()))

    def count(self, spot: Spot, lane: str | None = None) -> int:
        """How many blanks are at one place."""
        return len(self._order.get((spot, lane), ()))

    def totals(self) -> dict[Spot, int]:
        """How many blanks are in each kind of place."""
        totals = dict.fromkeys(Spot, 0)
        for (spot, _lane), blanks in self._order.items():
            totals[spot] += len(blanks)
        return totals

    def all(self) -> list[Blank]:
        """Every blank ever made, in the order of making."""
        return list(self._blanks.values())

    def start_print(self, blank: str, side: str, panel: str, levels: int, dots: bytes, form: Form) -> None:
        """The head begins to put a panel on a card: from now on there are dots on it."""
        sha256 = hashlib.sha256(dots).hexdigest()
        self._blanks[blank].printed.append(Printed(side, panel, levels, sha256, form, dots, complete=False))

    def end_print(self, blank: str) -> None:
        """The panel begun last is on the card, to the end."""
        printed = self._blanks[blank].printed
        printed[-1] = replace(printed[-1], complete=True)

    def drop_dots(self, blank: str) -> None:
        """Keep only the hashes of what is printed: dots are 1.9 MB a card and a station runs for weeks."""
        printed = self._blanks[blank].printed
        printed[:] = [replace(one, dots=None) for one in printed]

    def _make_one(self, chip: ChipProfile, uid_type: str) -> str:
        uid = self.new_uid(uid_type)
        files = {spec.fid: bytearray(chip.prefix_bytes + spec.max_bytes) for spec in chip.files}
        memory = ChipMemory(files, chip.prefix_bytes, chip.fresh_life)
        if CARD_CONTROL in files:
            size = len(files[CARD_CONTROL]) - chip.prefix_bytes
            files[CARD_CONTROL][:] = size.to_bytes(chip.prefix_bytes, "big") + self._random.randbytes(size)
        name = f"blank-{len(self._blanks) + 1:05d}"
        self._blanks[name] = Blank(name, uid, memory)
        self._place[name] = Place(Spot.SUPPLY)
        self._order.setdefault((Spot.SUPPLY, None), []).append(name)
        return name
