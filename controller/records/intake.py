"""Reading a record at the door: bytes from the centre in, an accepted record or every reason against it out. Pure.

Order: JSON, model, status, dates, NIK, seal; images and chip only under a valid seal. Contract: docs/record-format.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controller.errors import Problem, RecordRefused
from controller.model import ChipFile
from controller.records.canonical import Json, canonical_bytes, parse_json
from controller.records.images import image_problem
from controller.records.nik import nik_problems
from controller.records.prr import (
    CHIP_MAX_BYTES,
    LIFELONG,
    PHOTO_MAX_BYTES,
    SIGNATURE_MAX_BYTES,
    Photo,
    Record,
    Signature,
    strict_base64,
)
from controller.records.refusals import problem
from controller.records.schema import not_an_object, read_model
from controller.records.seal import CentreKeys, seal_problem
from controller.records.status import PRINT_READY, status_problem

PHOTO_LEAST_PIXELS = 100  # fewer would be a blur on the card
SIGNATURE_LEAST_PIXELS = 10


@dataclass(frozen=True, slots=True, repr=False)
class AcceptedRecord:
    """A record that may be printed. It shows no personal data when printed or logged."""

    record: Record
    canonical: bytes  # canonical JSON with the seal: what is stored
    digest: str  # SHA-256, hex, of the canonical JSON without the seal: the identity of the record
    chip_files: tuple[ChipFile, ...]
    photo: bytes  # JPEG
    signature: bytes  # PNG or JPEG, as record.signature.media_type says

    def __repr__(self) -> str:
        return f"<AcceptedRecord {self.digest[:12]}>"


def read_record(body: bytes, centre_keys: CentreKeys, *, chip_max_bytes: Mapping[int, int]) -> AcceptedRecord:
    """Check a record as received. `chip_max_bytes` gives the size of each chip file of the station's profile by file id.

    Raises RecordRefused with every reason that can be told.
    """
    raw = parse_json(body)
    if not isinstance(raw, dict):
        raise RecordRefused([not_an_object()])
    payload = canonical_bytes({name: value for name, value in raw.items() if name != "seal"})
    record, problems = _read_fields(raw)
    seal = raw.get("seal")
    broken_seal = seal_problem(seal, payload, centre_keys) if isinstance(seal, str) and seal else None
    if broken_seal is not None:
        problems.append(broken_seal)
    elif record is not None:
        problems += [*_image_problems(record), *_chip_problems(record, chip_max_bytes)]
    if record is None or problems:
        raise RecordRefused(problems)
    return AcceptedRecord(
        record=record,
        canonical=canonical_bytes(raw),
        digest=hashlib.sha256(payload).hexdigest(),
        chip_files=record.chip.files(),
        photo=record.photo.content(),
        signature=record.signature.content(),
    )


def load_stored(canonical: bytes) -> Record:
    """A record that was accepted and stored before. The spool has checked the bytes; the seal is not checked again.

    Raises RecordRefused when this version of the station no longer takes the record.
    """
    raw = parse_json(canonical)
    record, problems = _read_fields(raw) if isinstance(raw, dict) else (None, [not_an_object()])
    if record is None or problems:
        raise RecordRefused(problems)
    return record


def _read_fields(raw: Mapping[str, Json]) -> tuple[Record | None, list[Problem]]:
    """The model and the rules between fields. A record of another status is read on, to tell all that is wrong with it."""
    status = raw.get("status")
    refused = status_problem(status) if isinstance(status, str) else None
    record, problems = read_model(raw if refused is None else {**raw, "status": PRINT_READY})
    if refused is not None:
        problems.insert(0, refused)
    if record is not None:
        problems += _person_problems(record)
    return record, problems


def _person_problems(record: Record) -> Iterator[Problem]:
    person = record.person
    if person.nik in "".join(filter(str.isdigit, record.record_id)):
        yield problem("record_id.nik", "record_id")
    if person.birth_date > record.recorded_on:
        yield problem("date.birth", "person.birth_date")
    if person.nationality == "WNA" and person.valid_until == LIFELONG:
        yield problem("date.valid_until", "person.valid_until")
    yield from nik_problems(person.nik, female=person.sex == "PEREMPUAN", birth_date=person.birth_date)


def _image_problems(record: Record) -> Iterator[Problem]:
    images: tuple[tuple[str, Photo | Signature, int, int], ...] = (
        ("photo.data", record.photo, PHOTO_MAX_BYTES, PHOTO_LEAST_PIXELS),
        ("signature.data", record.signature, SIGNATURE_MAX_BYTES, SIGNATURE_LEAST_PIXELS),
    )
    for place, image, max_bytes, least_pixels in images:
        content = _decoded(image.data)
        if content is None:
            yield problem("schema.base64", place)
        elif len(content) > max_bytes:
            yield problem("image.too_large", place, max_bytes=max_bytes)
        else:
            found = image_problem(content, image.media_type, place, least_pixels=least_pixels)
            yield from () if found is None else (found,)


def _chip_problems(record: Record, chip_max_bytes: Mapping[int, int]) -> Iterator[Problem]:
    total = 0
    for fid, text in record.chip.texts().items():
        content = _decoded(text)
        if content is None:
            yield problem("schema.base64", f"chip.{fid:04X}")
        else:
            yield from chip_file_problems(fid, content, chip_max_bytes)
        total += len(content or b"")
    if total > CHIP_MAX_BYTES:
        yield problem("chip.total", "chip", max=CHIP_MAX_BYTES)


def chip_file_problems(fid: int, content: bytes, chip_max_bytes: Mapping[int, int]) -> Iterator[Problem]:
    """Why chips that hold so many bytes in each of these files cannot take this one."""
    place = f"chip.{fid:04X}"
    if fid not in chip_max_bytes:
        yield problem("chip.no_such_file", place)
    elif len(content) > chip_max_bytes[fid]:
        yield problem("chip.too_large", place, max=chip_max_bytes[fid])


def _decoded(text: str) -> bytes | None:
    try:
        return strict_base64(text)
    except ValueError:
        return None
