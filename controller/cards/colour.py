"""Screen colours to dye. Runs in the child only.

Yellow dye takes away blue, magenta green, cyan red. Without an ICC profile the layout's tone curve maps how dark a screen colour
is to a share of full dye. With one (`ProfiledColour`) the profile decides: the photo's colours, by its own embedded profile or
else sRGB, go to the printer's by perceptual intent. A CMYK profile's black is added to all three dyes, because dye and black
resin never meet on a card: dye = C + K, at most full. An RGB profile's colours are inverted: dye = 255 - R.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from controller.cards.layout import Colour
from controller.cards.problems import refusal

_DYES = {"y": 2, "m": 1, "c": 0}  # dye -> the RGB channel it takes away
_PRINTER_MODES = {"RGB ": "RGB", "CMYK": "CMYK"}  # colour space of an ICC profile -> Pillow's mode
_PROFILE_FAULTS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


class DyeModel(Protocol):
    """Makes dye of a photo."""

    def light(self, photo: Image.Image, embedded: bytes | None) -> NDArray[np.uint8]:
        """The photo as [y, x, RGB] of screen light; `embedded` is the ICC profile that came with it."""

    def table(self, levels: int) -> NDArray[np.uint8]:
        """For each of the 256 values of light the level of dye, 0 to `levels` - 1."""


class ToneColour:
    """The layout's simple subtractive model."""

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self.table = lru_cache(maxsize=4)(self._table)  # one number of levels per kind of printer

    def light(self, photo: Image.Image, embedded: bytes | None) -> NDArray[np.uint8]:  # noqa: ARG002  the model knows no profiles
        """The photo's own colours."""
        return np.asarray(photo.convert("RGB"))

    def _table(self, levels: int) -> NDArray[np.uint8]:
        darkness, dye = zip(*self._colour.tone, strict=True)
        return _rounded(np.interp((255 - np.arange(256)) / 255, darkness, dye), levels)


class ProfiledColour:
    """The printer's ICC profile."""

    def __init__(self, profile: bytes) -> None:
        """Raises RendererFailed (icc.unusable) when no printer's colours can be made with this profile."""
        try:
            self._printer = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            self._mode = _PRINTER_MODES[self._printer.profile.xcolor_space]
            self._from_srgb = self._transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")))
        except KeyError as error:
            raise refusal("icc.unusable", detail=f"colour space {error}, not RGB or CMYK") from error
        except _PROFILE_FAULTS as error:
            raise refusal("icc.unusable", detail=str(error)) from error
        self.table = lru_cache(maxsize=4)(self._table)

    def light(self, photo: Image.Image, embedded: bytes | None) -> NDArray[np.uint8]:
        """The light that the profile's dyes leave: 255 - dye."""
        made = ImageCms.applyTransform(photo.convert("RGB"), self._transform_from(photo, embedded))
        inks: NDArray[np.uint8] = np.asarray(made)
        if self._mode == "RGB":
            return inks
        dye = np.minimum(inks[:, :, :3].astype(np.uint16) + inks[:, :, 3:], 255)
        light: NDArray[np.uint8] = (255 - dye).astype(np.uint8)
        return light

    def _transform_from(self, photo: Image.Image, embedded: bytes | None) -> ImageCms.ImageCmsTransform:
        """By the embedded profile when it is a sound one for RGB pictures; a stranger's damaged one counts as none."""
        if embedded is None or photo.mode != "RGB":
            return self._from_srgb
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
            return self._transform(source) if source.profile.xcolor_space == "RGB " else self._from_srgb
        except _PROFILE_FAULTS:
            return self._from_srgb

    def _transform(self, source: ImageCms.ImageCmsProfile) -> ImageCms.ImageCmsTransform:
        return ImageCms.buildTransform(source, self._printer, "RGB", self._mode, ImageCms.Intent.PERCEPTUAL)

    @staticmethod
    def _table(levels: int) -> NDArray[np.uint8]:
        return _rounded((255 - np.arange(256)) / 255, levels)


def dye_levels(light: NDArray[np.uint8], name: str, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The levels of the dye called `name` (y, m or c) for a picture of light."""
    return table[light[:, :, _DYES[name]]]


def _rounded(shares: NDArray[np.float64], levels: int) -> NDArray[np.uint8]:
    return np.rint(shares * (levels - 1)).astype(np.uint8)
