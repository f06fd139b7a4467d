"""The rules of a NIK, PPKKCC DDMMYY SSSS, and its agreement with sex and date of birth.

PPKKCC is the region of first registration, so it is not compared with the address. Women have 40 added to the day.
"""

from __future__ import annotations

import re
from datetime import date

from controller.errors import Problem
from controller.records.refusals import problem

PROVINCES = frozenset(  # codes of the interior ministry; 20 was never given out
    f"{code}"
    for first, last in ((11, 19), (21, 21), (31, 36), (51, 53), (61, 65), (71, 76), (81, 82), (91, 97))
    for code in range(first, last + 1)
)
FEMALE_DAY_OFFSET = 40
_PLACE = "person.nik"
_SIXTEEN_DIGITS = re.compile(r"[0-9]{16}")


def nik_problems(nik: str, *, female: bool, birth_date: date) -> list[Problem]:
    """Every rule this NIK breaks; empty when it is sound. The problems never repeat the NIK."""
    if _SIXTEEN_DIGITS.fullmatch(nik) is None:
        return [problem("nik.digits", _PLACE)]
    day = int(nik[6:8])
    own_day = day - FEMALE_DAY_OFFSET if day > FEMALE_DAY_OFFSET else day
    broken = {
        "nik.province": nik[0:2] not in PROVINCES,
        "nik.regency": nik[2:4] == "00",
        "nik.district": nik[4:6] == "00",
        "nik.sex": (day > FEMALE_DAY_OFFSET) != female,
        "nik.birth_date": f"{own_day:02}{nik[8:12]}" != f"{birth_date:%d%m%y}",
        "nik.serial": nik[12:16] == "0000",
    }
    return [problem(code, _PLACE) for code, is_broken in broken.items() if is_broken]
