"""Each rule of a NIK is a problem of its own."""

from __future__ import annotations

from datetime import date

import pytest

from controller.records.nik import PROVINCES, nik_problems

BORN = date(1992, 2, 29)
WOMAN = "3374106902920009"
MAN = "3374102902920009"


def codes(nik: str, *, female: bool = True, born: date = BORN) -> list[str]:
    return [problem.code for problem in nik_problems(nik, female=female, birth_date=born)]


def test_sound_niks_have_no_problem() -> None:
    assert codes(WOMAN) == []
    assert codes(MAN, female=False) == []


@pytest.mark.parametrize(
    ("nik", "code"),
    [
        ("2074106902920009", "nik.province"),
        ("9874106902920009", "nik.province"),
        ("3300106902920009", "nik.regency"),
        ("3374006902920009", "nik.district"),
        (MAN, "nik.sex"),
        ("3374106802920009", "nik.birth_date"),
        ("3374106903920009", "nik.birth_date"),
        ("3374106902930009", "nik.birth_date"),
        ("3374106902920000", "nik.serial"),
        ("337410690292000", "nik.digits"),
        ("33741069029200099", "nik.digits"),
        ("337410690292000X", "nik.digits"),
        ("٣٣٧٤١٠٦٩٠٢٩٢٠٠٠٩", "nik.digits"),
    ],
)
def test_each_broken_rule_is_told_alone(nik: str, code: str) -> None:
    assert codes(nik) == [code]


def test_all_broken_rules_are_told_at_once() -> None:
    assert codes("0000003101010000") == [
        "nik.province", "nik.regency", "nik.district", "nik.sex", "nik.birth_date", "nik.serial",
    ]  # fmt: skip


def test_day_beyond_both_ranges_is_a_wrong_date() -> None:
    assert codes("3374108002920009") == ["nik.birth_date"]
    assert codes("3374108102920009", born=date(1992, 2, 1)) == ["nik.birth_date"]


def test_new_provinces_of_papua_are_known() -> None:
    assert {"91", "92", "93", "94", "95", "96", "97"} < PROVINCES
    assert len(PROVINCES) == 39  # 38 provinces and 97, which one of the two public lists has


def test_problem_says_where_and_what_to_do_without_the_nik() -> None:
    (problem,) = nik_problems(MAN, female=True, birth_date=BORN)
    assert problem.place == "person.nik"
    assert problem.en == "Digits 7-8 of the NIK disagree with the sex (women: day + 40); check NIK and sex at the centre."
    assert MAN not in problem.id + problem.en
