"""The layout's fonts: found by path, loaded once per size, measured and checked for missing letters. Used by the child only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from controller.cards.dots import Dots
from controller.cards.layout import Font, Layout
from controller.cards.problems import refusal

FONT_FOLDER = Path("/usr/share/fonts")
_NOBODY = "\U0010fffd"  # a private-use letter that no font has: draws the font's "missing letter" box


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as black dots, and where they lie from its place on the baseline."""

    dots: Dots  # 0 and 1
    left: int
    top: int
    advance: int  # dots to the next letter's place


class Fonts:
    """The fonts of one layout at one resolution."""

    def __init__(self, layout: Layout, dpi: int, folder: Path = FONT_FOLDER) -> None:
        """Find every font file. Raises RenderError naming the Debian package of the first that is missing."""
        self._dpi = dpi
        self._files = {name: _find(font, folder) for name, font in layout.fonts.items()}
        self._sized = lru_cache(maxsize=128)(self._load)  # 3 fonts in at most 20 quarter-point steps each
        # 3 fonts, 20 sizes, 100 letters; else every trial costs 0.5 ms
        self._advance = lru_cache(maxsize=8192)(self._letter_dots)
        self._drawn = lru_cache(maxsize=4096)(self._draw_letter)  # 1 kB each; drawn anew, a card's letters take 15 ms
        self._has = lru_cache(maxsize=4096)(self._has_letter)  # the letters of 3 fonts, some times over

    def sized(self, name: str, size_pt: float) -> ImageFont.FreeTypeFont:
        """The font of this name of the layout at this size."""
        return self._sized(name, size_pt)

    def letter(self, name: str, size_pt: float, letter: str) -> Letter:
        """One letter of the font of this name of the layout at this size."""
        return self._drawn(name, size_pt, letter)

    def width_mm(self, name: str, size_pt: float, text: str) -> float:
        """How wide this text will be on the card: letter by letter, as the basic layout sets fonts without a kern table."""
        return sum(self._advance(name, size_pt, letter) for letter in text) * 25.4 / self._dpi

    def can_print(self, name: str, text: str) -> bool:
        """Whether the font has every letter of this text."""
        return all(self._has(name, letter) for letter in text)

    def _load(self, name: str, size_pt: float) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(self._files[name], size_pt * self._dpi / 72, layout_engine=ImageFont.Layout.BASIC)

    def _draw_letter(self, name: str, size_pt: float, letter: str) -> Letter:
        mask, (left, top) = self.sized(name, size_pt).getmask2(letter, "L", anchor="ls")
        grey = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0])
        advance = round(self._advance(name, size_pt, letter))  # a whole number already: hinted fonts keep to the dots
        return Letter((grey >= 128).astype(np.uint8), left, top, advance)

    def _letter_dots(self, name: str, size_pt: float, letter: str) -> float:
        return self.sized(name, size_pt).getlength(letter)

    def _has_letter(self, name: str, letter: str) -> bool:
        font = self.sized(name, 12.0)
        return letter.isprintable() and bytes(font.getmask(letter)) != bytes(font.getmask(_NOBODY))


def _find(font: Font, folder: Path) -> Path:
    for file in font.files:
        if (folder / file).is_file():
            return folder / file
    raise refusal("font.missing", file=font.files[0], package=font.package)
