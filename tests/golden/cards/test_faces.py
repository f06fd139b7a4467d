"""Rendered faces against the golden pictures and digests of `faces`."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.golden.cards import faces
from tests.golden.cards.sample import planes_of, raster_of

# Share of ink. Debian 13's OCR-A differs by 0.125 in a square of the NIK and 0.0016 on the mean; a value shifted by 0.2 mm by
# 0.19 and 0.005, a missing label by 0.3. Photos do not depend on fonts: one shifted by 0.2 mm differs by 0.11.
MOST_IN_A_SQUARE = {"k": 0.16}
MOST_ELSEWHERE = 0.05
MEAN = 0.0025

every_face = pytest.mark.parametrize(("printer", "name"), [(one, name) for one in faces.PRINTERS for name in faces.RECORDS])


@every_face
def test_every_panel_looks_like_its_golden_picture(printer: str, name: str) -> None:
    panels = faces.render(printer, name)
    for panel, plane in zip(panels, planes_of(panels, raster_of(printer)).values(), strict=True):
        scale = faces.SCALE[panel.name]
        drawn = faces.picture(plane, panel.levels, scale)
        with Image.open(faces.FOLDER / printer / f"{name}-{panel.name}.png") as golden:
            difference = np.abs(faces.squares(drawn, scale) - faces.squares(golden, scale))
        assert difference.max() < MOST_IN_A_SQUARE.get(panel.name, MOST_ELSEWHERE), (
            f"{name}-{panel.name}: look at row, column {np.argwhere(difference == difference.max())}"
        )
        assert difference.mean() < MEAN


@every_face
def test_every_byte_is_the_golden_one(printer: str, name: str) -> None:
    golden: dict[str, Any] = json.loads(faces.DIGESTS.read_text())
    if golden["made_with"] != faces.made_with():
        pytest.skip("fonts, Pillow or machine differ from those of the goldens; the pictures were compared")
    digests = {panel.name: hashlib.sha256(panel.data).hexdigest() for panel in faces.render(printer, name)}
    assert digests == golden[printer][name]


def test_no_golden_picture_is_left_over() -> None:
    wanted = {f"{printer}/{name}-{panel}.png" for printer in faces.PRINTERS for name in faces.RECORDS for panel in faces.SCALE}
    assert {str(path.relative_to(faces.FOLDER)) for path in faces.FOLDER.rglob("*.png")} == wanted
