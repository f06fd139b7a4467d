"""A printer model that nobody knew is one TOML file: station and simulator read it, and cards are issued with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.scenario.scene import Scene
from tools.rig import ROOT

# One side, six bits of colour, another name for the cover's switch, a full box told in other words, firmware that was tried.
NEW_MODEL = """
format = 2
extends = "evolis-zenius"
model = "Evolis Contoh"

[usb]
product_ids = []

[raster]
panels = [
    { name = "y", levels = 64, size_bytes = 493_776 },
    { name = "m", levels = 64, size_bytes = 493_776 },
    { name = "c", levels = 64, size_bytes = 493_776 },
    { name = "k", levels = 2, size_bytes = 82_296 },
    { name = "o", levels = 2, size_bytes = 82_296 },
]

[queries]
cover = ""

[settings]
station_contact = ""

[confidence]
"usb.product_ids" = { level = "E", source = "for this test" }
"raster.panels" = { level = "B", source = "Evolis commands page: 6 bits" }
"queries.cover" = { level = "E", source = "for this test" }
settings = { level = "E", source = "for this test" }
"""


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A station with the new model on its lane."""
    folder = tmp_path_factory.mktemp("shared")
    profiles = folder / "profiles"
    shutil.copytree(ROOT / "firmware_profiles", profiles)
    (profiles / "printers" / "evolis-contoh.toml").write_text(NEW_MODEL, encoding="utf-8")
    edits = {'profile = "evolis-primacy"': 'profile = "evolis-contoh"'}
    scene = Scene(folder, edits=edits, profiles=profiles)
    with scene.rig:
        yield scene.start()


def test_cards_are_issued_with_a_model_that_is_one_file(scene: Scene) -> None:
    for number in scene.issue(2):
        assert scene.verdicts(number) == [("good", "")]
    assert scene.lane()["printer"]["model"] == "Evolis Contoh"


def test_what_is_not_proven_of_it_is_said_on_the_page_in_the_metrics_and_by_the_command(scene: Scene) -> None:
    assert 'print_station_profile_unproven{lane="1",profile="evolis-contoh"}' in scene.rig.get("/metrics").body
    assert "Profil evolis-contoh: " in scene.rig.get("/").body
    assert "usb.product_ids" in scene.rig.station()["profiles"]["1"]["unproven"]
    assert "profile evolis-contoh: " in scene.rig.command("station").stdout
