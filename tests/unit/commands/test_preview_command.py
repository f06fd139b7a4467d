"""`print-station preview`: the card as a printer's dots, and the same refusals as `submit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from controller import cli
from controller.cards.face import Face
from controller.cards.layout_file import installed_layout
from controller.cards.picture import write_picture
from controller.commands import preview
from controller.records.intake import load_stored
from tests.golden.cards.sample import REPOSITORY, raster_of, record_json, two_sided_layout

RECORD = REPOSITORY / "examples/records/01.json"
STATION = REPOSITORY / "examples/station.toml"

pytestmark = pytest.mark.skipif(preview.INSTALLED_CONFIG.exists(), reason="a station is installed here: its keys would be used")


def ask(*words: object) -> int:
    return cli.main(["preview", *map(str, words)])


def stored(folder: Path, **person: Any) -> Path:
    path = folder / "record.json"
    path.write_text(json.dumps(record_json(**person)))
    return path


@pytest.mark.parametrize("printer", ["evolis-primacy", "evolis-zenius", "magicard-enduro", "magicard-alto"])
def test_the_picture_is_that_of_the_packed_panels(tmp_path: Path, printer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(RECORD, "-o", tmp_path / "card.png", "--profile", printer) == 0
    panels = Face(installed_layout()).render(load_stored(RECORD.read_bytes()), raster_of(printer))
    write_picture(tmp_path / "wanted.png", panels, raster_of(printer), "front")
    with Image.open(tmp_path / "card.png") as shown, Image.open(tmp_path / "wanted.png") as wanted:
        assert np.array_equal(np.asarray(shown), np.asarray(wanted))
    assert (tmp_path / "card.png").stat().st_mode & 0o077 == 0
    assert "ribbon ymcko" in capsys.readouterr().out


def test_with_a_station_the_seal_is_checked_and_its_printer_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(RECORD, "-o", tmp_path / "card.png", "--config", STATION) == 0
    assert capsys.readouterr() == (f"{tmp_path}/card.png: front for Evolis Primacy, ribbon ymcko\n", "")
    bad = REPOSITORY / "examples/bad/bad-seal.json"
    assert ask(bad, "-o", tmp_path / "bad.png", "--config", STATION) == 1
    assert "The seal does not fit" in capsys.readouterr().err
    assert not (tmp_path / "bad.png").exists()


def test_without_a_station_it_says_that_the_seal_is_not_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(stored(tmp_path), "-o", tmp_path / "card.png") == 0
    assert "the record's seal is not checked" in capsys.readouterr().err


def test_the_other_side_of_a_layout_with_a_back(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(two_sided_layout())
    options = ("--layout", tmp_path / "two.toml", "--ribbon", "ymckok", "--side", "back")
    assert ask(stored(tmp_path), "-o", tmp_path / "back.png", *options) == 0
    with Image.open(tmp_path / "back.png") as picture:
        assert {colour for _, colour in picture.getcolors(4) or []} == {(0, 0, 0), (255, 255, 255)}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--side", "back"], "the side 'back' of this card is not printed"),
        (["--ribbon", "ko"], "this ribbon has no panel 'y'"),
        (["--ribbon", "gold"], "no ribbon 'gold'; there are: ymcko"),
        (["--profile", "hdp5000"], "no such printer profile"),
        (["--icc", "/none.icc"], "/none.icc: cannot be read"),
        (["--layout", "/none.toml"], "cannot be read ([Errno 2] No such file or directory: '/none.toml')"),
        (["--config", STATION, "--lane", "9"], "there is no lane '9'; there are: 1"),
        (["--config", "/none.toml"], "cannot be read"),
    ],
)
def test_a_wrong_option_is_told(tmp_path: Path, options: list[object], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(RECORD, "-o", tmp_path / "card.png", *options) == 1
    assert why in capsys.readouterr().err
    assert not (tmp_path / "card.png").exists()


@pytest.mark.parametrize(
    ("person", "why"),
    [({"nik": "3273014508900000"}, "person.nik"), ({"name": "W" * 100}, "person.name")],
)
def test_a_bad_record_is_refused_without_its_content(
    tmp_path: Path, person: dict[str, str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(stored(tmp_path, **person), "-o", tmp_path / "card.png") == 1
    said = capsys.readouterr().err
    assert why in said
    assert "RAHMAWATI" not in said
    assert next(iter(person.values())) not in said


@pytest.mark.parametrize(("body", "why"), [(None, "cannot be read"), (b"{", "line 1"), (b" " * 2_000_000, "not one record")])
def test_a_file_that_is_no_record_is_told(
    tmp_path: Path, body: bytes | None, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if body is not None:
        (tmp_path / "record.json").write_bytes(body)
    assert ask(tmp_path / "record.json", "-o", tmp_path / "card.png") == 1
    assert why in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(RECORD, "-o", tmp_path / "none" / "card.png") == 1
    assert "the picture cannot be written: No such file or directory" in capsys.readouterr().err
