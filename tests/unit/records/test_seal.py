"""No seal but a detached EdDSA JWS of a configured key is taken."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.records.seal import load_public_key, seal_problem

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"k1": KEY.public_key()}
PAYLOAD = b'{"a":1}'
HEADER: dict[str, object] = {"alg": "EdDSA", "b64": False, "crit": ["b64"], "kid": "k1"}
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
RAW = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def url64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def sign(header: object, payload: bytes = PAYLOAD, key: Ed25519PrivateKey = KEY) -> str:
    head = url64(json.dumps(header).encode())
    return f"{head}..{url64(key.sign(head.encode() + b'.' + payload))}"


def code(seal: str, payload: bytes = PAYLOAD) -> str | None:
    problem = seal_problem(seal, payload, KEYS)
    assert problem is None or problem.place == "seal"
    return problem.code if problem else None


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in HEADER.items() if key != name}


def test_genuine_seal_is_taken() -> None:
    assert code(sign(HEADER)) is None


def test_order_of_the_header_does_not_matter() -> None:
    assert code(sign(dict(reversed(HEADER.items())))) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({**HEADER, "alg": "none"}, "seal.algorithm"),
        ({**HEADER, "alg": "HS256"}, "seal.algorithm"),
        ({**HEADER, "alg": "ES256"}, "seal.algorithm"),
        ({**HEADER, "alg": "eddsa"}, "seal.algorithm"),
        ({**HEADER, "alg": ["EdDSA"]}, "seal.algorithm"),
        (without("alg"), "seal.algorithm"),
        (without("crit"), "seal.unencoded"),
        ({**HEADER, "crit": []}, "seal.unencoded"),
        ({**HEADER, "crit": ["b64", "exp"]}, "seal.unencoded"),
        ({**HEADER, "b64": True}, "seal.unencoded"),
        ({**HEADER, "b64": 0}, "seal.unencoded"),
        (without("b64"), "seal.unencoded"),
        ({**HEADER, "kid": "k2"}, "seal.unknown_key"),
        ({**HEADER, "kid": 1}, "seal.unknown_key"),
        (without("kid"), "seal.unknown_key"),
        ({**HEADER, "jwk": {"kty": "OKP"}}, "seal.header"),
        ({**HEADER, "typ": "JWT"}, "seal.header"),
        ([HEADER], "seal.malformed"),
    ],
)
def test_header_that_asks_for_anything_else_is_refused(header: object, expected: str) -> None:
    assert code(sign(header)) == expected


def test_hmac_with_the_public_key_as_secret_is_refused() -> None:
    head = url64(json.dumps({**HEADER, "alg": "HS256"}).encode())
    forged = hmac.digest(PEM.encode(), head.encode() + b"." + PAYLOAD, "sha256")
    assert code(f"{head}..{url64(forged)}") == "seal.algorithm"


def test_seal_of_another_payload_is_refused() -> None:
    assert code(sign(HEADER, b'{"a":2}')) == "seal.mismatch"


def test_seal_of_another_key_under_a_known_name_is_refused() -> None:
    assert code(sign(HEADER, key=Ed25519PrivateKey.generate())) == "seal.mismatch"


def test_seal_with_a_payload_inside_is_refused() -> None:
    head, _, signature = sign(HEADER).split(".")
    assert code(f"{head}.{url64(PAYLOAD)}.{signature}") == "seal.attached"


@pytest.mark.parametrize("tail", [".x", "=", "\n", " ", "..", "+"])
def test_anything_after_the_seal_is_refused(tail: str) -> None:
    assert code(sign(HEADER) + tail) == "seal.malformed"


@pytest.mark.parametrize("signature", ["", "AA", "A" * 86, "A" * 88])
def test_signature_that_is_none_is_refused(signature: str) -> None:
    head = sign(HEADER).split(".", maxsplit=1)[0]
    assert code(f"{head}..{signature}") == "seal.mismatch"


@pytest.mark.parametrize("head", ["x", "e30x", url64(b'{"alg":"EdDSA","alg":"EdDSA"}'), url64(b"{" + b" " * 600 + b"}")])
def test_header_that_is_no_strict_json_is_refused(head: str) -> None:
    assert code(f"{head}..AA") == "seal.malformed"


def test_refusal_says_what_to_do() -> None:
    problem = seal_problem(sign({**HEADER, "kid": "k2"}), PAYLOAD, KEYS)
    assert problem is not None
    assert problem.en.startswith("The seal's key is not among centre_keys; check the record's origin")


def test_public_key_loads_from_pem_and_from_raw_base64() -> None:
    assert load_public_key(PEM) == load_public_key(b64encode(RAW).decode()) == KEY.public_key()


P256_PEM = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
UNKNOWN_PEM = "-----BEGIN PUBLIC KEY-----\nMAwwBAYCKgMDBABhYmM=\n-----END PUBLIC KEY-----\n"  # OID 1.2.3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "32 bytes, this has 0"),
        (b64encode(b"short").decode(), "32 bytes, this has 5"),
        ("not base64!", "base64"),
        (P256_PEM, "not an Ed25519 public key"),
        (UNKNOWN_PEM, "not an Ed25519 public key"),
        (UNKNOWN_PEM.replace("M", "N"), "PEM"),
    ],
)
def test_anything_but_an_ed25519_public_key_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_public_key(text)
