"""Rendered faces against the golden pictures and digests of `faces`."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from controller.cards.packing import unpack
from tests.golden.cards import faces
from tests.golden.cards.sample import primacy

RASTER = primacy()
# Share of ink. Debian 13's OCR-A differs by 0.125 in a square of the NIK and 0.0016 on the mean; a value shifted by 0.2 mm by
# 0.19 and 0.005, a missing label by 0.3. Photos do not depend on fonts: one shifted by 0.2 mm differs by 0.11.
MOST_IN_A_SQUARE = {"k": 0.16}
MOST_ELSEWHERE = 0.05
MEAN = 0.0025


@pytest.mark.parametrize("name", faces.RECORDS)
def test_every_panel_looks_like_its_golden_picture(name: str) -> None:
    for row, panel in zip(RASTER.panels, faces.render(name), strict=True):
        scale = faces.SCALE[panel.name]
        drawn = faces.picture(unpack(panel.data, RASTER, row), panel.levels, scale)
        with Image.open(faces.FOLDER / f"{name}-{panel.name}.png") as golden:
            difference = np.abs(faces.squares(drawn, scale) - faces.squares(golden, scale))
        assert difference.max() < MOST_IN_A_SQUARE.get(panel.name, MOST_ELSEWHERE), (
            f"{name}-{panel.name}: look at row, column {np.argwhere(difference == difference.max())}"
        )
        assert difference.mean() < MEAN


@pytest.mark.parametrize("name", faces.RECORDS)
def test_every_byte_is_the_golden_one(name: str) -> None:
    golden: dict[str, Any] = json.loads(faces.DIGESTS.read_text())
    if golden["made_with"] != faces.made_with():
        pytest.skip("fonts, Pillow or machine differ from those of the goldens; the pictures were compared")
    assert {panel.name: hashlib.sha256(panel.data).hexdigest() for panel in faces.render(name)} == golden[name]
