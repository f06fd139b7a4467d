"""No change to a sealed record passes, no input fails in an unforeseen way, no refusal repeats content."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.errors import RecordRefused
from controller.records.images import image_problem
from controller.records.intake import AcceptedRecord
from controller.records.nik import PROVINCES, nik_problems
from controller.records.seal import seal_problem
from tests.unit.records.samples import CENTRE_KEYS, payload_of, photo_bytes, read, sample, signature_bytes

BODY = json.dumps(sample(), ensure_ascii=False).encode()
PAYLOAD = payload_of(sample())
JUNK: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=8), st.just([]), st.just({})
)
PEOPLE = st.tuples(
    st.sampled_from(sorted(PROVINCES)),
    st.integers(1, 99),
    st.integers(1, 99),
    st.dates(date(1900, 1, 1)),
    st.booleans(),
    st.integers(1, 9999),
)


def outcome(body: bytes) -> AcceptedRecord | RecordRefused:
    try:
        return read(body)
    except RecordRefused as refusal:
        return refusal


def paths(value: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    own = [(*above, name) for name in value]
    return own + [path for name, inner in value.items() if isinstance(inner, dict) for path in paths(inner, (*above, name))]


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_changed_byte_passes_as_another_record(at: int, flip: int) -> None:
    body = BODY[:at] + bytes([BODY[at] ^ flip]) + BODY[at + 1 :]
    found = outcome(body)
    assert isinstance(found, RecordRefused) or found.digest == read(BODY).digest


@given(st.sampled_from(paths(sample())), JUNK)
def test_any_value_in_any_place_is_refused_or_taken_never_a_crash(path: tuple[str, ...], junk: object) -> None:
    record = sample()
    target = record
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = junk
    text = str(outcome(json.dumps(record).encode()))
    assert sample()["person"]["nik"] not in text


@given(st.binary(max_size=40))
def test_any_bytes_are_refused(body: bytes) -> None:
    found = outcome(body)
    assert isinstance(found, RecordRefused)
    assert all(problem.id and problem.en for problem in found.problems)


@given(st.text("ey.JhbGciO=-_\n", max_size=40) | st.tuples(st.integers(0, 160), st.characters()))
def test_no_changed_seal_is_taken(change: str | tuple[int, str]) -> None:
    genuine = sample()["seal"]
    forged = change if isinstance(change, str) else genuine[: change[0]] + change[1] + genuine[change[0] + 1 :]
    assert (seal_problem(forged, PAYLOAD, CENTRE_KEYS) is None) == (forged == genuine)


@given(st.sampled_from([("image/jpeg", photo_bytes()), ("image/png", signature_bytes())]), st.data())
def test_no_cut_image_passes(image: tuple[str, bytes], data: st.DataObject) -> None:
    media_type, content = image
    keep = data.draw(st.integers(0, len(content) - 1))
    problem = image_problem(content[:keep], media_type, "photo.data", least_pixels=1)
    assert problem is not None
    assert problem.code in {"image.truncated", "image.empty"}


@given(st.sampled_from(["image/jpeg", "image/png"]), st.binary(max_size=80))
def test_any_bytes_behind_the_magic_are_judged_never_a_crash(media_type: str, tail: bytes) -> None:
    magic = b"\xff\xd8\xff" if media_type == "image/jpeg" else b"\x89PNG\r\n\x1a\n"
    image_problem(magic + tail, media_type, "photo.data", least_pixels=1)


@given(PEOPLE)
def test_nik_made_by_the_rules_is_sound_and_only_for_its_sex(person: tuple[str, int, int, date, bool, int]) -> None:
    province, regency, district, born, female, serial = person
    nik = f"{province}{regency:02}{district:02}{born.day + 40 * female:02}{born:%m%y}{serial:04}"
    assert nik_problems(nik, female=female, birth_date=born) == []
    assert [problem.code for problem in nik_problems(nik, female=not female, birth_date=born)] == ["nik.sex"]
