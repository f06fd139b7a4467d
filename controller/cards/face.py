"""Record to packed panels: the whole way through the pure parts. Layout and fonts are loaded once; a card takes some 20 ms.

record -> fields -> typeset -> draw -> packing. Runs in the child only; touches no file but the fonts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache

from PIL import Image

from controller.cards.colour import DyeModel, ToneColour
from controller.cards.draw import Artwork, Sheet, draw_panels
from controller.cards.fields import FIELDS, face_texts
from controller.cards.fonts import Fonts
from controller.cards.images import Source, open_picture
from controller.cards.layout import Layout, PhotoBox, SignatureBox
from controller.cards.packing import check_raster, pack
from controller.cards.problems import refusal
from controller.cards.raster import FRONT, Raster
from controller.cards.typeset import typeset, typeset_back
from controller.model import Panel
from controller.records.prr import PHOTO_MAX_BYTES, SIGNATURE_MAX_BYTES, Record


class Face:
    """Draws the cards of records with one layout, for printers of one way of making colour."""

    def __init__(self, layout: Layout, dyes: DyeModel | None = None) -> None:
        """Without `dyes` colour is made by the layout's own curve."""
        self._layout = layout
        self._dyes: DyeModel = ToneColour(layout.colour) if dyes is None else dyes
        self._fonts = lru_cache(maxsize=4)(lambda dpi: Fonts(layout, dpi))  # one resolution per kind of printer
        self._photo = Source("photo.data", ("JPEG",), PHOTO_MAX_BYTES, *_least(layout.photo))
        self._signature = Source("signature.data", ("PNG", "JPEG"), SIGNATURE_MAX_BYTES, *_least(layout.signature))

    def warm(self, dpi: int) -> None:
        """Load the fonts now, so that the first card takes no longer than the others. Raises RenderError when one is missing."""
        fonts = self._fonts(dpi)
        for name in self._layout.fonts:
            fonts.sized(name, 12.0)

    def check_images(self, photo: bytes, signature: bytes) -> None:
        """Decode both pictures in full. Raises RenderError for the first that cannot be used."""
        open_picture(photo, self._photo)
        open_picture(signature, self._signature)

    def render(self, record: Record, raster: Raster) -> tuple[Panel, ...]:
        """The packed panels of this record in ribbon order: those of the back only where the layout has one.

        Raises RenderError with the reason when it cannot be drawn.
        """
        if self._layout.back is None:
            raster = dataclasses.replace(raster, panels=tuple(panel for panel in raster.panels if panel.side == FRONT))
        check_raster(raster)
        fonts = self._fonts(raster.dpi)
        texts = face_texts(record, self._layout.letter_case)
        self._check_letters(fonts, texts)
        front = typeset(self._layout, texts, fonts.width_mm)
        back = typeset_back(self._layout, texts, fonts.width_mm)
        photo = self._open_photo(record, raster)
        signature = open_picture(record.signature.content(), self._signature)
        art = Artwork(front, back, photo, photo.info.get("icc_profile"), signature)
        planes = draw_panels(self._layout, raster, fonts, self._dyes, art)
        return tuple(
            Panel(panel.name, panel.levels, pack(plane, raster, panel), side=panel.side)
            for panel, plane in zip(raster.panels, planes, strict=True)
        )

    def _open_photo(self, record: Record, raster: Raster) -> Image.Image:
        return open_picture(record.photo.content(), self._photo, Sheet(self._layout, raster).size(self._layout.photo))

    def _check_letters(self, fonts: Fonts, texts: Mapping[str, str]) -> None:
        layout = self._layout
        back = () if layout.back is None else layout.back.texts
        fonts_of = {box.field: box.type.font for box in (*layout.texts, *back)}
        for field, text in texts.items():
            if not fonts.can_print(fonts_of.get(field, layout.table.value.font), text):
                raise refusal("layout.letter", FIELDS[field].place)


def _least(box: PhotoBox | SignatureBox) -> tuple[int, int]:
    return box.min_width_px, box.min_height_px
