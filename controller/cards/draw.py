"""Draws one card side: photo as Y, M and C dye, text and signature as black resin, overlay with holes. Runs in the child only.

All planes are upright landscape pictures of dots, [y, x], centred on the card. Where black resin prints there is no dye under
it: composite black smears and reads badly on scanners.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from controller.cards.colour import dye_levels, tone_table
from controller.cards.fonts import Fonts
from controller.cards.layout import Box, Layout, PhotoBox, SignatureBox
from controller.cards.packing import Dots
from controller.cards.problems import refusal
from controller.cards.raster import Raster, RasterPanel
from controller.cards.typeset import Run

_ANCHOR = {"left": "ls", "centre": "ms", "right": "rs"}  # Pillow: horizontal place, then s for the baseline
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
        """The rows and columns of dots of a box."""
        rows = slice(round(self.y(box.y_mm)), round(self.y(box.y_mm + box.height_mm)))
        columns = slice(round(self.x(box.x_mm)), round(self.x(box.x_mm + box.width_mm)))
        return rows, columns

    def size(self, box: Box) -> tuple[int, int]:
        """Width and height of a box in dots."""
        rows, columns = self.area(box)
        return columns.stop - columns.start, rows.stop - rows.start


def draw_panels(
    layout: Layout, raster: Raster, fonts: Fonts, runs: Sequence[Run], photo: Image.Image, signature: Image.Image
) -> dict[str, Dots]:
    """The dots of every panel of the raster by name. Raises RenderError for a panel nobody can draw or a useless signature."""
    sheet = Sheet(layout, raster)
    black = draw_black(layout, sheet, fonts, runs, signature)
    rgb = fit_photo(photo, layout.photo, sheet.size(layout.photo))
    planes: dict[str, Dots] = {}
    for panel in raster.panels:
        if panel.name in _DYES:
            planes[panel.name] = _draw_dye(layout, sheet, panel, rgb, black)
        elif panel.name == "k":
            planes["k"] = black
        elif panel.name == "o":
            planes["o"] = draw_overlay(layout, sheet)
        else:
            raise refusal("raster.unknown_panel", panel=panel.name)
    return planes


def draw_black(layout: Layout, sheet: Sheet, fonts: Fonts, runs: Sequence[Run], signature: Image.Image) -> Dots:
    """Text and signature as one plane of 0 and 1."""
    canvas = Image.new("L", (sheet.width, sheet.height), 0)
    pen = ImageDraw.Draw(canvas)
    for run in runs:
        at = (round(sheet.x(run.x_mm)), round(sheet.y(run.baseline_mm)))
        pen.text(at, run.text, fill=255, font=fonts.sized(run.font, run.size_pt), anchor=_ANCHOR[run.align])
    black = (np.asarray(canvas) >= 128).astype(np.uint8)
    black[sheet.area(layout.signature)] |= fit_signature(signature, layout.signature, sheet.size(layout.signature))
    return black


def draw_overlay(layout: Layout, sheet: Sheet) -> Dots:
    """The clear panel: everywhere but in the holes."""
    overlay = np.ones((sheet.height, sheet.width), np.uint8)
    for hole in layout.overlay.holes:
        overlay[sheet.area(hole)] = 0
    return overlay


def fit_photo(photo: Image.Image, box: PhotoBox, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The photo as RGB, filling its box; what is too much is cut off."""
    fitted = ImageOps.fit(photo.convert("RGB"), size, Image.Resampling.LANCZOS, centering=(0.5, box.anchor_y))
    return np.asarray(fitted)


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


def _draw_dye(layout: Layout, sheet: Sheet, panel: RasterPanel, rgb: NDArray[np.uint8], black: Dots) -> Dots:
    plane = np.zeros((sheet.height, sheet.width), np.uint8)
    area = sheet.area(layout.photo)
    plane[area] = dye_levels(rgb, panel.name, tone_table(layout.colour, panel.levels))
    plane[black == 1] = 0
    return plane
