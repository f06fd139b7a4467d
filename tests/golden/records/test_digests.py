"""The identity of a record never changes: digests made with an independent RFC 8785 and an independent check of the seal.

After new examples (`python -m tools.make_examples`) the digests are renewed by `python -m tests.golden.records.test_digests`.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
import rfc8785

from tests.unit.records.samples import CENTRE_KEYS, EXAMPLES, KID, read
from tools.make_examples import centre_key, seal_record, sign_chip

RECORDED = Path(__file__).with_name("digests.json")
DIGESTS: dict[str, str] = json.loads(RECORDED.read_text(encoding="utf-8"))


def independent_digest(body: bytes) -> str:
    """Of a record without its seal."""
    record = json.loads(body)
    record.pop("seal")
    return hashlib.sha256(rfc8785.dumps(record)).hexdigest()


@pytest.mark.parametrize(("name", "digest"), DIGESTS.items())
def test_digest_of_each_example_is_the_recorded_one(name: str, digest: str) -> None:
    body = (EXAMPLES / "records" / name).read_bytes()
    assert read(body).digest == independent_digest(body) == digest


def test_every_example_has_its_digest() -> None:
    assert sorted(DIGESTS) == sorted(path.name for path in (EXAMPLES / "records").glob("*.json"))


@pytest.mark.parametrize("name", DIGESTS)
def test_seal_of_each_example_verifies_without_our_code(name: str) -> None:
    record = json.loads((EXAMPLES / "records" / name).read_bytes())
    header, _, signature = record.pop("seal").split(".")
    CENTRE_KEYS[KID].verify(urlsafe_b64decode(signature + "=="), header.encode() + b"." + rfc8785.dumps(record))


@pytest.mark.parametrize("name", DIGESTS)
def test_an_example_signed_anew_is_the_same_to_the_last_byte(name: str) -> None:
    record = json.loads((EXAMPLES / "records" / name).read_bytes())
    before = json.dumps(record)
    sign_chip(record)
    record["seal"] = seal_record(record, centre_key(), KID)
    assert json.dumps(record) == before


if __name__ == "__main__":
    renewed = {path.name: independent_digest(path.read_bytes()) for path in sorted((EXAMPLES / "records").glob("*.json"))}
    RECORDED.write_text(json.dumps(renewed, indent=1) + "\n", encoding="utf-8")
