"""Canonical bytes equal an independent RFC 8785; parsing is strict and never fails in an unforeseen way."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import RecordRefused
from controller.records.canonical import Json, canonical_bytes, parse_json

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


def nesting(value: Json) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((nesting(item) for item in inner), default=0)


SHALLOW = VALUES.filter(lambda value: nesting(value) <= 8)


@given(VALUES)
def test_canonical_bytes_equal_rfc8785(value: Json) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(SHALLOW)
def test_canonical_bytes_read_back_equal(value: Json) -> None:
    assert parse_json(canonical_bytes(value)) == value


@given(SHALLOW, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_layout_does_not_change_the_canonical_form(value: Json, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert canonical_bytes(parse_json(text.encode())) == canonical_bytes(value)


@given(st.binary(max_size=60) | st.text('{}[]":,01-.eEntrufalsé\\ \n', max_size=60).map(str.encode))
def test_any_bytes_are_read_as_the_standard_library_reads_them_or_refused(body: bytes) -> None:
    try:
        value = parse_json(body)
    except RecordRefused:
        return
    assert json.loads(body) == value
