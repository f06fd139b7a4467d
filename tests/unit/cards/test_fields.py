"""Texts on the card: dates, absent fields, header words."""

from typing import Any

import pytest

from controller.cards.fields import FIELDS, face_texts
from tests.golden.cards.sample import record


def text(field: str, **person: Any) -> str:
    return face_texts(record(**person), "upper")[field]


def test_every_field_has_a_text() -> None:
    texts = face_texts(record(), "upper")
    assert list(texts) == list(FIELDS)
    assert all(texts.values())


def test_dates_are_day_month_year() -> None:
    assert text("birth", birth_place="Bandung") == "BANDUNG, 05-08-1990"
    assert text("issue_date") == "21-11-2026"


def test_validity_is_for_life_or_a_date() -> None:
    assert text("valid_until") == "SEUMUR HIDUP"
    assert text("valid_until", valid_until="2031-01-09") == "09-01-2031"


@pytest.mark.parametrize(
    ("rt", "rw", "printed"), [("004", "011", "004/011"), (None, None, "-"), ("004", None, "004/-"), (None, "011", "-/011")]
)
def test_absent_rt_and_rw_are_dashes(rt: str | None, rw: str | None, printed: str) -> None:
    assert text("rt_rw", rt=rt, rw=rw) == printed


def test_an_absent_blood_type_is_a_dash() -> None:
    assert text("blood_type", blood_type=None) == "-"


@pytest.mark.parametrize("province", ["JAWA BARAT", "PROVINSI JAWA BARAT", "Prov. Jawa Barat"])
def test_the_word_province_stands_once(province: str) -> None:
    assert text("province", province=province) == "PROVINSI JAWA BARAT"


@pytest.mark.parametrize(
    ("regency", "printed"),
    [
        ("KOTA BANDUNG", "KOTA BANDUNG"),
        ("KABUPATEN BANDUNG", "KABUPATEN BANDUNG"),
        ("KAB. BANDUNG", "KABUPATEN BANDUNG"),
        ("KAB BANDUNG", "KABUPATEN BANDUNG"),
        ("JAKARTA TIMUR", "JAKARTA TIMUR"),
        ("KABANJAHE", "KABANJAHE"),
    ],
)
def test_the_regency_keeps_its_own_word(regency: str, printed: str) -> None:
    assert text("regency", regency=regency) == printed


def test_letters_stay_as_given_where_the_layout_says_so() -> None:
    assert face_texts(record(name="Siti Aïsyah"), "as_given")["name"] == "Siti Aïsyah"
