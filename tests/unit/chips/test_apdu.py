"""Command and response APDUs in bytes (chip.md 2.1)."""

from __future__ import annotations

import pytest

from controller.chips.apdu import ApduError, Command, Response, chain, follow_up

CASES = [
    ("00A40000", Command(0x00, 0xA4, 0, 0)),
    ("FFCA000000", Command(0xFF, 0xCA, 0, 0, le=256)),
    ("00B00002F8", Command(0x00, 0xB0, 0, 2, le=248)),
    ("00A40000027F0A", Command(0x00, 0xA4, 0, 0, b"\x7f\x0a")),
    ("00A40000026FF100", Command(0x00, 0xA4, 0, 0, b"\x6f\xf1", 256)),
    ("00D60000FF" + "AB" * 255, Command(0x00, 0xD6, 0, 0, b"\xab" * 255)),
    ("00B000000000F8", Command(0x00, 0xB0, 0, 0, le=248, extended=True)),
    ("00B00000000000", Command(0x00, 0xB0, 0, 0, le=65_536, extended=True)),
    ("00D60000000100" + "AB" * 256, Command(0x00, 0xD6, 0, 0, b"\xab" * 256, extended=True)),
    ("00D600000000020102" + "0100", Command(0x00, 0xD6, 0, 0, b"\x01\x02", 256, extended=True)),
]


@pytest.mark.parametrize(("raw", "command"), CASES)
def test_every_case_has_its_bytes(raw: str, command: Command) -> None:
    assert command.encode() == bytes.fromhex(raw)
    assert Command.decode(bytes.fromhex(raw)) == command


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("00B000", "3 bytes; a command has at least 4"),
        ("00D60000000000AA", "Lc says that there is no data, and some follows"),
        ("00D600000000030102", "Lc says 3 bytes, 2 follow"),
        ("00D600000000", "Lc says that there is no data, and some follows"),
        ("00D6000003AABB", "Lc says 3 bytes, 2 follow"),
        ("00D6000001AABBCC", "Lc says 1 bytes, 3 follow"),
    ],
)
def test_bytes_that_are_no_short_command_are_refused(raw: str, message: str) -> None:
    with pytest.raises(ApduError, match=message):
        Command.decode(bytes.fromhex(raw))


def test_data_for_the_extended_form_is_refused() -> None:
    with pytest.raises(ApduError, match="256 bytes of data; the short form holds 255"):
        Command(0, 0xD6, 0, 0, bytes(256))


@pytest.mark.parametrize("le", [0, 257])
def test_an_answer_the_short_form_cannot_ask_for_is_refused(le: int) -> None:
    with pytest.raises(ApduError, match=f"an answer of {le} bytes"):
        Command(0, 0xB0, 0, 0, le=le)


def test_a_header_byte_out_of_range_is_refused() -> None:
    with pytest.raises(ApduError, match="one byte each"):
        Command(0, 0xB0, 0x100, 0)


def test_a_response_is_data_and_status_word() -> None:
    assert Response.decode(bytes.fromhex("01029000")) == Response(b"\x01\x02", 0x9000)
    assert Response(b"\x01\x02", 0x9000).encode() == bytes.fromhex("01029000")


def test_a_response_without_status_word_is_refused() -> None:
    with pytest.raises(ApduError, match="an answer of 1 bytes has no status word"):
        Response.decode(b"\x90")


def test_waiting_data_is_fetched_on_the_channel_of_the_command() -> None:
    assert follow_up(Command(0x02, 0xB0, 0, 0, le=256), Response(b"", 0x6110)) == Command(0x02, 0xC0, 0, 0, le=16)


def test_more_than_255_waiting_bytes_are_asked_for_as_256() -> None:
    assert follow_up(Command(0, 0xB0, 0, 0, le=256), Response(b"", 0x6100)) == Command(0, 0xC0, 0, 0, le=256)


def test_a_wrong_le_is_corrected() -> None:
    assert follow_up(Command(0, 0xB0, 1, 2, le=200), Response(b"", 0x6C07)) == Command(0, 0xB0, 1, 2, le=7)


@pytest.mark.parametrize("sw", [0x6110, 0x6C07])
def test_a_write_is_never_followed_up(sw: int) -> None:
    assert follow_up(Command(0, 0xD6, 0, 0, b"\x01"), Response(b"", sw)) is None


@pytest.mark.parametrize("sw", [0x9000, 0x6282, 0x6A82])
def test_a_final_status_word_ends_the_exchange(sw: int) -> None:
    assert follow_up(Command(0, 0xB0, 0, 0, le=4), Response(b"", sw)) is None


def test_a_chain_marks_every_link_but_the_last() -> None:
    links = chain(Command(0x00, 0xD6, 0, 0, bytes(range(5)), 256), 2)
    assert [link.encode().hex() for link in links] == ["10d60000020001", "10d60000020203", "00d60000010400"]


def test_what_fits_is_no_chain() -> None:
    assert chain(Command(0x00, 0xD6, 0, 0, b"\x01"), 255) == [Command(0x00, 0xD6, 0, 0, b"\x01")]


@pytest.mark.parametrize(("size", "message"), [(0, "a link of 0 bytes"), (256, "a link of 256"), (1, "a chain of 65 links")])
def test_a_chain_without_end_is_refused(size: int, message: str) -> None:
    with pytest.raises(ApduError, match=message):
        chain(Command(0x00, 0xD6, 0, 0, bytes(65)), size)
