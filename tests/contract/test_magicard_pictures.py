"""Five records through the Magicard driver, real USB/IP and hw-sim: the picture of each card is the preview, to the last dot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller.cards.picture import write_picture
from hwsim.pictures import compose
from tests.contract.test_hand_fed_printer import MODELS, simulated
from tests.golden.cards import faces
from tests.golden.cards.sample import raster_of


@pytest.mark.parametrize("model", MODELS)
async def test_pictures_of_printed_cards_are_those_of_the_preview(model: str, tmp_path: Path) -> None:
    async with simulated(model) as rig:
        await rig.printer.open()
        for name in faces.RECORDS:
            rig.panels = list(faces.render(model, name))
            blank = rig.put_in()
            await rig.print()
            write_picture(tmp_path / "preview.png", rig.panels, raster_of(model), "front")
            seen, _ = compose(rig.world.blank(blank).printed)
            with Image.open(tmp_path / "preview.png") as preview:
                assert np.array_equal(np.asarray(preview), np.asarray(seen)), name
