"""What pydantic finds becomes a problem with place, sentence and nearest field name."""

from __future__ import annotations

import json

import pytest

from controller.records.prr import Chip, Issue, Person, Photo, Record, Signature
from controller.records.refusals import REFUSALS
from tests.unit.records.samples import changed, codes, read, refused, sample, sealed


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", "", "schema.empty"),
        ("name", "A" * 101, "schema.too_long"),
        ("name", " BUDI", "schema.characters"),
        ("name", "BUDI ", "schema.characters"),
        ("name", "BUDI  S", "schema.characters"),
        ("name", "BUDI\n", "schema.characters"),
        ("name", "BUDI\x00", "schema.characters"),
        ("name", "ᮘᮥᮓᮤ", "schema.characters"),
        ("name", "BUDI\u202e", "schema.characters"),
        ("name", "e\u0301", "schema.characters"),
        ("name", "2×3", "schema.characters"),
        ("name", 7, "schema.type"),
        ("nik", 3374102902920009, "schema.type"),
        ("nik", "337410290292000", "nik.digits"),
        ("rt", "7", "schema.format"),
        ("rt", "0007", "schema.format"),
        ("rw", "٠٠٧", "schema.format"),
        ("blood_type", "C", "schema.choice"),
        ("sex", "MALE", "schema.choice"),
        ("nationality", "wni", "schema.choice"),
        ("birth_date", "1993-02-29", "schema.date"),
        ("birth_date", "29-02-1992", "schema.date"),
        ("birth_date", "19920229", "schema.date"),
        ("birth_date", "1992-02-29T00:00", "schema.date"),
        ("birth_date", "1899-12-31", "schema.date"),
        ("birth_date", 699321600, "schema.date"),
        ("valid_until", "seumur hidup", "schema.date"),
        ("valid_until", True, "schema.date"),
    ],
)
def test_each_bad_value_is_told_at_its_place(field: str, value: object, code: str) -> None:
    assert codes(changed("person", **{field: value})) == [f"{code} person.{field}"]


@pytest.mark.parametrize("name", ["PARTO", "NUR'AINI", "D. A-B, S.PD.", "JOSÉ Ž. ÑUÑEZ", "A" * 100])
def test_names_as_cards_show_them_are_taken(name: str) -> None:
    assert read(changed("person", name=name)).record.person.name == name


@pytest.mark.parametrize("version", [True, "1", 2, 0])
def test_only_format_1_is_taken(version: object) -> None:
    assert codes(changed("", format=version)) == ["schema.choice format"]


@pytest.mark.parametrize("field", ["blood_type", "rt", "rw"])
def test_null_is_refused(field: str) -> None:
    record = sample()
    record["person"][field] = None
    assert codes(sealed(record)) == [f"schema.null person.{field}"]


@pytest.mark.parametrize(
    ("part", "name", "nearest"),
    [
        ("person", "birthdate", "birth_date"),
        ("", "photos", "photo"),
        ("chip", "6ff1", "6FF1"),
        ("chip", "6FF11", "6FF1"),
        ("person", "blood", "blood_type"),
    ],
)
def test_misspelt_field_names_the_nearest_valid_one(part: str, name: str, nearest: str) -> None:
    problem = next(problem for problem in refused(changed(part, **{name: "x"})) if "misspelt" in problem.code)
    assert f"did you mean '{nearest}'?" in problem.en


def test_field_like_no_other_is_unknown() -> None:
    assert codes(changed("person", zzz=1)) == ["schema.unknown_field person.zzz"]


@pytest.mark.parametrize("name", ["3374102902920009", "nik_3374102902920009", "BUDI SANTOSO", "a" * 33, "x\n"])
def test_field_name_that_may_be_content_is_not_shown(name: str) -> None:
    (problem,) = refused(changed("", **{name: 1}))
    assert problem.place == "(?)"
    assert name not in problem.en + problem.id


@pytest.mark.parametrize("value", [1, "x", [], True])
def test_part_that_is_no_object_is_told(value: object) -> None:
    (problem,) = refused(changed("", issue=value))
    assert (problem.code, problem.place) == ("schema.type", "issue")
    assert "an object { ... }" in problem.en


def test_all_problems_of_the_model_are_told_at_once() -> None:
    record = sample()
    del record["person"]["name"]
    record["person"]["sex"] = "X"
    record["issue"]["date"] = "soon"
    assert codes(json.dumps(record).encode()) == [
        "schema.missing person.name", "schema.choice person.sex", "schema.date issue.date", "seal.mismatch seal",
    ]  # fmt: skip


@pytest.mark.parametrize("record_id", ["", "a" * 65, "a b", "ü", "a/b", "a\n"])
def test_record_id_of_other_signs_is_refused(record_id: str) -> None:
    (problem,) = refused(changed("", record_id=record_id))
    assert problem.en == "The value has the wrong form; write 1 to 64 letters, digits, dots, underscores or hyphens."


def test_seal_must_be_text() -> None:
    assert codes(json.dumps(sample() | {"seal": 5}).encode()) == ["schema.type seal"]


@pytest.mark.parametrize("model", [Record, Person, Issue, Photo, Signature, Chip])
def test_every_field_has_a_description(model: type[Record]) -> None:
    assert all(info.description for info in model.model_fields.values())


def test_every_refusal_names_one_thing_and_one_action_in_both_languages() -> None:
    for row in REFUSALS.values():
        assert row.id.endswith("."), row.code
        assert row.en.endswith("."), row.code
        assert any(sign in row.id for sign in ";:"), row.code
        assert any(sign in row.en for sign in ";?"), row.code
