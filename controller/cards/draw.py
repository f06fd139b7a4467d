"""Draws a card's sides: photo as Y, M and C dye, text and signature as black resin, overlay with holes. Runs in the child only.

All planes are upright landscape pictures of dots, [y, x], centred on the card. Where black resin prints there is no dye under
it: composite black smears and reads badly on scanners. The back has text and overlay only. What a layout draws is never left
out because a ribbon has no panel for it: that is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from controller.cards.colour import DyeModel, dye_levels
from controller.cards.dots import Dots
from controller.cards.fonts import Fonts
from controller.cards.layout import Box, Layout, Overlay, PhotoBox, SignatureBox
from controller.cards.problems import refusal
from controller.cards.raster import BACK, FRONT, Raster, RasterPanel
from controller.cards.typeset import Run

_HALVES_BEFORE = {"left": 0, "centre": 1, "right": 2}  # how much of a line's width lies before its place
_DYES = ("y", "m", "c")
_MAX_BLOW_UP = 2.5  # a trimmed signature against the untrimmed picture


class Sheet:
    """The dots of one card side and where millimetres of the card lie on them."""

    def __init__(self, layout: Layout, raster: Raster) -> None:
        self.width, self.height = raster.height_lines, raster.width_dots  # upright: the long side is across
        self._dots_per_mm = raster.dpi / 25.4
        self._left = (self.width - layout.card.width_mm * self._dots_per_mm) / 2  # the picture bleeds over the card's edges
        self._top = (self.height - layout.card.height_mm * self._dots_per_mm) / 2

    def x(self, mm: float) -> float:
        """Dots from the left of the sheet."""
        return self._left + mm * self._dots_per_mm

    def y(self, mm: float) -> float:
        """Dots from the top of the sheet."""
        return self._top + mm * self._dots_per_mm

    def area(self, box: Box) -> tuple[slice, slice]:
        """The rows and columns of dots of a box, as far as the head reaches: some are narrower than the card."""
        rows = slice(max(0, round(self.y(box.y_mm))), round(self.y(box.y_mm + box.height_mm)))
        columns = slice(max(0, round(self.x(box.x_mm))), round(self.x(box.x_mm + box.width_mm)))
        return rows, columns

    def size(self, box: Box) -> tuple[int, int]:
        """Width and height in dots of the area of a box."""
        rows, columns = self.area(box)
        return min(columns.stop, self.width) - columns.start, min(rows.stop, self.height) - rows.start


@dataclass(frozen=True, slots=True)
class Artwork:
    """What is drawn: the lines of text of each side, and the two pictures."""

    front: Sequence[Run]
    back: Sequence[Run]
    photo: Image.Image
    embedded: bytes | None  # the ICC profile that came with the photo
    signature: Image.Image


def draw_panels(layout: Layout, raster: Raster, fonts: Fonts, dyes: DyeModel, art: Artwork) -> tuple[Dots, ...]:
    """The dots of every panel of the raster, in its order. Raises RenderError for a panel nobody can draw, one that the ribbon
    lacks, or a useless signature."""
    _check_panels(layout, raster)
    sheet = Sheet(layout, raster)
    black = draw_text(sheet, fonts, art.front)
    black[sheet.area(layout.signature)] |= fit_signature(art.signature, layout.signature, sheet.size(layout.signature))
    light = dyes.light(fit_photo(art.photo, layout.photo, sheet.size(layout.photo)), art.embedded)
    planes: list[Dots] = []
    for panel in raster.panels:
        if panel.side == BACK:
            planes.append(_draw_back(layout, sheet, fonts, panel, art.back))
        elif panel.name in _DYES:
            planes.append(_draw_dye(layout, sheet, black, dye_levels(light, panel.name, dyes.table(panel.levels))))
        else:
            planes.append(black if panel.name == "k" else draw_overlay(layout.overlay, sheet))
    return tuple(planes)


def draw_text(sheet: Sheet, fonts: Fonts, runs: Sequence[Run]) -> Dots:
    """Lines of text as one plane of 0 and 1."""
    plane = np.zeros((sheet.height, sheet.width), np.uint8)
    for run in runs:
        letters = [fonts.letter(run.font, run.size_pt, letter) for letter in run.text]
        x, y = round(sheet.x(run.x_mm)), round(sheet.y(run.baseline_mm))
        x -= (sum(letter.advance for letter in letters) * _HALVES_BEFORE[run.align] + 1) // 2
        for letter in letters:
            _stamp(plane, letter.dots, x + letter.left, y + letter.top)
            x += letter.advance
    return plane


def draw_overlay(overlay: Overlay, sheet: Sheet) -> Dots:
    """The clear panel: everywhere but in the holes."""
    dots = np.ones((sheet.height, sheet.width), np.uint8)
    for hole in overlay.holes:
        dots[sheet.area(hole)] = 0
    return dots


def fit_photo(photo: Image.Image, box: PhotoBox, size: tuple[int, int]) -> Image.Image:
    """The photo as RGB, filling its box; what is too much is cut off."""
    return ImageOps.fit(photo.convert("RGB"), size, Image.Resampling.LANCZOS, centering=(0.5, box.anchor_y))


def fit_signature(signature: Image.Image, box: SignatureBox, size: tuple[int, int]) -> Dots:
    """The signature as 0 and 1, trimmed to its ink and centred in its box. No ink at all is a person who cannot sign."""
    grey = _on_white(signature)
    ink = grey.point([255 if level < box.ink_level else 0 for level in range(256)])
    edges = ink.getbbox()
    if edges is None:
        return np.zeros((size[1], size[0]), np.uint8)
    if ink.histogram()[255] > box.max_ink * grey.width * grey.height:
        raise refusal("signature.dark", "signature.data")
    return (np.asarray(_centred(grey, edges, size)) < box.ink_level).astype(np.uint8)


def _centred(grey: Image.Image, edges: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    """The part within `edges` on white paper of this size, as large as fits but not blown up: a speck must stay a speck."""
    part = grey.crop(edges)
    whole_scale = min(size[0] / grey.width, size[1] / grey.height)
    scale = min(size[0] / part.width, size[1] / part.height, whole_scale * _MAX_BLOW_UP)
    fitted = part.resize((max(1, int(part.width * scale)), max(1, int(part.height * scale))), Image.Resampling.LANCZOS)
    paper = Image.new("L", size, 255)
    paper.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return paper


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture in grey, with see-through parts as white paper."""
    if not picture.has_transparency_data:
        return picture.convert("L")
    clear = picture.convert("LA")
    grey = Image.new("L", clear.size, 255)
    grey.paste(clear.getchannel("L"), mask=clear.getchannel("A"))
    return grey


