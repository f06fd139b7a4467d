"""APDU traces: masked, nothing of what was said."""

from __future__ import annotations

from controller.chips.trace import Tracer

WRITE, ANSWER = bytes.fromhex("00D600020453555445"), bytes.fromhex("01029000")


def test_a_masked_line_has_sizes_and_words_but_no_data() -> None:
    text = Tracer().lines(7, WRITE, ANSWER, 1.25)
    assert text == "   7 > 00D60002 [4]  UPDATE BINARY\n     < [2] 9000 done  1.2 ms"


def test_a_masked_line_shows_what_was_wanted() -> None:
    assert "00B00000 [0] Le 208  READ BINARY" in Tracer().lines(1, bytes.fromhex("00B00000D0"), b"\x69\x82", 0)


def test_nonsense_is_shown_by_its_size() -> None:
    text = Tracer().lines(1, b"\x00", b"\x90", 0)
    assert "1 bytes that are no command" in text
    assert "1 bytes without status word" in text


def test_an_unmasked_line_has_the_bytes() -> None:
    assert Tracer(masked=False).lines(1, WRITE, ANSWER, 0) == f"   1 > {WRITE.hex().upper()}\n     < 0102 9000 done  0.0 ms"
