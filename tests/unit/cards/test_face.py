"""Whole faces: extreme records fit or are refused with their place, before anything is packed."""

import pytest

from controller.cards.face import Face, installed_layout
from controller.cards.images import harden_decoders
from controller.cards.raster import Raster
from controller.errors import RenderError
from tests.golden.cards.sample import LONG, portrait, primacy, record, signature

RASTER = primacy()


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
