"""A record's fields as the texts printed on the card. Pure; one row per field, with its place in the record for problems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from controller.records.prr import Record

ABSENT = "-"  # printed where the record leaves a field out
_PROVINCE = re.compile(r"^(PROVINSI|PROV\.?)\s+", re.IGNORECASE)
_SHORT_REGENCY = re.compile(r"^KAB\.?\s+", re.IGNORECASE)  # the record should say KABUPATEN or KOTA; some registers abbreviate


@dataclass(frozen=True, slots=True)
class CardField:
    """One text of the card."""

    place: str  # in the record
    text: Callable[[Record], str]


def face_texts(record: Record, letter_case: str) -> dict[str, str]:
    """The text of every field by its name, in composed letters and single spaces. `letter_case` is the layout's."""
    return {name: _tidy(field.text(record), letter_case) for name, field in FIELDS.items()}


def _tidy(text: str, letter_case: str) -> str:
    tidy = " ".join(unicodedata.normalize("NFC", text).split())
    return tidy.upper() if letter_case == "upper" else tidy


def _day(value: date | str) -> str:
    return value if isinstance(value, str) else value.strftime("%d-%m-%Y")


def _province(record: Record) -> str:
    return "PROVINSI " + _PROVINCE.sub("", record.person.province)


def _regency(record: Record) -> str:
    return _SHORT_REGENCY.sub("KABUPATEN ", record.person.regency)


def _birth(record: Record) -> str:
    return f"{record.person.birth_place}, {_day(record.person.birth_date)}"


def _rt_rw(record: Record) -> str:
    rt, rw = record.person.rt, record.person.rw
    return ABSENT if rt is None and rw is None else f"{rt or ABSENT}/{rw or ABSENT}"


FIELDS: dict[str, CardField] = {
    "province": CardField("person.province", _province),
    "regency": CardField("person.regency", _regency),
    "nik": CardField("person.nik", lambda record: record.person.nik),
    "name": CardField("person.name", lambda record: record.person.name),
    "birth": CardField("person.birth_place", _birth),
    "sex": CardField("person.sex", lambda record: record.person.sex),
    "blood_type": CardField("person.blood_type", lambda record: record.person.blood_type or ABSENT),
    "address": CardField("person.address", lambda record: record.person.address),
    "rt_rw": CardField("person.rt", _rt_rw),
    "village": CardField("person.village", lambda record: record.person.village),
    "district": CardField("person.district", lambda record: record.person.district),
    "religion": CardField("person.religion", lambda record: record.person.religion),
    "marital_status": CardField("person.marital_status", lambda record: record.person.marital_status),
    "occupation": CardField("person.occupation", lambda record: record.person.occupation),
    "nationality": CardField("person.nationality", lambda record: record.person.nationality),
    "valid_until": CardField("person.valid_until", lambda record: _day(record.person.valid_until)),
    "issue_place": CardField("issue.place", lambda record: record.issue.place),
    "issue_date": CardField("issue.date", lambda record: _day(record.issue.date)),
}
