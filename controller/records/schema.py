"""Turns what pydantic says about a record into problems: place, sentence, next step, nearest valid field name.

Nothing a record holds is repeated. A field name that is unknown is shown only when it looks like one: at most 32 letters,
digits and underscores, no five digits in a row. A NIK or a full name in its place is not shown.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from controller.errors import Problem
from controller.records.canonical import Json
from controller.records.prr import (
    FIRST_YEAR,
    NIK_PATTERN,
    NUMBER_PATTERN,
    PHOTO_MAX_BYTES,
    RECORD_ID_PATTERN,
    SIGNATURE_MAX_BYTES,
    TEXT_PATTERN,
    Record,
)
from controller.records.refusals import REFUSALS, problem

_UNKNOWN = "(?)"  # stands for a field name that is not shown
_FIELD_NAME = re.compile(r"(?!.*[0-9]{5})[A-Za-z0-9_]{1,32}")
_EXPECTED_TYPES = {  # pydantic's error type -> what to write, Indonesian and English
    "string_type": ("teks di antara tanda kutip", "text in double quotes"),
    "model_type": ("objek { ... }", "an object { ... }"),
}
_FORMATS: dict[str, tuple[str, dict[str, str | int]]] = {  # pattern of the model -> row of refusals and its facts
    TEXT_PATTERN: ("schema.characters", {}),
    NIK_PATTERN: ("nik.digits", {}),
    NUMBER_PATTERN: ("schema.format", {"expected_id": "tiga angka seperti '007'", "expected_en": "three digits such as '007'"}),
    RECORD_ID_PATTERN: (
        "schema.format",
        {"expected_id": "1 sampai 64 huruf, angka, titik, garis bawah atau tanda hubung",
         "expected_en": "1 to 64 letters, digits, dots, underscores or hyphens"},
    ),
}  # fmt: skip
_IMAGE_LIMITS = {"photo.data": PHOTO_MAX_BYTES, "signature.data": SIGNATURE_MAX_BYTES}


def read_model(raw: Mapping[str, Json]) -> tuple[Record | None, list[Problem]]:
    """The record, or every way in which `raw` does not fit the model."""
    try:
        return Record.model_validate(raw), []
    except ValidationError as error:
        return None, [_problem(detail) for detail in error.errors(include_url=False, include_input=False)]


def not_an_object() -> Problem:
    """The document is JSON, but no record."""
    expected_id, expected_en = _EXPECTED_TYPES["model_type"]
    return problem("schema.type", expected_id=expected_id, expected_en=expected_en)


def _problem(detail: ErrorDetails) -> Problem:
    kind, place = detail["type"], _place(detail["loc"])
    facts = detail.get("ctx", {})
    if kind in _CONVERTERS:
        return _CONVERTERS[kind](place, facts)
    if kind == "extra_forbidden":
        return _unknown_field(detail["loc"])
    if kind in _EXPECTED_TYPES:
        expected_id, expected_en = _EXPECTED_TYPES[kind]
        return problem("schema.type", place, expected_id=expected_id, expected_en=expected_en)
    assert kind in REFUSALS, f"the model raises {kind}, which has no row"
    return problem(kind, place, first_year=FIRST_YEAR, **facts)


def _too_long(place: str, facts: Mapping[str, Any]) -> Problem:
    if place in _IMAGE_LIMITS:
        return problem("image.too_large", place, max_bytes=_IMAGE_LIMITS[place])
    return problem("schema.too_long", place, max=facts["max_length"])


def _wrong_form(place: str, facts: Mapping[str, Any]) -> Problem:
    code, expected = _FORMATS[facts["pattern"]]
    return problem(code, place, **expected)


_CONVERTERS: dict[str, Callable[[str, Mapping[str, Any]], Problem]] = {
    "missing": lambda place, _facts: problem("schema.missing", place),
    "string_too_long": _too_long,
    "string_too_short": lambda place, _facts: problem("schema.empty", place),
    "string_pattern_mismatch": _wrong_form,
    "literal_error": lambda place, facts: problem("schema.choice", place, choices=facts["expected"].replace(" or ", ", ")),
}


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location)


def _unknown_field(location: tuple[int | str, ...]) -> Problem:
    parent, name = location[:-1], str(location[-1])
    place = _place((*parent, name if _FIELD_NAME.fullmatch(name) else _UNKNOWN))
    valid = {field.lower(): field for field in _field_names(parent)}
    nearest = importlib.import_module("difflib").get_close_matches(name[:32].lower(), valid, n=1)  # 0.3 MB, for few
    if nearest:
        return problem("schema.misspelt_field", place, nearest=valid[nearest[0]])
    return problem("schema.unknown_field", place)


def _field_names(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Record
    for step in location:
        part = model.model_fields[str(step)].annotation
        assert isinstance(part, type)
        assert issubclass(part, BaseModel)
        model = part
    return [info.alias or name for name, info in model.model_fields.items()]
