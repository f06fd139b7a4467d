"""Screen colours to dye: the layout's simple subtractive model. A printer's ICC profile takes its place when one is configured.

Yellow dye takes away blue, magenta green, cyan red. The tone curve maps how dark a screen colour is to a share of full dye.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.cards.layout import Colour

_CHANNEL = {"y": 2, "m": 1, "c": 0}  # dye -> the RGB channel it takes away


def tone_table(colour: Colour, levels: int) -> NDArray[np.uint8]:
    """For each of the 256 values of a screen channel the level of dye, 0 to `levels` - 1."""
    darkness, dye = zip(*colour.tone, strict=True)
    wanted = np.interp((255 - np.arange(256)) / 255, darkness, dye)
    table: NDArray[np.uint8] = np.rint(wanted * (levels - 1)).astype(np.uint8)
    return table


def dye_levels(rgb: NDArray[np.uint8], name: str, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The levels of the dye called `name` (y, m or c) for an RGB picture."""
    return table[rgb[:, :, _CHANNEL[name]]]
