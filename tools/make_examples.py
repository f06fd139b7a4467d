"""Makes examples/records, examples/bad and examples/keys, and puts the public keys into examples/station.toml.

Run by hand: `python -m tools.make_examples`. Deterministic; the output is committed. All people and keys are synthetic: the keys
come from a published phrase and protect nothing. `seal_record` shows centres how a record is sealed.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import re
from base64 import b64decode, b64encode
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.api_jws import PyJWS
from PIL import Image

from controller.records.canonical import canonical_bytes
from tools.example_drawing import jpeg, signature
from tools.example_faces import portrait
from tools.example_people import Resident, residents

EXAMPLES = Path(__file__).parent.parent / "examples"
KID, CHIP_KID = "contoh-2026", "contoh-chip-2026"
SIGNATURE_SIZE = (504, 132)  # three times the chip's 168 x 44
CHIP_SIGNATURE_SIZE = (168, 44)
_ISSUED_ON = date(2026, 11, 20)

Fields = dict[str, Any]


def centre_key() -> Ed25519PrivateKey:
    """The synthetic centre's sealing key."""
    return Ed25519PrivateKey.from_private_bytes(_phrase("sealing key"))


def chip_key() -> ec.EllipticCurvePrivateKey:
    """The synthetic centre's key for EF 6FF6."""
    return ec.derive_private_key(int.from_bytes(_phrase("chip key"), "big") >> 1, ec.SECP256R1())


def seal_record(record: Fields, key: Ed25519PrivateKey, kid: str) -> str:
    """The seal of a record: a detached JWS over the canonical JSON of everything but `seal`."""
    payload = canonical_bytes({name: value for name, value in record.items() if name != "seal"})
    headers = {"typ": "", "kid": kid, "b64": False}  # an empty typ is left out of the header
    return PyJWS().encode(payload, key, algorithm="EdDSA", headers=headers, is_payload_detached=True)


def sign_contents(contents: list[bytes], key: ec.EllipticCurvePrivateKey) -> bytes:
    """The centre's signature for EF 6FF6: over the contents of 6FF1 to 6FF5 in this order, each with its 2-byte length before it.

    What the real centre signs is not public; this is this project's choice (controller/chips/content_signature.py).
    """
    signed = b"".join(len(content).to_bytes(2, "big") + content for content in contents)
    return key.sign(signed, ec.ECDSA(SHA256(), deterministic_signing=True))


def sign_chip(record: Fields) -> None:
    """Put the centre's signature over what the record's chip files hold now."""
    contents = [b64decode(text) for name, text in sorted(record["chip"].items()) if name != "6FF6"]
    record["chip"]["6FF6"] = _text(sign_contents(contents, chip_key()))


def make_record(number: int, resident: Resident) -> Fields:
    """The sealed record of one resident."""
    record = _unsealed(number, resident)
    record["seal"] = seal_record(record, centre_key(), KID)
    return record


def bad_records(good: list[Fields]) -> dict[str, Fields]:
    """Records that must be refused, each for exactly one reason."""
    wrong_nik, bad_seal, duplicate = (copy.deepcopy(record) for record in good[1:4])
    nik = wrong_nik["person"]["nik"]
    wrong_nik["person"]["nik"] = nik[:8] + "12" + nik[10:]  # born in November, the NIK says December
    wrong_nik["seal"] = seal_record(wrong_nik, centre_key(), KID)
    bad_seal["person"]["address"] = bad_seal["person"]["address"].replace("NO. 3-A", "NO. 8-A")  # one byte, after sealing
    duplicate["status"] = "DUPLICATE_RECORD"
    duplicate["seal"] = seal_record(duplicate, centre_key(), KID)
    return {"wrong-nik": wrong_nik, "bad-seal": bad_seal, "duplicate-record": duplicate}


def _phrase(purpose: str) -> bytes:
    return hashlib.sha256(f"print-station examples, synthetic, not secret: {purpose}".encode()).digest()


def _unsealed(number: int, resident: Resident) -> Fields:
    face = portrait(resident, number)
    drawn = signature(100 + number, SIGNATURE_SIZE)
    person = _person(number, resident)
    issue = {"place": resident.issue_place, "date": _ISSUED_ON.isoformat()}
    return {
        "format": 1,
        "record_id": f"CONTOH-2026-{number:06}",
        "status": "PRINT_READY_RECORD",
        "recorded_on": (date(2026, 3, 2) + timedelta(days=11 * number)).isoformat(),
        "person": person,
        "issue": issue,
        "photo": {"media_type": "image/jpeg", "data": _text(jpeg(face, (480, 720), 60_000))},
        "signature": {"media_type": "image/png", "data": _text(_png(drawn))},
        "chip": _chip(number, person, issue, face, drawn),
    }


