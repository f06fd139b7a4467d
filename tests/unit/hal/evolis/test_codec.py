"""Evolis bytes: commands, replies however they come, words into conditions (printers.md 3.2-3.8)."""

from __future__ import annotations

import pytest

from controller.cards.raster import check_shapes
from controller.conditions import CONDITIONS
from controller.errors import DeviceUnknown, RenderError
from controller.hal.evolis import codec
from controller.hal.evolis.codec import MAX_REPLY_BYTES, ReplyReader, encode, encode_panel, fault_of, refusal_of
from controller.model import Panel
from tests.fakes.usb_printer import evolis_profile, panels_for, tiny_profile

WORDS = evolis_profile().replies


def test_a_command_is_escape_text_and_return() -> None:
    assert encode("Pem;2") == bytes.fromhex("1B50656D3B320D")


@pytest.mark.parametrize("command", ["", "S\r", "S\0c", "Ss\x1b", "\x7f"])
def test_a_command_with_a_reserved_byte_is_a_bug(command: str) -> None:
    with pytest.raises(ValueError, match="not a command"):
        encode(command)


def test_a_panel_is_a_command_with_its_dots_before_the_return() -> None:
    assert encode_panel(Panel("y", 128, b"\x1b\r\0")) == b"\x1bDb;y;128;\x1b\r\0\r"


def test_panels_of_the_right_shape_pass() -> None:
    profile = tiny_profile()
    check_shapes(panels_for(profile), profile.raster)


@pytest.mark.parametrize("spoil", ["missing", "order", "size", "levels"])
def test_panels_of_any_other_shape_are_refused(spoil: str) -> None:
    profile = tiny_profile()
    y, m, *rest = panels_for(profile)
    wrong = {
        "missing": [y, m, *rest][:-1],
        "order": [m, y, *rest],
        "size": [Panel("y", 128, y.data[:-1]), m, *rest],
        "levels": [Panel("y", 64, y.data), m, *rest],
    }
    with pytest.raises(RenderError, match=r"the card's panels .* do not fit the printer"):
        check_shapes(wrong[spoil], profile.raster)


def test_a_reply_in_pieces_is_one_reply() -> None:
    reader = ReplyReader()
    assert [reader.feed(piece) for piece in (b"O", b"", b"K", b"\0")] == [[], [], [], ["OK"]]


def test_replies_in_one_packet_are_told_apart_and_the_rest_is_kept() -> None:
    reader = ReplyReader()
    assert reader.feed(b"OK\0" + b"187\0" + b"CARD J") == ["OK", "187"]
    assert reader.unfinished
    assert reader.feed(b"AM\0") == ["CARD JAM"]
    assert not reader.unfinished


def test_stray_nuls_are_filler() -> None:
    assert ReplyReader().feed(b"\0\0\0OK\0\0\0") == ["OK"]


def test_a_line_end_within_a_reply_is_dropped() -> None:
    assert ReplyReader().feed(b"OK\r\n\0") == ["OK"]


@pytest.mark.parametrize("junk", [b"\x15", b"Z\x8a\0", b"\xff" * 10])
def test_bytes_that_are_no_text_are_garbled(junk: bytes) -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: not a reply"):
        ReplyReader().feed(junk)


@pytest.mark.parametrize("end", [b"", b"\0"])
def test_a_reply_without_end_is_cut_off(end: bytes) -> None:
    with pytest.raises(DeviceUnknown, match=f"a reply of more than {MAX_REPLY_BYTES} bytes"):
        ReplyReader().feed(b"A" * (MAX_REPLY_BYTES + 1) + end)


def test_the_longest_reply_passes() -> None:
    assert ReplyReader().feed(b"A" * MAX_REPLY_BYTES + b"\0") == ["A" * MAX_REPLY_BYTES]


def test_a_reset_forgets_the_beginning_of_a_reply() -> None:
    reader = ReplyReader()
    reader.feed(b"CARD")
    reader.reset()
    assert reader.feed(b"OK\0") == ["OK"]


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_of_the_profile_is_a_known_condition(word: str) -> None:
    assert refusal_of(word, WORDS) == WORDS[word]
    assert WORDS[word] in CONDITIONS


@pytest.mark.parametrize(
    ("reply", "condition"),
    [
        ("ERR RIBBON", "ribbon_end"),
        ("ERROR RIBBON", "ribbon_end"),
        ("ERR RIB DETECTION", "ribbon_unreadable"),
        ("ERR", "printer_error"),
        ("ERR NO SUCH WORD", "printer_error"),
        ("card jam", None),
        ("187", None),
        ("ERRATIC", None),
    ],
)
def test_err_and_error_are_the_same_word(reply: str, condition: str | None) -> None:
    assert fault_of(reply, WORDS) == condition


@pytest.mark.parametrize(("reply", "condition"), [("OK", None), ("ok", "printer_error"), ("CARD", "printer_error")])
def test_a_command_that_acts_is_done_only_with_a_plain_ok(reply: str, condition: str | None) -> None:
    assert refusal_of(reply, WORDS) == condition


@pytest.mark.parametrize(
    ("reply", "value"), [("187", 187), ("0", 0), ("OK", None), ("-1", None), ("1,5", None), ("٣", None), ("1" * 11, None)]
)
def test_a_counter_is_digits_and_nothing_else(reply: str, value: int | None) -> None:
    assert codec.count(reply) == value


@pytest.mark.parametrize(("reply", "value"), [("5,00 Volts", 5.0), ("0,17 Volts", 0.17), ("5.00 Volts", None), ("Volts", None)])
def test_a_voltage_has_a_decimal_comma(reply: str, value: float | None) -> None:
    assert codec.volts(reply) == value
