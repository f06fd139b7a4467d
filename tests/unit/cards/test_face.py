"""Whole faces: extreme records fit or are refused with their place, before anything is packed."""

from dataclasses import replace

import pytest

from controller.cards.face import Face
from controller.cards.images import harden_decoders
from controller.cards.layout_file import installed_layout, load_layout
from controller.cards.raster import Raster
from controller.errors import RendererFailed, RenderError
from tests.golden.cards.sample import LONG, planes_of, portrait, primacy, raster_of, record, signature, two_sided_layout

RASTER = primacy()
BOTH_SIDES = raster_of("evolis-primacy", "ymckok")


@pytest.fixture(scope="module")
def face() -> Face:
    harden_decoders()
    return Face(installed_layout())


def test_panels_are_in_ribbon_order_and_of_the_profiles_sizes(face: Face) -> None:
    panels = face.render(record(**LONG), RASTER)
    assert [(panel.name, panel.levels, len(panel.data)) for panel in panels] == [
        (panel.name, panel.levels, panel.size_bytes) for panel in RASTER.panels
    ]


def test_the_same_record_gives_the_same_dots(face: Face) -> None:
    assert face.render(record(), RASTER) == face.render(record(), RASTER)


@pytest.mark.parametrize("blood_type", ["A", "B", "AB", "O", "A+", "AB+", "AB-", "O-"])
def test_every_blood_type_fits(face: Face, blood_type: str) -> None:
    assert face.render(record(blood_type=blood_type), RASTER)


def test_a_name_without_spaces_that_is_too_long_is_refused(face: Face) -> None:
    with pytest.raises(RenderError, match=r"person\.name: the text does not fit on the card"):
        face.render(record(name="W" * 100), RASTER)


def test_a_letter_without_a_shape_is_refused(face: Face) -> None:
    odd = record().model_copy(update={"person": record().person.model_copy(update={"name": "SITI 語"})})
    with pytest.raises(RenderError, match=r"person\.name: the text has a letter that cannot be printed") as raised:
        face.render(odd, RASTER)
    assert "SITI" not in str(raised.value)


def test_a_raster_of_wrong_size_is_refused_before_drawing(face: Face) -> None:
    wrong = Raster.from_json({**RASTER.to_json(), "width_dots": 656})
    with pytest.raises(RenderError, match="panel 'y' should be 583184 bytes, not 576072"):
        face.render(record(), wrong)


def test_both_images_are_decoded(face: Face) -> None:
    face.check_images(portrait(), signature())
    with pytest.raises(RenderError, match=r"photo\.data: the image is damaged"):
        face.check_images(portrait()[:-5000], signature())
    with pytest.raises(RenderError, match=r"signature\.data: the image is empty"):
        face.check_images(portrait(), b"")


def test_the_back_has_black_panels_of_its_own() -> None:
    panels = Face(load_layout(two_sided_layout())).render(record(), BOTH_SIDES)
    assert [(panel.side, panel.name) for panel in panels] == [*(("front", name) for name in "ymcko"), ("back", "k")]
    back = planes_of(panels[5:], BOTH_SIDES)["k"]
    assert back.any()
    assert not back[:150].any()  # the words begin at 20 mm


def test_both_sides_are_refused_when_the_ribbon_prints_only_one() -> None:
    with pytest.raises(RendererFailed, match="the layout prints the back, and this ribbon has no panels for it"):
        Face(load_layout(two_sided_layout())).render(record(), RASTER)


def test_an_empty_back_takes_no_panels(face: Face) -> None:
    assert face.render(record(), BOTH_SIDES) == face.render(record(), RASTER)


def test_a_back_that_does_not_fit_is_refused() -> None:
    with pytest.raises(RenderError, match=r"person\.address"):
        Face(load_layout(two_sided_layout())).render(record(address="X" * 90), BOTH_SIDES)


def test_the_back_of_a_ribbon_with_overlay_has_its_own_holes() -> None:
    overlay = next(panel for panel in BOTH_SIDES.panels if panel.name == "o")
    raster = replace(BOTH_SIDES, panels=(*BOTH_SIDES.panels, replace(overlay, side="back")))
    panels = Face(load_layout(two_sided_layout())).render(record(), raster)
    holes = planes_of(panels[6:], raster)["o"] == 0
    assert holes[60:150, 10:-10].all()
    assert not holes[250:].any()


@pytest.mark.parametrize(("ribbon", "lacks"), [("ko", "y"), ("k", "y")])
def test_a_ribbon_without_the_photos_dyes_is_refused(face: Face, ribbon: str, lacks: str) -> None:
    with pytest.raises(RendererFailed, match=f"this ribbon has no panel '{lacks}', which the card needs; fit another ribbon"):
        face.render(record(), raster_of("evolis-primacy", ribbon))


@pytest.mark.parametrize("printer", ["magicard-enduro", "magicard-alto"])
def test_a_magicards_overcoat_is_keys_and_its_dye_keeps_off_the_black(face: Face, printer: str) -> None:
    panels = face.render(record(), raster_of(printer))
    assert panels[4].data.startswith(b"OVRON,PCT0,0,")
    assert panels[4].data.count(b"NCT") == 1
    planes = planes_of(panels, raster_of(printer))
    assert not any(planes[name][planes["k"] == 1].any() for name in "ymc")
    assert max(int(planes[name].max()) for name in "ymc") <= 63


def test_the_back_takes_no_dye() -> None:
    yellow = replace(BOTH_SIDES.panels[0], side="back")
    raster = replace(BOTH_SIDES, panels=(*BOTH_SIDES.panels[:5], yellow, BOTH_SIDES.panels[5]))
    panels = Face(load_layout(two_sided_layout())).render(record(), raster)
    assert (panels[5].name, panels[5].side, any(panels[5].data)) == ("y", "back", False)
