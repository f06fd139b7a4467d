"""The identity of a record never changes: digests made with an independent RFC 8785 and an independent check of the seal."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
import rfc8785

from tests.unit.records.samples import CENTRE_KEYS, EXAMPLES, KID, read

DIGESTS: dict[str, str] = json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "digest"), DIGESTS.items())
def test_digest_of_each_example_is_the_recorded_one(name: str, digest: str) -> None:
    body = (EXAMPLES / "records" / name).read_bytes()
    record = json.loads(body)
    record.pop("seal")
    assert read(body).digest == hashlib.sha256(rfc8785.dumps(record)).hexdigest() == digest


@pytest.mark.parametrize("name", DIGESTS)
def test_seal_of_each_example_verifies_without_our_code(name: str) -> None:
    record = json.loads((EXAMPLES / "records" / name).read_bytes())
    header, _, signature = record.pop("seal").split(".")
    CENTRE_KEYS[KID].verify(urlsafe_b64decode(signature + "=="), header.encode() + b"." + rfc8785.dumps(record))
