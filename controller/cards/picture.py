"""A card as its dots will look, for the eye: panels to colours. docs/rendering.md states the sums; hw-sim does them by itself.

For each dot, in whole numbers: a channel of light is 255 less 255 v / (levels - 1), rounded, for the dye that takes it away (cyan
red, magenta green, yellow blue); black resin makes all three 0; a dot that the overlay leaves bare, on a side that has overlay,
loses a sixteenth of each channel, rounded down.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from controller.cards.dots import Dots
from controller.cards.packing import unpack
from controller.cards.problems import refusal
from controller.cards.raster import Raster
from controller.errors import StoreError, StoreFull
from controller.model import Panel

_CHANNELS = {"c": 0, "m": 1, "y": 2}  # dye -> the channel of RGB that it takes light from


def write_picture(path: Path, panels: Sequence[Panel], raster: Raster, side: str) -> None:
    """Write a PNG of one side. Raises RenderError when the panels are not this raster's or none is of this side, StoreError."""
    shown = [panel for panel in panels if panel.side == side]
    if not shown:
        raise refusal("picture.side", side=side)
    picture = compose({panel.name: (_dots(panel, raster), panel.levels) for panel in shown})
    try:
        with path.open("wb") as file:
            picture.save(file, "PNG", dpi=(raster.dpi, raster.dpi))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("the disk is full; the picture was not stored") from error
        raise StoreError(f"the picture cannot be written: {os.strerror(error.errno or 0)}") from error


def compose(planes: Mapping[str, tuple[Dots, int]]) -> Image.Image:
    """The picture of one side from the upright dots and levels of its panels by name."""
    shape = next(iter(planes.values()))[0].shape
    pixels = np.full((*shape, 3), 255, np.uint8)
    for name, channel in _CHANNELS.items():
        if name in planes:
            dots, levels = planes[name]
            pixels[:, :, channel] = _light(levels)[dots]
    if "k" in planes:
        pixels[planes["k"][0] > 0] = 0
    if "o" in planes:
        bare = planes["o"][0] == 0
        pixels[bare] -= pixels[bare] // 16
    return Image.fromarray(pixels)


def _light(levels: int) -> NDArray[np.uint8]:
    """For each level of dye the light that is left."""
    full = levels - 1
    return np.array([255 - (510 * level + full) // (2 * full) for level in range(levels)], np.uint8)


def _dots(panel: Panel, raster: Raster) -> Dots:
    wanted = [row for row in raster.panels if (row.name, row.levels, row.side) == (panel.name, panel.levels, panel.side)]
    if not wanted:
        raise refusal("panels.damaged", detail=f"no panel '{panel.name}' on this printer")
    return unpack(panel.data, raster, wanted[0])
