"""Abbreviations: whole words, one rule at a time, in the rules' order."""

import pytest

from controller.cards.abbreviate import abbreviated
from controller.cards.layout import Abbreviation

RULES = (
    Abbreviation(words="KABUPATEN", short="KAB.", fields=("regency", "birth")),
    Abbreviation(words="JALAN", short="JL.", fields=("address",)),
    Abbreviation(words="SELATAN", short="SEL.", fields=("regency", "address")),
)
TEXTS = {"regency": "KABUPATEN SORONG SELATAN", "address": "JALAN BARU SELATAN", "birth": "KABUPATEN NDUGA, 01-01-1980"}


def test_the_first_rule_that_changes_a_field_is_used_alone() -> None:
    shorter = abbreviated(RULES, TEXTS, {"regency"})
    assert shorter == {**TEXTS, "regency": "KAB. SORONG SELATAN"}
    assert abbreviated(RULES, shorter, {"regency"}) == {**TEXTS, "regency": "KAB. SORONG SEL."}


def test_other_fields_are_left_as_they_are() -> None:
    assert abbreviated(RULES, TEXTS, {"address"}) == {**TEXTS, "address": "JL. BARU SELATAN"}


def test_there_is_an_end() -> None:
    assert abbreviated(RULES, {"regency": "KAB. SORONG SEL."}, {"regency"}) is None
    assert abbreviated(RULES, TEXTS, set()) is None


@pytest.mark.parametrize("text", ["KABUPATEN/KOTA", "KABUPATENA", "XKABUPATEN", "KABUPATEN."])
def test_parts_of_words_are_no_words(text: str) -> None:
    assert abbreviated(RULES, {"regency": text}, {"regency"}) is None


@pytest.mark.parametrize(("text", "short"), [("KABUPATEN, KABUPATEN", "KAB., KAB."), ("Kabupaten Nduga", "KAB. Nduga")])
def test_a_rule_is_used_on_all_its_places(text: str, short: str) -> None:
    assert abbreviated(RULES, {"regency": text}, {"regency"}) == {"regency": short}
