"""The residents of example_people.toml, as records."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("example_people.toml")


@dataclass(frozen=True, slots=True)
class Looks:
    """What the drawn face looks like."""

    skin: str  # a key of example_faces.SKINS
    hair: str  # crop, part, curly, receding, long, bob, bun, hijab, hijab_long
    wear: str  # collar, batik, kebaya, suit, tunic
    colour: str  # of the clothes or the veil, #rrggbb
    hair_colour: str = "#17120f"
    peci: bool = False
    glasses: bool = False
    moustache: bool = False
    beard: bool = False


@dataclass(frozen=True, slots=True)
class Resident:
    """One person: the biodata in the order of the card, and the looks."""

    region: str  # PPKKCC of the NIK
    name: str
    birth_place: str
    born: str  # YYYY-MM-DD
    address: str
    village: str
    district: str
    regency: str
    province: str
    religion: str
    marital: str
    occupation: str
    issue_place: str
    looks: Looks
    woman: bool = False
    blood: str | None = None
    rt: str | None = None
    rw: str | None = None
    valid_until: str = "SEUMUR HIDUP"
    nationality: str = "WNI"


def residents() -> list[Resident]:
    """Everyone in example_people.toml, in order."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["residents"]
    return [Resident(**{**row, "looks": Looks(**row["looks"])}) for row in rows]
