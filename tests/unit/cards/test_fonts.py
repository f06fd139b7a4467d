"""Fonts: found, measured as they are drawn, and honest about letters they lack."""

from pathlib import Path

import pytest

from controller.cards.fonts import Fonts
from controller.cards.layout_file import installed_layout
from controller.errors import RenderError

LAYOUT = installed_layout()
TEXT = "AVATAR, TY. WAWAN-1/2 (LT) ÉÖŞŽ"


@pytest.mark.parametrize("name", ["text", "bold"])
def test_a_text_is_measured_as_wide_as_it_is_drawn(name: str) -> None:
    fonts = Fonts(LAYOUT, 300)
    assert fonts.width_mm(name, 7.0, TEXT) == pytest.approx(fonts.sized(name, 7.0).getlength(TEXT) * 25.4 / 300)


def test_letters_a_record_may_have_can_be_printed() -> None:
    letters = "".join(chr(code) for code in [*range(0x21, 0x7F), *range(0xC0, 0x180)] if code not in (0xD7, 0xF7))
    assert Fonts(LAYOUT, 300).can_print("text", letters.upper())


@pytest.mark.parametrize("letter", ["語", "\U0001f600", "\u200b", "\n", "\u0007"])
def test_a_letter_the_font_lacks_is_known(letter: str) -> None:
    assert not Fonts(LAYOUT, 300).can_print("text", f"A{letter}")


def test_a_missing_font_names_its_debian_package(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"Arimo-Regular.ttf is missing; install the Debian package fonts-croscore"):
        Fonts(LAYOUT, 300, tmp_path)
