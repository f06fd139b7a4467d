"""What lands on which panel: black over no dye, an upright photo, a signature that is ink, an overlay with its hole."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from controller.cards.dots import Dots
from controller.cards.draw import Sheet, draw_overlay, draw_text, fit_photo, fit_signature
from controller.cards.face import Face
from controller.cards.fonts import Fonts
from controller.cards.layout import Box, Overlay
from controller.cards.layout_file import installed_layout
from controller.cards.raster import Raster, RasterPanel
from controller.cards.typeset import Run
from controller.errors import RenderError
from tests.golden.cards.sample import planes_of, portrait, primacy, raster_of, record, signature

LAYOUT, RASTER = installed_layout(), primacy()
SHEET = Sheet(LAYOUT, RASTER)
INK_BOX = (213, 78)  # width and height in dots


@pytest.fixture(scope="module")
def planes() -> dict[str, Dots]:
    return planes_of(Face(LAYOUT).render(record(), RASTER), RASTER)


def ink(picture: Image.Image) -> Any:
    return fit_signature(picture, LAYOUT.signature, INK_BOX)


def test_every_panel_of_the_ribbon_is_drawn(planes: dict[str, Dots]) -> None:
    assert list(planes) == ["y", "m", "c", "k", "o"]
    assert all(plane.shape == (648, 1016) and plane.any() for plane in planes.values())


def test_dye_is_only_in_the_photo(planes: dict[str, Dots]) -> None:
    rows, columns = SHEET.area(LAYOUT.photo)
    for name in ("y", "m", "c"):
        outside = planes[name].copy()
        outside[rows, columns] = 0
        assert not outside.any()


def test_there_is_no_dye_under_black() -> None:
    low = LAYOUT.photo.model_copy(update={"y_mm": 22.0})  # now the photo lies behind the place of issue and the signature
    planes = planes_of(Face(LAYOUT.model_copy(update={"photo": low})).render(record(), RASTER), RASTER)
    black = planes["k"][SHEET.area(low)] == 1
    assert black.sum() > 500
    assert not any(planes[name][SHEET.area(low)][black].any() for name in ("y", "m", "c"))


def test_the_photo_is_upright(planes: dict[str, Dots]) -> None:
    cyan = planes["c"][SHEET.area(LAYOUT.photo)].astype(int)
    assert cyan[:60].mean() < cyan[-40:].mean()  # red wall above, blue coat below
    assert cyan[-40:, 80:130].mean() < cyan[-40:, 20:60].mean() + cyan[-40:, 150:190].mean()  # coat on both sides


def test_red_paper_takes_yellow_and_magenta_but_little_cyan(planes: dict[str, Dots]) -> None:
    row, column = (area.start + 10 for area in SHEET.area(LAYOUT.photo))
    yellow, magenta, cyan = (int(planes[name][row, column]) for name in "ymc")
    assert yellow > 90
    assert magenta > 90
    assert cyan < 50


def test_a_wide_photo_loses_its_sides_not_its_shape() -> None:
    wide = Image.new("RGB", (800, 400), "white")
    wide.paste("black", (300, 100, 500, 300))  # a square in the middle
    fitted = np.asarray(fit_photo(wide, LAYOUT.photo, (213, 284)))
    across, down = (fitted[142, :, 0] < 128).sum(), (fitted[:, 106, 0] < 128).sum()
    assert abs(int(across) - int(down)) <= 1


def test_a_signature_fills_its_box_and_keeps_its_shape() -> None:
    picture = Image.new("L", (300, 100), 255)
    picture.paste(0, (100, 40, 200, 60))
    rows, columns = np.nonzero(ink(picture))
    assert np.ptp(columns) + 1 == pytest.approx(5 * (np.ptp(rows) + 1), rel=0.06)
    assert np.ptp(columns) > 150


def test_a_speck_stays_a_speck() -> None:
    picture = Image.new("L", (300, 100), 255)
    picture.paste(0, (100, 40, 102, 42))
    assert 0 < ink(picture).sum() < 40


def test_a_person_who_cannot_sign_leaves_the_place_empty() -> None:
    assert not ink(Image.new("L", (300, 100), 255)).any()


def test_see_through_paper_is_white() -> None:
    picture = Image.new("RGBA", (300, 100), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (100, 40, 200, 60))
    assert 0.1 < ink(picture).mean() < 0.6


def test_a_black_signature_picture_is_refused() -> None:
    with pytest.raises(RenderError, match=r"signature\.data: the signature image is nearly all black"):
        ink(Image.new("L", (300, 100), 0))


def test_the_overlay_leaves_the_hologram_free() -> None:
    overlay = draw_overlay(LAYOUT.overlay, SHEET)
    hole = LAYOUT.overlay.holes[0]
    assert not overlay[SHEET.area(hole)].any()
    assert (overlay == 0).sum() == pytest.approx(hole.width_mm * hole.height_mm * (300 / 25.4) ** 2, rel=0.02)


def test_a_hole_at_the_edge_of_a_card_wider_than_the_head_begins_at_the_first_dot() -> None:
    sheet = Sheet(LAYOUT, raster_of("magicard-alto"))
    hole = Box(x_mm=0, y_mm=0, width_mm=10, height_mm=53.98)
    overlay = draw_overlay(Overlay(holes=(hole,)), sheet)
    assert not overlay[100, :112].any()
    assert overlay[100, 114:].all()


def test_letters_beyond_the_head_are_left_out() -> None:
    sheet = Sheet(LAYOUT, raster_of("magicard-alto"))
    fonts = Fonts(LAYOUT, 300)
    black = draw_text(sheet, fonts, [Run("WWW", "text", 12.0, 0.0, 1.0), Run("WWW", "text", 12.0, 85.6, 54.4)])
    assert 50 < black[:10, :150].sum() < 4000
    assert not black[20:-70].any()


def test_lines_are_set_as_the_font_library_sets_them() -> None:
    fonts = Fonts(LAYOUT, 300)
    for anchor, align in (("ls", "left"), ("ms", "centre"), ("rs", "right")):
        canvas = Image.new("L", (SHEET.width, SHEET.height), 0)
        font = fonts.sized("text", 7.0)
        ImageDraw.Draw(canvas).text((500, 300), "JL. ÇATUR 12, WÁTĀ", fill=255, font=font, anchor=anchor)
        x_mm, y_mm = (500 - SHEET.x(0)) * 25.4 / 300, (300 - SHEET.y(0)) * 25.4 / 300
        drawn = draw_text(SHEET, fonts, [Run("JL. ÇATUR 12, WÁTĀ", "text", 7.0, x_mm, y_mm, align)])  # type: ignore[arg-type]  # a loop
        assert np.array_equal(drawn, np.asarray(canvas) >= 128), align


def test_no_text_lies_in_the_hole_or_near_the_edge(planes: dict[str, Dots]) -> None:
    assert not planes["k"][SHEET.area(LAYOUT.overlay.holes[0])].any()
    assert not planes["k"][:, :36].any()
    assert not planes["k"][:, -36:].any()
    assert not planes["k"][:36].any()
    assert not planes["k"][-24:].any()


def test_a_panel_nobody_can_draw_is_named() -> None:
    raster = Raster("x", 648, 1016, 300, "evolis", (RasterPanel("uv", 2, 82_296),))
    with pytest.raises(RenderError, match="the panel 'uv' cannot be drawn"):
        Face(LAYOUT).render(record(), raster)


def test_a_png_signature_of_any_mode_is_drawn() -> None:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(signature())).convert(mode).save(buffer, "PNG")
        face = Face(LAYOUT).render(record(portrait(), buffer.getvalue()), RASTER)
        assert planes_of(face, RASTER)["k"][SHEET.area(LAYOUT.signature)].mean() > 0.02