def _stamp(plane: Dots, dots: Dots, x: int, y: int) -> None:
    """Put black dots on a plane; what lies beyond its edges is beyond the head."""
    dots = dots[max(0, -y) :, max(0, -x) :]
    place = plane[max(0, y) :, max(0, x) :][: dots.shape[0], : dots.shape[1]]
    place |= dots[: place.shape[0], : place.shape[1]]


def _check_panels(layout: Layout, raster: Raster) -> None:
    names = {(panel.name, panel.side) for panel in raster.panels}
    unknown = [name for name, _ in names if name not in (*_DYES, "k", "o")]
    if unknown:
        raise refusal("raster.unknown_panel", panel=unknown[0])
    for name in (*_DYES, "k"):
        if (name, FRONT) not in names:
            raise refusal("raster.no_panel", panel=name)
    if layout.back is not None and ("k", BACK) not in names:
        raise refusal("raster.no_back")


def _draw_dye(layout: Layout, sheet: Sheet, black: Dots, levels: Dots) -> Dots:
    plane = np.zeros((sheet.height, sheet.width), np.uint8)
    area = sheet.area(layout.photo)
    plane[area] = np.where(black[area] == 1, 0, levels)
    return plane


def _draw_back(layout: Layout, sheet: Sheet, fonts: Fonts, panel: RasterPanel, runs: Sequence[Run]) -> Dots:
    if panel.name == "k":
        return draw_text(sheet, fonts, runs)
    if panel.name == "o" and layout.back is not None:
        return draw_overlay(layout.back.overlay, sheet)
    return np.zeros((sheet.height, sheet.width), np.uint8)  # no dye on the back, as no layout can ask for it
