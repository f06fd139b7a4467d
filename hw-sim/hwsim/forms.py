"""How the dots of a printed panel are packed. Pure data, without the arrays: `hwsim.dots` unpacks them."""

from __future__ import annotations

from dataclasses import dataclass

CENTRE = 50  # the print head's position as it leaves the factory (printers.md 4.2, field 16)


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one panel's bytes."""

    packing: str  # evolis, kge2, kge or kee
    width_dots: int  # the short side of the card
    height_lines: int  # the long side
    head_position: int = CENTRE  # of a Magicard; each step moves what is printed by one dot across