def _person(number: int, resident: Resident) -> Fields:
    born = date.fromisoformat(resident.born)
    day = born.day + (40 if resident.woman else 0)
    fields: dict[str, str | None] = {
        "nik": f"{resident.region}{day:02}{born:%m%y}{number:04}",
        "name": resident.name,
        "birth_place": resident.birth_place,
        "birth_date": resident.born,
        "sex": "PEREMPUAN" if resident.woman else "LAKI-LAKI",
        "blood_type": resident.blood,
        "address": resident.address,
        "rt": resident.rt,
        "rw": resident.rw,
        "village": resident.village,
        "district": resident.district,
        "regency": resident.regency,
        "province": resident.province,
        "religion": resident.religion,
        "marital_status": resident.marital,
        "occupation": resident.occupation,
        "nationality": resident.nationality,
        "valid_until": resident.valid_until,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _chip(number: int, person: Fields, issue: Fields, face: Image.Image, drawn: Image.Image) -> Fields:
    small = drawn.resize(CHIP_SIGNATURE_SIZE, Image.Resampling.LANCZOS).point(lambda level: 255 if level > 170 else 0)
    contents = {
        "6FF1": _biodata(person, issue),
        "6FF2": jpeg(face, (96, 144), 3000),
        "6FF3": small.convert("1").tobytes(),  # 21 bytes a row, 1 is white
        "6FF4": _minutiae(number, finger=2),
        "6FF5": _minutiae(number, finger=7),
    }
    contents["6FF6"] = sign_contents(list(contents.values()), chip_key())
    return {name: _text(content) for name, content in contents.items()}


def _biodata(person: Fields, issue: Fields) -> bytes:
    """21 quoted fields in the order of chip.md 1.2; fields 16, 17, 18 and 20 are this project's guess."""
    names = ("nik", "address", "rt", "rw", "birth_place", "district", "village", "regency", "sex", "blood_type", "religion",
             "marital_status", "occupation", "name", "birth_date", "province")  # fmt: skip
    values = [_card_date(str(person.get(name, "-"))) for name in names]
    values += [_card_date(person["valid_until"]), issue["place"], _card_date(issue["date"]), person["nationality"], ""]
    return ",".join(f'"{value}"' for value in values).encode()


def _card_date(value: str) -> str:
    return re.sub(r"^(\d{4})-(\d{2})-(\d{2})$", r"\3-\2-\1", value)


def _minutiae(number: int, finger: int) -> bytes:
    """A finger minutiae record in the manner of ISO/IEC 19794-2:2005; the minutiae are random."""
    rng = random.Random(number * 100 + finger)  # noqa: S311 - made-up fingers, no secrets
    points = [
        (rng.randint(0, 2), rng.randrange(20, 300), rng.randrange(20, 380), rng.randrange(256))
        for _ in range(rng.randint(48, 74))
    ]
    view = bytes([finger, 0, 88, len(points)])
    view += b"".join(
        (kind << 14 | x).to_bytes(2, "big") + y.to_bytes(2, "big") + bytes([angle, 80]) for kind, x, y, angle in points
    )
    view += bytes(2)  # no extended data
    sizes = b"".join(value.to_bytes(2, "big") for value in (0, 320, 400, 197, 197))  # equipment, pixels, pixels per cm
    return b"FMR\0 20\0" + (24 + len(view)).to_bytes(4, "big") + sizes + bytes([1, 0]) + view


def _png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.quantize(16).convert("L").save(out, "PNG", optimize=True)
    return out.getvalue()


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def _write_json(path: Path, record: Fields) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_keys(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, key in ((KID, centre_key()), (CHIP_KID, chip_key())):
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.key.pem").write_bytes(private)
        (folder / f"{name}.pub.pem").write_bytes(public)


def _configure_station(path: Path) -> None:
    raw = centre_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    point = chip_key().public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    config = path.read_text(encoding="utf-8")
    for kid, key in ((KID, raw), (CHIP_KID, point)):
        config = re.sub(rf'(?m)^(kid = "{kid}"\n)public_key = ".*"$', rf'\g<1>public_key = "{_text(key)}"', config)
    path.write_text(config, encoding="utf-8")


def main() -> None:
    """Write all examples."""
    records = [make_record(number, resident) for number, resident in enumerate(residents(), start=1)]
    for number, record in enumerate(records, start=1):
        _write_json(EXAMPLES / "records" / f"{number:02}.json", record)
    for name, record in bad_records(records).items():
        _write_json(EXAMPLES / "bad" / f"{name}.json", record)
    _write_keys(EXAMPLES / "keys")
    _configure_station(EXAMPLES / "station.toml")


if __name__ == "__main__":
    main()
