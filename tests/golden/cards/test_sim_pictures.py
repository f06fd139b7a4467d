"""What hw-sim decodes from packed panels equals what was drawn, plane by plane, and its picture equals the preview, dot by dot.

Two readings of the facts that share no code: the controller's packing and the simulator's unpacking. There is no dithering.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller.cards.picture import write_picture
from controller.model import Panel
from hwsim import dots
from hwsim.forms import Form
from hwsim.pictures import compose
from hwsim.world import Printed
from tests.golden.cards import faces
from tests.golden.cards.sample import planes_of, raster_of

every_face = pytest.mark.parametrize(("printer", "name"), [(one, name) for one in faces.PRINTERS for name in faces.RECORDS])


def on_the_card(printer: str, panel: Panel) -> Printed:
    """The panel as the simulator keeps it after it came over the wire."""
    raster = raster_of(printer)
    form = Form(raster.packing, raster.width_dots, raster.height_lines)
    return Printed(panel.side, panel.name, panel.levels, "", form, panel.data, complete=True)


@every_face
def test_every_plane_that_the_simulator_decodes_is_the_one_that_was_drawn(printer: str, name: str) -> None:
    panels = faces.render(printer, name)
    drawn = planes_of(panels, raster_of(printer))
    for panel in panels:
        decoded = dots.picture(on_the_card(printer, panel))
        assert decoded is not None
        assert np.array_equal(decoded, drawn[panel.name]), panel.name


@every_face
def test_the_simulators_picture_is_the_preview(printer: str, name: str, tmp_path: Path) -> None:
    panels = faces.render(printer, name)
    write_picture(tmp_path / "preview.png", panels, raster_of(printer), "front")
    seen, _ = compose([on_the_card(printer, panel) for panel in panels])
    with Image.open(tmp_path / "preview.png") as preview:
        assert preview.mode == seen.mode == "RGB"
        assert np.array_equal(np.asarray(preview), np.asarray(seen))
