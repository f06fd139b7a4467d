"""Golden faces: every panel of five records on three printers, as pictures a person can review.

`python -m tests.golden.cards.faces` rewrites them. The dots are those that the packed panels unpack to; dye is dark.

Fonts differ a little between Debian releases, so pictures are compared by the ink in squares of 16 dots, under a tight bound.
Where fonts, Pillow and machine are those the goldens were made with, the packed bytes are compared too.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from controller.cards.dots import Dots
from controller.cards.face import Face
from controller.cards.fonts import FONT_FOLDER
from controller.cards.layout_file import installed_layout
from controller.model import Panel
from tests.golden.cards.sample import CROWDED, FOREIGN, LONG, planes_of, portrait, raster_of, record

FOLDER = Path(__file__).parent
DIGESTS = FOLDER / "faces.json"
PRINTERS = ("evolis-primacy", "magicard-enduro", "magicard-alto")


def _grey_and_wide() -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(portrait())) as picture:
        picture.convert("L").crop((0, 100, 480, 420)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _no_ink() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (300, 120), 1).save(buffer, "PNG")
    return buffer.getvalue()


RECORDS = {
    "plain": record(),
    "long": record(portrait((24, 60, 150)), **LONG),
    "crowded": record(portrait((24, 60, 150), hair=(70, 40, 20)), **CROWDED),
    "foreign": record(portrait((228, 228, 224), hair=(196, 160, 90)), **FOREIGN),
    "unsigned": record(_grey_and_wide(), _no_ink(), blood_type=None),
}
SQUARE_DOTS = 16
SCALE = {"y": 2, "m": 2, "c": 2, "k": 1, "o": 4}  # dyes and overlay are stored smaller: they have no fine detail


@lru_cache
def render(printer: str, name: str) -> tuple[Panel, ...]:
    """The packed panels of one of RECORDS for one of PRINTERS."""
    return _face().render(RECORDS[name], raster_of(printer))


def picture(plane: Dots, levels: int, scale: int) -> Image.Image:
    """A panel as a picture: dye is dark."""
    full = Image.fromarray((255 - plane.astype(np.uint16) * 255 // (levels - 1)).astype(np.uint8))
    return full.reduce(scale) if scale > 1 else full.convert("1")


def squares(image: Image.Image, scale: int) -> NDArray[np.float64]:
    """The mean ink, 0 to 1, of every square of the card."""
    side = SQUARE_DOTS // scale
    ink = 1 - np.asarray(image.convert("L"), np.float64) / 255
    rows, columns = ink.shape[0] // side, ink.shape[1] // side
    means: NDArray[np.float64] = ink[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))
    return means


def made_with() -> dict[str, Any]:
    """What the exact bytes depend on."""
    files = sorted({font.files[0] for font in installed_layout().fonts.values()})
    fonts = {file: hashlib.sha256((FONT_FOLDER / file).read_bytes()).hexdigest() for file in files}
    return {"pillow": PIL.__version__, "machine": platform.machine(), "fonts": fonts}


@lru_cache
def _face() -> Face:
    return Face(installed_layout())


def main() -> None:
    """Rewrite the pictures and digests."""
    digests: dict[str, Any] = {"made_with": made_with()}
    for printer in PRINTERS:
        (FOLDER / printer).mkdir(exist_ok=True)
        digests[printer] = {}
        for name in RECORDS:
            panels = render(printer, name)
            digests[printer][name] = {panel.name: hashlib.sha256(panel.data).hexdigest() for panel in panels}
            for panel, plane in zip(panels, planes_of(panels, raster_of(printer)).values(), strict=True):
                file = FOLDER / printer / f"{name}-{panel.name}.png"
                picture(plane, panel.levels, SCALE[panel.name]).save(file, optimize=True)
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")


if __name__ == "__main__":
    main()
