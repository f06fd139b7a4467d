"""Magicard bytes: requests, replies and their meaning, with the real replies of the Alto capture (printers.md 4.2)."""

from __future__ import annotations

import pytest

from controller.errors import DeviceUnknown
from controller.hal.magicard.codec import Info, Kind, Reply, ReplyReader, Status, encode, info_of, status_of
from tests.fakes.magicard_usb import FIELDS, SERIAL, errors, info

IDLE = bytes.fromhex("01535441 5072696e7465727374617475 73204f4b2e 0a 30303a3030 0a 28633033303029 03")
NOT_FED = b"\x01STAKarte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut.\nFehlercode - 11:01\n(c0201)\x03"


def read(data: bytes) -> list[Reply]:
    return ReplyReader().feed(data)


def parsed(fields: list[str] | tuple[str, ...], mark: str = ",") -> Info:
    return info_of(Reply(Kind.INFO, mark.join(fields) + ","))


def with_field(number: int, value: str) -> list[str]:
    return [*FIELDS[:number], value, *FIELDS[number + 1 :]]


@pytest.mark.parametrize(
    ("request_", "raw"),
    [
        ("ERR", "01 2C 52 45 51 2C 45 52 52 2C 1C 03"),
        ("INF", "01 2C 52 45 51 2C 49 4E 46 2C 1C 03"),
        ("OKY", "01 2C 52 45 51 2C 4F 4B 59 2C 1C 03"),
        ("CAN", "01 2C 52 45 51 2C 43 41 4E 2C 1C 03"),
    ],
)
def test_a_request_is_the_bytes_of_the_trace(request_: str, raw: str) -> None:
    assert encode(request_) == bytes.fromhex(raw)


@pytest.mark.parametrize("bad", ["", "err", "E\x03R", "A" * 17, "E;R"])
def test_what_is_no_request_is_a_bug_of_the_profile(bad: str) -> None:
    with pytest.raises(ValueError, match="not a request"):
        encode(bad)


def test_the_idle_reply_of_the_trace_has_no_error() -> None:
    assert [status_of(reply) for reply in read(IDLE)] == [Status("00:00", "Printerstatus OK. / 00:00")]
    assert len(IDLE) == 36


def test_the_german_reply_of_the_trace_is_11_01_and_a_nul_behind_it_is_filler() -> None:
    reply, again = read(NOT_FED + b"\0" + NOT_FED)
    assert again == reply
    assert status_of(reply).pair == "11:01"
    assert status_of(reply).text == "Karte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut. / Fehlercode - 11:01"
    assert len(NOT_FED) == 101


def test_a_text_with_letters_of_its_language_is_a_reply() -> None:
    (reply,) = read("\x01STAFeche a tampa às 12:30, depressa.\nCódigo - 07:02\n(c0201)\x03".encode("latin-1"))
    assert status_of(reply) == Status("07:02", "Feche a tampa às 12:30, depressa. / Código - 07:02")


def test_characters_that_cannot_be_shown_are_not_shown() -> None:
    assert status_of(Reply(Kind.ERRORS, "A\x9bB - 07:02")).text == "A?B - 07:02"


@pytest.mark.parametrize("text", ["", "\n\n", "Printerstatus OK.", "no pair\n(c0300)", "1:1", "111:01", "11:01 and more"])
def test_a_reply_without_an_error_pair_at_the_end_is_garbled(text: str) -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: no error pair in"):
        status_of(Reply(Kind.ERRORS, text))


def test_the_three_kinds_are_told_apart() -> None:
    kinds = [reply.kind for reply in read(errors() + info() + b"\x01STA,VRS1.06,\x03")]
    assert kinds == [Kind.ERRORS, Kind.INFO, Kind.KEY]


def test_the_fields_say_who_it_is_and_what_it_has_done() -> None:
    seen = parsed(FIELDS)
    assert (seen.model, seen.serial, seen.firmware) == ("Enduro", SERIAL, "1.06")
    assert (seen.cards, seen.panels, seen.cleans, seen.cards_since_clean, seen.cards_between_cleans) == (1000, 4000, 3, 12, 700)
    assert (seen.head_position, seen.shots_left, seen.counters) == (50, 187, ("1000", "1000", "4000", "113"))


@pytest.mark.parametrize("count", [33, 34, 35])
def test_older_firmware_has_fewer_fields(count: int) -> None:
    assert parsed(FIELDS[:count]).fields == FIELDS[:count]


@pytest.mark.parametrize("count", [33, 34, 35])
def test_colons_separate_like_commas(count: int) -> None:
    assert parsed(FIELDS[:count], ":").fields == FIELDS[:count]


def test_the_colon_of_an_error_pair_separates() -> None:
    body = ",".join(FIELDS[:20]) + ":" + ",".join(FIELDS[20:]) + ","
    assert info_of(Reply(Kind.INFO, body)).fields == FIELDS


@pytest.mark.parametrize("count", [33, 34, 35])
def test_a_colon_within_the_pcb_version_shifts_nothing(count: int) -> None:
    fields = with_field(7, "3:25")[:count]
    seen = parsed(fields)
    assert (seen.fields[7], seen.cards, seen.head_position) == ("3:25", 1000, 50)


@pytest.mark.parametrize("count", [1, 32, 36, 60])
def test_another_number_of_fields_is_garbled(count: int) -> None:
    with pytest.raises(DeviceUnknown, match=f"printer_garbled: REQ,INF has {count} fields, not 33 to 35"):
        parsed((FIELDS * 2)[:count])


@pytest.mark.parametrize("number", [9, 11, 12, 14, 15, 16])
@pytest.mark.parametrize("value", ["", "-1", "x", "1.5", "12345678901", "٣"])
def test_a_counter_that_is_no_number_is_garbled(number: int, value: str) -> None:
    with pytest.raises(DeviceUnknown, match=f"printer_garbled: REQ,INF field {number}: .* is no number"):
        parsed(with_field(number, value))


def test_fields_out_of_place_are_garbled() -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: REQ,INF field 8: '7' is neither 0 nor 1"):
        parsed(with_field(8, "7"))


def test_a_printer_without_a_serial_number_is_garbled() -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: REQ,INF field 3: no serial number"):
        parsed(with_field(3, " "))


def test_a_field_of_any_length_is_not_kept() -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: REQ,INF field 24 has 65 characters"):
        parsed(with_field(24, "x" * 65))


@pytest.mark.parametrize(
    ("total", "used", "left"), [("300", "0", 300), ("0", "0", None), ("", "", None), ("300", "?", None), ("9", "12", 0)]
)
def test_a_ribbon_without_a_tag_tells_nothing(total: str, used: str, left: int | None) -> None:
    fields = with_field(22, total)
    fields[23] = used
    assert parsed(fields).shots_left == left


@pytest.mark.parametrize("garbage", [b"x", b"\x01ABC\x03", b"\x01\x01STA\x03", b"\x01ST\x03", b"\x01STA\x1b\x03", b"\x03"])
def test_what_is_no_reply_is_garbled(garbage: bytes) -> None:
    with pytest.raises(DeviceUnknown, match="printer_garbled: not a reply"):
        read(garbage)


def test_a_reply_without_end_is_not_kept() -> None:
    reader = ReplyReader()
    assert reader.feed(b"\x01STA" + b"x" * 1020) == []
    with pytest.raises(DeviceUnknown, match="printer_garbled: a reply of more than 1024 bytes"):
        reader.feed(b"x")
