"""docs/record-format.md and docs/record.schema.json say what the code does."""

from __future__ import annotations

import json

from controller.records.nik import PROVINCES
from tests.unit.records.samples import sample
from tools.make_record_docs import FORMAT_FILE, SCHEMA_FILE, filled, schema_text

AGAIN = "run: python -m tools.make_record_docs"


def test_schema_file_is_generated_from_the_model() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), AGAIN


def test_generated_parts_of_the_format_document_are_current() -> None:
    text = FORMAT_FILE.read_text(encoding="utf-8")
    assert text == filled(text), AGAIN


def test_schema_names_every_field_of_an_example() -> None:
    schema = json.loads(schema_text())
    assert set(schema["properties"]) == set(sample())
    assert set(schema["$defs"]["Person"]["properties"]) == set(sample()["person"])
    assert "null" not in schema_text()


def test_document_lists_the_provinces_of_the_code() -> None:
    row = next(
        line for line in FORMAT_FILE.read_text(encoding="utf-8").splitlines() if "`nik.province` |" in line and "11-19" in line
    )
    spans = [span.split("-") for span in row.split("a province: ")[1].split(" |")[0].split(", ")]
    assert {str(code) for span in spans for code in range(int(span[0]), int(span[-1]) + 1)} == PROVINCES
