"""The layout's fonts: found by path, loaded once per size, measured and checked for missing letters. Used by the child only."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from controller.cards.layout import Font, Layout
from controller.cards.problems import refusal

FONT_FOLDER = Path("/usr/share/fonts")
_NOBODY = "\U0010fffd"  # a private-use letter that no font has: draws the font's "missing letter" box


class Fonts:
    """The fonts of one layout at one resolution."""

    def __init__(self, layout: Layout, dpi: int, folder: Path = FONT_FOLDER) -> None:
        """Find every font file. Raises RenderError naming the Debian package of the first that is missing."""
        self._dpi = dpi
        self._files = {name: _find(font, folder) for name, font in layout.fonts.items()}
        self._sized = lru_cache(maxsize=128)(self._load)  # 3 fonts in at most 20 quarter-point steps each
        self._advance = lru_cache(maxsize=8192)(
            self._letter_dots
        )  # 3 fonts, 20 sizes, 100 letters; else every trial costs 0.5 ms
        self._has = lru_cache(maxsize=4096)(self._has_letter)  # the letters of 3 fonts, some times over

    def sized(self, name: str, size_pt: float) -> ImageFont.FreeTypeFont:
        """The font of this name of the layout at this size."""
        return self._sized(name, size_pt)

    def width_mm(self, name: str, size_pt: float, text: str) -> float:
        """How wide this text will be on the card: letter by letter, as the basic layout sets fonts without a kern table."""
        return sum(self._advance(name, size_pt, letter) for letter in text) * 25.4 / self._dpi

    def can_print(self, name: str, text: str) -> bool:
        """Whether the font has every letter of this text."""
        return all(self._has(name, letter) for letter in text)

    def _load(self, name: str, size_pt: float) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(self._files[name], size_pt * self._dpi / 72, layout_engine=ImageFont.Layout.BASIC)

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
