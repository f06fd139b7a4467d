"""The layout file: what is installed is sound, and every mistake in a changed one is reported with its place."""

from importlib import resources
from pathlib import Path

import pytest

from controller.cards.layout_file import MAX_LAYOUT_BYTES, load_layout, read_layout
from controller.errors import ConfigError

INSTALLED = (resources.files("controller.cards") / "layouts/ktp-el.toml").read_text("utf-8")


def mistakes(before: str, after: str) -> str:
    assert before in INSTALLED
    with pytest.raises(ConfigError) as raised:
        load_layout(INSTALLED.replace(before, after, 1))
    return str(raised.value)


def test_the_installed_layout_prints_every_row_of_the_card() -> None:
    labels = [row.label for row in load_layout(INSTALLED).table.rows]
    assert labels[:3] == ["Nama", "Tempat/Tgl Lahir", "Jenis kelamin"]
    assert labels[-1] == "Berlaku Hingga"
    assert len(labels) == 12


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[card]", "[card", "line"),
        ("format = 1", "format = 2", "format: Input should be 1"),
        ("anchor_y", "anker_y", "photo.anker_y: Extra inputs"),
        ('field = "nik"', 'field = "nick"', "texts.4.field: no field is called 'nick'"),
        ('field = "blood_type"', 'field = "blood"', "table.rows.2.beside.field: no field is called 'blood'"),
        ('words = "NIK"', 'words = "NIK"\nfield = "nik"', "texts.2: give either field or words"),
        ("[fonts.bold]", "[fonts.fat]", "no font is called 'bold'"),
        ("min_size_pt = 6.5", "min_size_pt = 16.5", "texts.0.type: min_size_pt, roomy_min_size_pt and size_pt must rise"),
        ("min_pitch_mm = 2.2", "min_pitch_mm = 2.9", "table: min_pitch_mm is above pitch_mm"),
        ("first_baseline_mm = 19.4", "first_baseline_mm = 40", "table: the rows do not fit"),
        ("x_mm = 63.4", "x_mm = 70", "photo: lies beyond the card's edge"),
        ("x_mm = 42.8", "x_mm = 20", "texts.0: lies beyond the card's edge"),
        ('short = "KAB."', 'short = "KABUPATEN."', "abbreviations.0: short must be shorter than words"),
        ('fields = ["province"]', 'fields = ["provinse"]', "abbreviations.2.fields: no field is called 'provinse'"),
        (
            "[photo] ",
            "[[back.texts]]\nx_mm = 9\nbaseline_mm = 9\nwidth_mm = 9\nwords = 'A'\nfield = 'nik'\n"
            "type = { font = 'fat', size_pt = 9, min_size_pt = 9 }\n[photo] ",
            "back.texts.0: give either field or words",
        ),
        (
            "[photo] ",
            "[[back.overlay.holes]]\nx_mm = 80\ny_mm = 9\nwidth_mm = 9\nheight_mm = 9\n[photo] ",
            "back.overlay.holes.0: lies beyond the card's edge",
        ),
        ("tone = [[0.0, 0.0]", "tone = [[0.1, 0.0]", "colour.tone: must rise from darkness 0 to darkness 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(before: str, after: str, message: str) -> None:
    assert message in mistakes(before, after)


def test_all_mistakes_are_reported_at_once() -> None:
    text = INSTALLED.replace("min_pitch_mm = 2.2", "min_pitch_mm = 2.9").replace('field = "nik"', 'field = "nick"')
    with pytest.raises(ConfigError) as raised:
        load_layout(text)
    assert {problem.place for problem in raised.value.problems} >= {"table", "texts.4.field"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        read_layout(tmp_path / "none.toml")


def test_a_file_that_is_no_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"# " * MAX_LAYOUT_BYTES)
    with pytest.raises(ConfigError, match=f"has more than {MAX_LAYOUT_BYTES} bytes"):
        read_layout(tmp_path / "a.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_layout(tmp_path / "a.toml")
