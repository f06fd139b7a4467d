"""What the tests of records start from: an example record, the synthetic keys, and a way to seal changes to it."""

from __future__ import annotations

import copy
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.api_jws import PyJWS

from controller.errors import Problem, RecordRefused
from controller.records.canonical import canonical_bytes
from controller.records.intake import AcceptedRecord, read_record
from controller.records.seal import load_public_key

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
KID = "contoh-2026"
CHIP_MAX_BYTES = {0x6FF1: 1024, 0x6FF2: 4096, 0x6FF3: 1024, 0x6FF4: 1024, 0x6FF5: 1024, 0x6FF6: 78}
CENTRE_KEYS = {KID: load_public_key((EXAMPLES / "keys" / f"{KID}.pub.pem").read_text())}

Fields = dict[str, Any]

_SAMPLE: Fields = json.loads((EXAMPLES / "records" / "01.json").read_text(encoding="utf-8"))


def private_key() -> Ed25519PrivateKey:
    """The synthetic centre's sealing key."""
    key = load_pem_private_key((EXAMPLES / "keys" / f"{KID}.key.pem").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def sample() -> Fields:
    """A fresh copy of the first example record; changes to it need a new seal."""
    return copy.deepcopy(_SAMPLE)


def payload_of(record: Fields) -> bytes:
    """What the seal is made over."""
    return canonical_bytes({name: value for name, value in record.items() if name != "seal"})


def sealed(record: Fields) -> bytes:
    """The record with a fresh, valid seal, as bytes to submit."""
    headers = {"typ": "", "kid": KID, "b64": False}
    seal = PyJWS().encode(payload_of(record), private_key(), algorithm="EdDSA", headers=headers, is_payload_detached=True)
    return json.dumps({**record, "seal": seal}).encode()


def changed(part: str, **fields: object) -> bytes:
    """The sample with fields of one part changed (None: left out), sealed anew."""
    record = sample()
    target = record[part] if part else record
    for name, value in fields.items():
        if value is None:
            del target[name]
        else:
            target[name] = value
    return sealed(record)


def read(body: bytes) -> AcceptedRecord:
    """`read_record` with the examples' key and chip sizes."""
    return read_record(body, CENTRE_KEYS, chip_max_bytes=CHIP_MAX_BYTES)


def refused(body: bytes) -> list[Problem]:
    """The problems that `body` is refused for."""
    with pytest.raises(RecordRefused) as caught:
        read(body)
    return caught.value.problems


def codes(body: bytes) -> list[str]:
    """The codes that `body` is refused for, each with its place."""
    return [f"{problem.code} {problem.place}".strip() for problem in refused(body)]


def b64(content: bytes) -> str:
    """Standard base64."""
    return b64encode(content).decode()


def photo_bytes() -> bytes:
    """The sample's photo."""
    return b64decode(_SAMPLE["photo"]["data"])


def signature_bytes() -> bytes:
    """The sample's signature, a PNG."""
    return b64decode(_SAMPLE["signature"]["data"])
