"""A record as received is accepted whole or refused with every reason."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from io import BytesIO

import pytest
from PIL import Image
from pydantic import ValidationError

from controller.errors import RecordRefused
from controller.records.canonical import canonical_bytes
from controller.records.intake import load_stored, read_record
from controller.records.prr import CHIP_MAX_BYTES as CHIP_TOTAL_BYTES
from controller.records.prr import PHOTO_MAX_BYTES, SIGNATURE_MAX_BYTES, Record
from controller.records.status import REFUSED_STATUSES
from tests.unit.records.samples import (
    CENTRE_KEYS,
    CHIP_MAX_BYTES,
    ROOT,
    b64,
    changed,
    codes,
    payload_of,
    photo_bytes,
    read,
    refused,
    sample,
    sealed,
    signature_bytes,
)


def test_accepted_record_carries_what_is_stored_and_what_is_written() -> None:
    accepted = read(json.dumps(sample()).encode())
    assert accepted.canonical == canonical_bytes(sample())
    assert accepted.digest == hashlib.sha256(payload_of(sample())).hexdigest()
    assert (accepted.photo, accepted.signature) == (photo_bytes(), signature_bytes())
    assert [file.fid for file in accepted.chip_files] == [0x6FF1, 0x6FF2, 0x6FF3, 0x6FF4, 0x6FF5, 0x6FF6]
    assert len(accepted.chip_files[2].content) == 924


def test_layout_of_the_json_does_not_change_the_identity() -> None:
    compact = json.dumps(sample(), separators=(",", ":"), sort_keys=True).encode()
    spread = json.dumps(dict(reversed(sample().items())), indent=4, ensure_ascii=False).encode()
    assert read(compact).digest == read(spread).digest


def test_stored_record_reads_back_equal() -> None:
    accepted = read(json.dumps(sample()).encode())
    assert load_stored(accepted.canonical) == accepted.record


def test_stored_record_that_no_longer_fits_is_refused_by_place() -> None:
    with pytest.raises(RecordRefused, match=r"person\.nik: The NIK is not 16 digits"):
        load_stored(changed("person", nik="12"))


def test_stored_document_that_is_no_record_is_refused() -> None:
    with pytest.raises(RecordRefused, match="an object"):
        load_stored(b"[]")


def test_every_optional_field_may_be_missing() -> None:
    person = read(changed("person", blood_type=None, rt=None, rw=None)).record.person
    assert (person.blood_type, person.rt, person.rw) == (None, None, None)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    assert codes(body) == ["schema.type"]


def test_empty_object_names_every_missing_field() -> None:
    names = ["format", "record_id", "status", "recorded_on", "person", "issue", "photo", "signature", "chip", "seal"]
    assert codes(b"{}") == [f"schema.missing {name}" for name in names]


@pytest.mark.parametrize(("status", "code"), REFUSED_STATUSES.items())
def test_each_other_status_is_refused_with_its_own_next_step(status: str, code: str) -> None:
    assert codes(changed("", status=status)) == [f"{code} status"]


def test_unknown_status_is_refused() -> None:
    (problem,) = refused(changed("", status="print_ready_record"))
    assert problem.en == "The record's status is unknown; ask the centre, only a PRINT_READY_RECORD may be printed."


def test_duplicate_record_is_told_with_what_the_holder_must_do() -> None:
    (problem,) = refused(changed("", status="DUPLICATE_RECORD"))
    assert problem.id.startswith("Data ganda, kartu tidak boleh dicetak; minta penduduk datang")


def test_record_of_another_status_is_read_on() -> None:
    record = sample() | {"status": "DUPLICATE_RECORD", "colour": "red"}
    assert codes(json.dumps(record).encode()) == ["status.duplicate status", "schema.unknown_field colour", "seal.mismatch seal"]


def test_image_is_not_looked_at_under_a_broken_seal() -> None:
    record = sample()
    record["photo"]["data"] = "!"
    assert codes(json.dumps(record).encode()) == ["seal.mismatch seal"]


def test_all_rules_between_fields_are_told_at_once() -> None:
    record = sample()
    record["person"] |= {"nik": "3374102902920009", "nationality": "WNA"}
    record |= {"record_id": "R-3374102902920009", "recorded_on": "1990-01-01"}
    assert codes(sealed(record)) == [
        "record_id.nik record_id", "date.birth person.birth_date", "date.valid_until person.valid_until",
        "nik.sex person.nik", "nik.birth_date person.nik",
    ]  # fmt: skip


def test_foreigner_with_a_date_of_validity_is_taken() -> None:
    assert str(read(changed("person", nationality="WNA", valid_until="2029-03-31")).record.person.valid_until) == "2029-03-31"


@pytest.mark.parametrize("text", ["====", "QQ", "QR==", "Q Q=", "QQ==\n", "QQ==QQ==", "QQ-_", "é"])
def test_base64_that_is_not_canonical_is_refused(text: str) -> None:
    chip = sample()["chip"]
    assert codes(changed("", chip=chip | {"6FF6": text})) == ["schema.base64 chip.6FF6"]


def test_photo_over_its_size_is_refused_in_bytes() -> None:
    for size in (PHOTO_MAX_BYTES + 1, PHOTO_MAX_BYTES + 9):
        (problem,) = refused(changed("photo", data=b64(bytes(size))))
        assert problem.en.startswith("The image is larger than 200000 bytes; make it smaller")


def test_signature_over_its_size_is_refused() -> None:
    assert codes(changed("signature", data=b64(bytes(SIGNATURE_MAX_BYTES + 1)))) == ["image.too_large signature.data"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "image.empty"),
        (b64(photo_bytes()[:-2]), "image.truncated"),
        (b64(signature_bytes()), "image.kind"),
        ("QQ", "schema.base64"),
    ],
)
def test_bad_photo_under_a_good_seal_is_refused(data: str, code: str) -> None:
    assert codes(changed("photo", data=data)) == [f"{code} photo.data"]


def test_photo_too_small_for_a_card_is_refused() -> None:
    out = BytesIO()
    Image.new("RGB", (99, 150)).save(out, "JPEG")
    assert codes(changed("photo", data=b64(out.getvalue()))) == ["image.too_few_pixels photo.data"]


def test_chip_file_over_its_profile_is_refused() -> None:
    chip = sample()["chip"] | {"6FF6": b64(bytes(79)), "6FF1": b64(bytes(1025))}
    assert codes(changed("", chip=chip)) == ["chip.too_large chip.6FF1", "chip.too_large chip.6FF6"]


def test_chip_files_together_over_the_chip_are_refused() -> None:
    chip = {"6FF1": b64(bytes(1024)), "6FF2": b64(bytes(4096)), "6FF3": b64(bytes(1024)), "6FF4": b64(bytes(1024))}
    chip |= {"6FF5": b64(bytes(1024)), "6FF6": b64(bytes(1))}
    (problem,) = refused(changed("", chip=chip))
    assert (problem.code, problem.place) == ("chip.total", "chip")
    assert str(CHIP_TOTAL_BYTES) in problem.en


def test_chip_file_the_profile_does_not_have_is_refused() -> None:
    small_profile = {fid: size for fid, size in CHIP_MAX_BYTES.items() if fid != 0x6FF5}
    with pytest.raises(RecordRefused, match=r"chip\.6FF5: This station's chip profile has no such file"):
        read_record(json.dumps(sample()).encode(), CENTRE_KEYS, chip_max_bytes=small_profile)


def test_nothing_personal_shows_in_reprs_or_refusals(caplog: pytest.LogCaptureFixture) -> None:
    accepted = read(json.dumps(sample()).encode())
    logging.getLogger("t").error("%r %s %r", accepted, accepted.record, accepted.record.person)
    refusal = str(RecordRefused(refused(changed("person", name="BUDI\x07", nik="12", birth_place=7))))
    for secret in ("RAHMAWATI", sample()["person"]["nik"], "BUDI"):
        assert secret not in caplog.text + refusal


def test_error_of_the_model_itself_shows_no_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Record.model_validate(sample() | {"issue": "BUDI"})
    assert "BUDI" not in str(caught.value)


def test_import_stays_light() -> None:
    code = "import controller.records.intake, sys; print(sorted({'PIL', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
