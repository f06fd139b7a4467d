"""The display's bytes. Its behaviour is in tests/contract/test_display.py."""

from __future__ import annotations

import pytest

from controller.hal.display import COLUMNS, encode


def second_line(text: str) -> bytes:
    return encode("", text)[-COLUMNS:]


def test_both_lines_are_placed_and_filled_up() -> None:
    assert encode("SIAP", "12 KARTU") == b"\x1f$\x01\x01SIAP                \x1f$\x01\x0212 KARTU            "


def test_longer_text_is_cut() -> None:
    assert second_line("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == b"ABCDEFGHIJKLMNOPQRST"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("café", b"cafe"), ("Đà", b"?A"[:1] + b"a"), ("½", b"1?2"), ("日本", b"??"), ("fi", b"fi"), ("A\u0301", b"A")],
)
def test_letters_the_display_lacks_fall_back(text: str, shown: bytes) -> None:
    assert second_line(text).rstrip() == shown


@pytest.mark.parametrize("text", ["\x1b@", "\x0c", "\x1f$\x01\x01", "\r\n", "\x00", "\x7f", "\x9b"])
def test_a_text_can_never_contain_a_command(text: str) -> None:
    assert all(0x20 <= byte < 0x7F for byte in second_line(text))


def test_what_a_letter_falls_apart_into_is_cut_too() -> None:
    assert len(second_line("\ufb03" * COLUMNS)) == COLUMNS
