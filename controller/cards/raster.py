"""What a printer's head takes: size, resolution, packing and panels. Filled from a printer profile, read by the renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from controller.errors import Problem, RenderError
from controller.model import Panel

FRONT, BACK = "front", "back"


@dataclass(frozen=True, slots=True)
class RasterPanel:
    """One ribbon panel as the printer wants it."""

    name: str  # y, m, c, k or o
    levels: int  # 2 for 1 bit a dot, 64 for 6 bits, 128 for 7 bits
    size_bytes: int  # of the packed panel, exactly; 0: as long as its content, such as an overcoat that travels as keys
    side: str = FRONT  # or BACK

    @property
    def bits(self) -> int:
        """Bits one dot takes on the wire."""
        return (self.levels - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Raster:
    """The dots of a card's sides and how they travel."""

    name: str  # of the printer profile it came from
    width_dots: int  # one line: the short side of the card
    height_lines: int  # lines sent: the long side of the card, from its left edge
    dpi: int
    packing: str  # a key of packing.PACKINGS
    panels: tuple[RasterPanel, ...]  # in ribbon order, the front's before the back's

    def to_json(self) -> dict[str, Any]:
        """The raster as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Raster:
        """The inverse of `to_json`. Raises TypeError or KeyError for anything else."""
        return cls(**{**value, "panels": tuple(RasterPanel(**panel) for panel in value["panels"])})


def check_shapes(panels: Sequence[Panel], raster: Raster) -> None:
    """Prove that the panels are those of the raster, in its order. RenderError otherwise: one byte too few, and a printer takes
    the next commands for dots (printers.md 3.12, item 4)."""
    wanted = [(row.name, row.levels, row.size_bytes or "*", row.side) for row in raster.panels]
    of_any_size = {row.name for row in raster.panels if not row.size_bytes}
    given = [(panel.name, panel.levels, "*" if panel.name in of_any_size else len(panel.data), panel.side) for panel in panels]
    if given != wanted:
        raise RenderError(
            Problem(
                "panels.wrong_shape", "panels",
                f"panel kartu (nama, tingkat, byte, sisi) {given} tidak cocok dengan printer {wanted}; gambar ulang kartu ini",
                f"the card's panels (name, levels, bytes, side) {given} do not fit the printer {wanted}; draw the card again",
            )
        )  # fmt: skip
