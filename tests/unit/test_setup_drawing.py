"""What station.toml says of drawing is looked at before the start: colour profile, layout, a back that can be printed."""

from pathlib import Path

import pytest

from controller.errors import ConfigError
from controller.setup import Setup, read_setup
from tests.golden.cards.sample import REPOSITORY, two_sided_layout
from tests.unit.cards.icc_maker import cmyk

EXAMPLE = (REPOSITORY / "examples/station.toml").read_text()


def setup(folder: Path, printer: str = "", station: str = "") -> Setup:
    """The example station with more said in the lane's printer or in [station]."""
    text = EXAMPLE.replace('serial = "SIM-E-0001"', f'serial = "SIM-E-0001"{printer}', 1)
    text = text.replace("[station]\n", f"[station]\n{station}\n", 1)
    (folder / "station.toml").write_text(text)
    return read_setup(folder / "station.toml")


def mistakes(folder: Path, printer: str = "", station: str = "") -> list[str]:
    with pytest.raises(ConfigError) as raised:
        setup(folder, printer, station)
    return [str(problem) for problem in raised.value.problems]


def test_a_sound_profile_and_layout_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a.icc").write_bytes(cmyk())
    (tmp_path / "two.toml").write_text(two_sided_layout())
    made = setup(tmp_path, f', icc = "{tmp_path}/a.icc", ribbon = "ymckok"', f'layout = "{tmp_path}/two.toml"')
    assert made.lanes[0].table.printer.icc == tmp_path / "a.icc"
    assert made.config.station.layout == tmp_path / "two.toml"
    assert [panel.side for panel in made.lanes[0].raster.panels] == ["front"] * 5 + ["back"]


def test_a_missing_or_broken_icc_file_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (told,) = mistakes(tmp_path, f', icc = "{tmp_path}/a.icc"')
    assert told.startswith("lanes[0].printer.icc: ")
    assert "a.icc: cannot be read (No such file or directory)" in told
    (tmp_path / "a.icc").write_bytes(cmyk()[:-9])
    (told,) = mistakes(tmp_path, f', icc = "{tmp_path}/a.icc"')
    assert "is cut short or damaged" in told


def test_every_mistake_of_a_layout_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(two_sided_layout().replace("x_mm = 63.4", "x_mm = 80"))
    told = mistakes(tmp_path, station=f'layout = "{tmp_path}/a.toml"')
    assert told == [f"station.layout -> {place}: lies beyond the card's edge" for place in ("photo", "signature")]


def test_a_back_needs_a_ribbon_that_prints_it(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(two_sided_layout())
    (told,) = mistakes(tmp_path, station=f'layout = "{tmp_path}/two.toml"')
    assert told == "lanes[0].printer.ribbon: ribbon 'ymcko' of lane 1 prints no back, and the layout has one."
