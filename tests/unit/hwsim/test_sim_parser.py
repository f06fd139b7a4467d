"""What an Evolis printer makes of bytes (printers.md 3.2, 3.8, 3.12)."""

from __future__ import annotations

import pytest

from hwsim.devices.evolis_panels import Geometry
from hwsim.devices.evolis_parser import MAX_TEXT_BYTES, Command, EvolisParser

SMALL = Geometry(width_dots=16, height_lines=4)  # black: 8 bytes, colour at 7 bits: 56 bytes


def parsed(data: bytes) -> list[Command]:
    return EvolisParser(SMALL).feed(data)


@pytest.mark.parametrize("data", [b"\x1bPem;2\r", b"Pem;2\r", b"\0\0\x1bPem;2\r\0\0", b"\r\x1bPem;2\r", b"\x1bPem;2\0\0\r"])
def test_escape_and_filler_do_not_matter(data: bytes) -> None:
    assert parsed(data) == [Command("Pem", ("2",))]


def test_a_panel_ends_by_its_length_whatever_bytes_it_has() -> None:
    assert parsed(b"Db;k;2;\r\x1b;\0Rok\r\rRok\r") == [Command("Db", ("k", "2"), b"\r\x1b;\0Rok\r"), Command("Rok")]


def test_zeros_before_the_end_of_a_panel_are_skipped() -> None:
    assert parsed(b"Db;o;2;12345678\0\0\rSe\r") == [Command("Db", ("o", "2"), b"12345678"), Command("Se")]


def test_a_panel_is_not_complete_before_its_carriage_return() -> None:
    assert parsed(b"Db;o;2;12345678\0\0") == []


def test_a_panel_too_long_leaves_a_command_that_nobody_knows() -> None:
    assert [command.name for command in parsed(b"Db;k;2;123456789\r")] == ["Db", "9"]


def test_a_panel_too_short_swallows_the_next_command() -> None:
    assert parsed(b"Db;k;2;1234\rSe\r") == []
    assert parsed(b"Db;k;2;1234\rSe\r\r") == [Command("Db", ("k", "2"), b"1234\rSe\r")]


@pytest.mark.parametrize(
    ("header", "length"),
    [(b"Db;y;32;", 40), (b"Db;m;64;", 48), (b"Db;c;128;", 56), (b"Dbc;k;2;3;", 3), (b"Dbp;k;2;1;2;", 4), (b"Dbpc;o;2;0;2;5;", 5)],
)
def test_how_many_bytes_follow_each_download(header: bytes, length: int) -> None:
    (command,) = parsed(header + bytes(length) + b"\r")
    assert command.data == bytes(length)


def test_a_bmp_says_its_own_length() -> None:
    bmp = b"BM" + (20).to_bytes(4, "little") + bytes(14)
    assert parsed(b"Dbmp;k;0;0;0;" + bmp + b"\r") == [Command("Dbmp", ("k", "0", "0", "0"), bmp)]


@pytest.mark.parametrize(
    "header",
    [
        b"Db;q;2;",
        b"Db;y;2;",
        b"Db;k;128;",
        b"Dbc;k;2;x;",
        b"Dbc;k;2;99999999;",
        b"Dbp;k;2;3;2;",
        b"Dbpc;k;2;3;2;4;",
        b"Dbmp;y;0;0;0;",
    ],
)
def test_a_header_that_makes_no_sense_takes_no_data(header: bytes) -> None:
    commands = parsed(header + b"abc\rRok\r")
    assert commands[0].data is None
    assert commands[-1] == Command("Rok")


def test_a_text_without_end_is_cut() -> None:
    (command,) = parsed(b"R" * 10_000 + b"\r")
    assert len(command.name) == MAX_TEXT_BYTES


def test_it_is_idle_only_between_commands() -> None:
    parser = EvolisParser(SMALL)
    states = []
    for piece in (b"\0", b"R", b"ok\r", b"Db;k;2;12345678", b"\r"):
        parser.feed(piece)
        states.append(parser.idle)
    assert states == [True, False, True, False, True]
