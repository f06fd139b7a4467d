"""The committed examples are what they say they are."""

from __future__ import annotations

import json
import tomllib
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from controller.records.seal import load_public_key
from tests.unit.records.samples import CENTRE_KEYS, CHIP_MAX_BYTES, EXAMPLES, KID, ROOT, codes, read

GOOD = sorted((EXAMPLES / "records").glob("*.json"))


def people() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8"))["person"] for path in GOOD]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_each_example_is_accepted(path: Path) -> None:
    accepted = read(path.read_bytes())
    assert 20_000 <= len(accepted.photo) <= 60_000
    assert len(accepted.chip_files[1].content) <= 3000


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrong-nik", "nik.birth_date person.nik"),
        ("bad-seal", "seal.mismatch seal"),
        ("duplicate-record", "status.duplicate status"),
    ],
)
def test_each_bad_example_is_refused_for_one_reason(name: str, reason: str) -> None:
    assert codes((EXAMPLES / "bad" / f"{name}.json").read_bytes()) == [reason]


def test_twenty_different_people_from_many_provinces() -> None:
    assert len(GOOD) == 20
    assert len({person["nik"] for person in people()}) == 20
    assert len({person["province"] for person in people()}) == 20


def test_awkward_cases_are_among_them() -> None:
    everyone = people()
    assert max(len(person["name"]) for person in everyone) > 60
    assert max(len(person["address"]) for person in everyone) > 100
    assert any(" " not in person["name"] for person in everyone)
    assert any(person["birth_date"].endswith("02-29") for person in everyone)
    assert any(person["nationality"] == "WNA" for person in everyone)
    assert {"PEREMPUAN", "LAKI-LAKI"} == {person["sex"] for person in everyone}
    for field in ("blood_type", "rt", "rw"):
        assert any(field not in person for person in everyone), field


def test_centre_signature_on_the_chip_covers_the_other_files() -> None:
    key = load_pem_public_key((EXAMPLES / "keys" / "contoh-chip-2026.pub.pem").read_bytes())
    assert isinstance(key, EllipticCurvePublicKey)
    for path in GOOD:
        *contents, signature = (b64decode(text) for text in json.loads(path.read_text(encoding="utf-8"))["chip"].values())
        key.verify(signature, b"".join(len(file).to_bytes(2, "big") + file for file in contents), ECDSA(SHA256()))


def test_station_configuration_carries_the_examples_key() -> None:
    (entry,) = tomllib.loads((EXAMPLES / "station.toml").read_text(encoding="utf-8"))["centre_keys"]
    assert entry["kid"] == KID
    assert load_public_key(entry["public_key"]) == CENTRE_KEYS[KID]


def test_chip_sizes_of_the_tests_are_those_of_the_profile() -> None:
    profile = tomllib.loads((ROOT / "firmware_profiles" / "chips" / "ektp.toml").read_text(encoding="utf-8"))
    assert {row["fid"]: row["max_bytes"] for row in profile["files"] if row["personalised"]} == CHIP_MAX_BYTES
