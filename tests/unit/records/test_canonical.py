"""Strict JSON in, canonical bytes out."""

from __future__ import annotations

import pytest

from controller.errors import Problem, RecordRefused
from controller.records.canonical import MAX_BYTES, MAX_DEPTH, MAX_VALUES, canonical_bytes, parse_json


def problem_of(body: bytes) -> Problem:
    with pytest.raises(RecordRefused) as caught:
        parse_json(body)
    (problem,) = caught.value.problems
    return problem


def test_whole_json_of_a_record_is_read() -> None:
    assert parse_json(b' {"a": [1, -2, true, null], "b": {"c": "\\u00e9\\n"}} \n') == {
        "a": [1, -2, True, None],
        "b": {"c": "é\n"},
    }


def test_names_are_sorted_by_utf16_units_not_by_code_points() -> None:
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2, "a": 3}) == '{"a":3,"\U0001f600":2,"\ufb33":1}'.encode()


def test_shortest_escapes_are_used() -> None:
    assert canonical_bytes('"\\/\b\f\n\r\t\x01\x7f€') == b'"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\xe2\x82\xac"'


@pytest.mark.parametrize(
    ("body", "code", "line", "column"),
    [
        (b"", "json.syntax", 1, 1),
        (b'{"a": 1,\n "b" 2}', "json.syntax", 2, 6),
        (b'{"a": 1,\n}', "json.syntax", 2, 1),
        (b'{"a": 1} x', "json.syntax", 1, 10),
        (b"[1,]", "json.syntax", 1, 4),
        (b'{"a": tru}', "json.syntax", 1, 7),
        (b'{"a": "b\n"}', "json.syntax", 1, 9),
        (b"{'a': 1}", "json.syntax", 1, 2),
        (b'["\\ud800"]', "json.syntax", 1, 2),
        (b'{"a": 1,\n  "a": 1}', "json.duplicate", 2, 3),
        (b'{"a": 1, "\\u0061": 1}', "json.duplicate", 1, 10),
        (b'{"a": 1.0}', "json.number", 1, 7),
        (b'{"a": 1e2}', "json.number", 1, 7),
        (b'{"a": NaN}', "json.number", 1, 7),
        (b'{"a": -Infinity}', "json.number", 1, 7),
        (b"[9007199254740992]", "json.number", 1, 2),
        (b"[" + b"9" * 5000 + b"]", "json.number", 1, 2),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "json.depth", 1, MAX_DEPTH + 1),
    ],
)
def test_each_fault_is_named_with_line_and_column(body: bytes, code: str, line: int, column: int) -> None:
    problem = problem_of(body)
    assert (problem.code, problem.place) == (code, "")
    assert f"line {line}, column {column}" in problem.en
    assert f"baris {line}, kolom {column}" in problem.id


def test_largest_exact_number_is_taken() -> None:
    assert parse_json(b"[9007199254740991, -9007199254740991]") == [2**53 - 1, 1 - 2**53]


def test_bytes_that_are_not_utf8_are_placed() -> None:
    assert problem_of(b'{"a": "\xff"}').en.startswith("The record is not UTF-8 text from byte 7 on")


def test_byte_order_mark_is_refused() -> None:
    assert problem_of(b"\xef\xbb\xbf{}").code == "json.syntax"


def test_body_over_the_cap_is_refused_unread() -> None:
    assert problem_of(b"x" * (MAX_BYTES + 1)).en == f"The record is larger than {MAX_BYTES} bytes; send one record per file."


def test_hostile_nesting_ends_at_the_cap() -> None:
    assert problem_of(b"[" * MAX_BYTES).code == "json.depth"


def test_hostile_number_of_values_ends_at_the_cap() -> None:
    assert problem_of(b"[" + b"1," * (MAX_BYTES // 2 - 1)).code == "json.values"
    assert isinstance(parse_json(b"[" + b",".join([b"1"] * (MAX_VALUES - 1)) + b"]"), list)


def test_error_text_never_repeats_content() -> None:
    problem = problem_of(b'{"name": "BUDI" "3174042810070007"}')
    assert "BUDI" not in str(problem)
    assert "3174" not in problem.id + problem.en
