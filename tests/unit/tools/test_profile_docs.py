"""firmware_profiles/README.md says what the code does."""

from __future__ import annotations

import re

from tools.make_profile_docs import DOCUMENT, PRINTERS, render


def test_the_document_of_the_profiles_is_up_to_date() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert render(text) == text, "run: python -m tools.make_profile_docs"


def test_a_part_that_was_changed_by_hand_is_made_anew() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert render(text.replace("| `usb.vendor_id` |", "| `usb.vendor` |")) == text


def test_every_key_of_the_shipped_profiles_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    keys = {
        key for path in PRINTERS.glob("*.toml") for key in re.findall(r"^\[([a-z_]+)\]", path.read_text(encoding="utf-8"), re.M)
    }
    assert [key for key in keys if f"`{key}`" not in text] == []
