"""A Magicard print job: what the header's keys say, and the planes behind it (printers.md 4.4, 4.6). Pure.

Sizes come from the SZ keys, never from IMF. Keys that are not known here are skipped, wherever they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_PLANE_BYTES = 1_000_000  # the largest real plane has 585 216
PANELS = {"B": "y", "Y": "y", "G": "m", "M": "m", "R": "c", "C": "c", "K": "k"}  # the letter of a plane -> its ribbon panel
HEADS = {"KGE2": "kge2", "KGE": "kge", "KEE": "kee", "KEE1": "kee", "KEE4": "kee"}
_KEY = re.compile(r"([A-Z]{3})(\d*)")
_AREA_KEYS = ("PCT", "NCT")
_MAX_HOLES = 2


@dataclass(slots=True)
class Page:
    """One side's header, and its planes once they have come."""

    copies: int = 1
    side: str = "front"
    both_sides: bool = False  # DPXON: the other side follows
    hand_feed: bool = False
    overcoat: bytes | None = None  # the keys that stand for it
    packing: str | None = None  # of the print head that the job is made for
    language: str = "ENG"
    sizes: dict[str, int] = field(default_factory=dict)  # ribbon panel -> bytes, in the order in which planes are sent
    planes: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One card, or copies of it."""

    pages: tuple[Page, ...]

    @property
    def text(self) -> str:
        """What it is called where commands are named."""
        return "job"

    @property
    def front(self) -> Page:
        """The page whose keys count for the whole job."""
        return self.pages[0]


def parse_header(text: str) -> Page | None:
    """The page that the header announces; None when it is no job: it must begin with NOC, and its sizes must be possible."""
    keys = text.strip(",").split(",")
    if not keys[0].startswith("NOC"):
        return None
    page, sizes = Page(), dict[str, int]()
    for key in keys:
        _take(page, sizes, key)
    if max(sizes.values(), default=0) > MAX_PLANE_BYTES:
        return None
    page.sizes = {panel: sizes[panel] for panel in "ymck" if sizes.get(panel)}
    page.overcoat = _overcoat(keys)
    return page


def _take(page: Page, sizes: dict[str, int], key: str) -> None:
    found = _KEY.match(key)
    name, number = (found[1], int(found[2] or 0)) if found is not None else ("", 0)
    if name == "NOC":
        page.copies = min(max(number, 1), 255)
    elif name.startswith("SZ"):
        sizes.update({PANELS[name[2]]: number} if name[2] in PANELS else {})
    elif name == "LAN":
        page.language = key[3:6]
    elif key == "PAG2":
        page.side = "back"
    elif key in HEADS:
        page.packing = HEADS[key]
    elif key in _SWITCHES:
        attribute, on = _SWITCHES[key]
        setattr(page, attribute, on)


_SWITCHES = {
    "HFDON": ("hand_feed", True),
    "HFDOFF": ("hand_feed", False),
    "DPXON": ("both_sides", True),
    "DPXOFF": ("both_sides", False),
}


def _overcoat(keys: list[str]) -> bytes | None:
    """OVR, PCT and NCT as they came; None without an overcoat."""
    areas, holes = list[str](), 0
    for at, key in enumerate(keys):
        if key[:3] in _AREA_KEYS and key[3:].isdecimal() and all(more.isdecimal() for more in keys[at + 1 : at + 4]):
            holes += key.startswith("NCT")
            if holes <= _MAX_HOLES or key.startswith("PCT"):
                areas.append(",".join(keys[at : at + 4]))
    if "OVROFF" in keys or ("OVRON" not in keys and not areas):
        return None
    return ",".join(["OVRON", *areas]).encode("ascii")
