"""`print-station profile`: what a technician sees of the profiles, of their mistakes and of a vendor's status words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from controller import cli
from tests.fakes.usb_printer import PROFILES

CHIPS = PROFILES.parent / "chips"
Captured = pytest.CaptureFixture[str]


def ask(*words: object) -> int:
    return cli.main(["profile", *map(str, words)])


def test_the_list_has_every_profile_with_its_unproven_parts(capsys: Captured) -> None:
    assert ask("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(PROFILES.glob("*.toml"))) + len(list(CHIPS.glob("*.toml")))
    assert any(line.split() == ["ektp", "chip", "icao", "update", "binary", "3", "parts", "not", "proven"] for line in lines)
    assert any(
        line.split() == ["magicard-alto", "Magicard", "Alto", "magicard", "external", "12", "parts", "not", "proven"]
        for line in lines
    )


def test_a_profile_with_mistakes_is_listed_as_such(tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(PROFILES, tmp_path / "printers")
    (tmp_path / "printers" / "bad.toml").write_text('format = 2\nextends = "bad"\n')
    assert ask("list", "--profiles", tmp_path) == 1
    assert "bad                  has 1 mistakes: bad.toml: extends: goes round in a circle" in capsys.readouterr().out


def test_a_value_is_shown_with_its_level_its_source_and_its_file(capsys: Captured) -> None:
    assert ask("show", "evolis-zenius") == 0
    out = capsys.readouterr().out
    assert "B  usb.product_ids = [2560]\n     usb.ids [usb.product_ids; value in evolis-zenius.toml]\n" in out
    assert 'C  acts.feed = ["Sic"]\n     Evolis sample code' in out


def test_only_what_is_not_proven_is_shown_on_request(capsys: Captured) -> None:
    assert ask("show", "evolis-zenius", "--unproven") == 0
    values = [line for line in capsys.readouterr().out.splitlines() if line[1:3] == "  "]
    assert {line[0] for line in values if line[0] != " "} == {"E"}


def test_a_profile_that_is_not_there_names_those_that_are(capsys: Captured) -> None:
    assert ask("show", "hdp5000") == 1
    assert "there are: evolis-elypso, evolis-primacy" in capsys.readouterr().err


def test_a_chip_is_shown_step_by_step_with_its_sources(capsys: Captured) -> None:
    assert ask("show", "ektp") == 0
    out = capsys.readouterr().out
    assert out.startswith("ektp: chip, channel 'icao', written by 'update binary', locked at the end\n")
    assert 'D  channel.kind = "icao"\n     inferred from sizes' in out
    assert 'E  steps[0] = {"phase": "open", "do": "send", "name": "select DF", "command": "00A40000027F0A"}\n' in out
    assert 'C  files[1] = {"fid": "0x6FF1", "name": "biodata", "max_bytes": 1024, ' in out
    assert out.endswith("3 parts not proven on real hardware: channel, invented, steps\n")


def test_chip_profiles_are_checked_wherever_they_lie(tmp_path: Path, capsys: Captured) -> None:
    text = (CHIPS / "ektp.toml").read_text()
    (tmp_path / "ektp.toml").write_text(text)
    (tmp_path / "bad.toml").write_text(
        text.replace('name = "ektp"', 'name = "bad"').replace("block_bytes = 208", "block_bytes = 300")
    )
    assert ask("check", *CHIPS.glob("*.toml"), tmp_path / "ektp.toml") == 0
    assert capsys.readouterr().out.count(": good; ") == 3
    assert ask("check", tmp_path / "bad.toml") == 1
    assert (
        "bad.toml: read.block_bytes: paling besar 255\n    Input should be less than or equal to 255" in capsys.readouterr().err
    )


def test_good_files_are_good(capsys: Captured) -> None:
    assert ask("check", *PROFILES.glob("*.toml")) == 0
    assert capsys.readouterr().out.count(": good; ") == len(list(PROFILES.glob("*.toml")))


def test_a_mistake_is_said_with_its_place_in_both_languages(tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(PROFILES, tmp_path / "p")
    (tmp_path / "p" / "mine.toml").write_text('format = 2\nextends = "evolis-primacy"\n[acts]\nprint = ["Ss", "Se"]\n')
    assert ask("check", tmp_path / "p" / "mine.toml", tmp_path / "nothing.toml") == 1
    said = capsys.readouterr().err
    assert "mine.toml: acts.print: harus memuat @panels 1 kali\n    must have @panels 1 times" in said
    assert "mine.toml: acts.print: tidak ada baris [confidence]" in said
    assert "nothing.toml is not a .toml file" in said


def test_status_words_are_explained_with_what_to_do(capsys: Captured) -> None:
    assert ask("status", "evolis-primacy", "WAR=0x08000000", "inf=00000001") == 0
    out = capsys.readouterr().out
    assert "WAR 08000000  reject box full\n              reject_full: " in out
    assert "INF 00000001  busy\n" in out


def test_a_bit_nobody_knows_is_shown_as_it_came(capsys: Captured) -> None:
    assert ask("status", "evolis-primacy", "ERR=00000002") == 0
    assert "ERR 00000002  not known\n              printer_error: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evolis-primacy", "WAR"], "'WAR' is not WORD=HEX"),
        (["evolis-primacy", "WAR=xyz"], "'WAR=xyz' is not WORD=HEX"),
        (["evolis-primacy", "WAR=123456789"], "is not WORD=HEX"),
        (["evolis-primacy", "BAD=1"], "no status word of 32 bits: BAD 1"),
        (["magicard-alto", "WAR=1"], "Magicard Alto has no status words"),
    ],
)
def test_a_word_that_cannot_be_read_is_refused(words: list[str], said: str, capsys: Captured) -> None:
    assert ask("status", *words) == 1
    assert said in capsys.readouterr().err
