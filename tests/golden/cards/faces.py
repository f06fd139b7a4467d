"""Golden faces: every panel of two records as a picture a person can review. `python -m tests.golden.cards.faces` rewrites them.

Fonts differ a little between Debian releases, so pictures are compared by the ink in squares of 16 dots, under a tight bound.
Where fonts, Pillow and machine are those the goldens were made with, the packed bytes are compared too.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

from controller.cards.face import Face, installed_layout
from controller.cards.fonts import FONT_FOLDER
from controller.cards.packing import Dots
from controller.model import Panel
from tests.golden.cards.sample import LONG, planes_of, portrait, primacy, record

FOLDER = Path(__file__).parent
DIGESTS = FOLDER / "faces.json"
RECORDS = {"plain": record(), "long": record(portrait((24, 60, 150)), **LONG)}
SQUARE_DOTS = 16
SCALE = {"y": 2, "m": 2, "c": 2, "k": 1, "o": 4}  # dyes and overlay are stored smaller: they have no fine detail


def render(name: str) -> tuple[Panel, ...]:
    """The packed panels of one of RECORDS."""
    return Face(installed_layout()).render(RECORDS[name], primacy())


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


def main() -> None:
    """Rewrite the pictures and digests."""
    digests: dict[str, Any] = {"made_with": made_with()}
    for name in RECORDS:
        panels = render(name)
        digests[name] = {panel.name: hashlib.sha256(panel.data).hexdigest() for panel in panels}
        for panel_name, plane in planes_of(panels, primacy()).items():
            levels = 2 if panel_name in "ko" else 128
            picture(plane, levels, SCALE[panel_name]).save(FOLDER / f"{name}-{panel_name}.png", optimize=True)
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n")


if __name__ == "__main__":
    main()
