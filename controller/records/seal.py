"""The centre's seal: a detached JWS (RFC 7515, RFC 7797) by EdDSA over the canonical bytes of a record without its seal.

The protected header is exactly {"alg":"EdDSA","b64":false,"crit":["b64"],"kid":...}. It is read strictly before any signature
is looked at, so that no header can choose another algorithm, key source or payload. The station verifies; it never seals.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from controller.errors import Problem, RecordRefused
from controller.records.canonical import Json, parse_json
from controller.records.refusals import problem

CentreKeys = Mapping[str, Ed25519PublicKey]

_PLACE = "seal"
_ALGORITHM = "EdDSA"
_HEADER_MAX_BYTES = 512  # the four fields take about 80; a kid has at most 64 characters
_TOKEN = re.compile(r"(?P<header>[A-Za-z0-9_-]+)\.(?P<payload>[A-Za-z0-9_-]*)\.(?P<signature>[A-Za-z0-9_-]*)")
_RAW_KEY_BYTES = 32
_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_BEFORE_RAW_KEY = bytes.fromhex("302A300506032B6570032100")  # in DER: SubjectPublicKeyInfo of Ed25519 (RFC 8410, 4)


def load_public_key(text: str) -> Ed25519PublicKey:
    """A centre's public key from PEM or from base64 of its 32 raw bytes. Raises ValueError with the reason."""
    raw = _from_pem(text) if "-----BEGIN" in text else b64decode(text.strip(), validate=True)
    if len(raw) != _RAW_KEY_BYTES:
        raise ValueError(f"an Ed25519 public key has {_RAW_KEY_BYTES} bytes, this has {len(raw)}")
    return Ed25519PublicKey.from_public_bytes(raw)


def seal_problem(seal: str, payload: bytes, centre_keys: CentreKeys) -> Problem | None:
    """Why `seal` does not prove that one of `centre_keys` sealed `payload`; None when it does."""
    token = _TOKEN.fullmatch(seal)
    header = _header(token["header"]) if token else None
    if token is None or header is None:
        return problem("seal.malformed", _PLACE)
    if token["payload"]:
        return problem("seal.attached", _PLACE)
    broken = _header_rule(header)
    if broken is not None:
        return problem(broken, _PLACE)
    key = centre_keys.get(str(header["kid"]))
    if key is None:
        return problem("seal.unknown_key", _PLACE)
    return None if _fits(token, payload, key) else problem("seal.mismatch", _PLACE)


def _from_pem(text: str) -> bytes:
    """The raw key. Read here, because the library's reader of every kind of key takes 0.5 MB of the daemon's memory."""
    armoured = _PEM.fullmatch(text)
    der = b64decode("".join(armoured[1].split()), validate=True) if armoured else b""
    if not der.startswith(_BEFORE_RAW_KEY):
        raise ValueError("not an Ed25519 public key in PEM")
    return der.removeprefix(_BEFORE_RAW_KEY)


def _header(segment: str) -> dict[str, Json] | None:
    try:
        header = parse_json(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), _HEADER_MAX_BYTES)
    except (ValueError, RecordRefused):  # bad base64 or bad JSON: either way no header
        return None
    return header if isinstance(header, dict) else None


def _header_rule(header: Mapping[str, Json]) -> str | None:
    """The row of refusals for the first rule the header breaks."""
    if header.get("alg") != _ALGORITHM:
        return "seal.algorithm"
    if header.get("b64") is not False or header.get("crit") != ["b64"]:
        return "seal.unencoded"
    if not isinstance(header.get("kid"), str):
        return "seal.unknown_key"
    return "seal.header" if len(header) > 4 else None


def _fits(token: re.Match[str], payload: bytes, key: Ed25519PublicKey) -> bool:
    """RFC 7797: what was signed is the header segment, a dot, and the payload as it is."""
    signature = token["signature"]
    try:
        key.verify(urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), token["header"].encode() + b"." + payload)
    except (InvalidSignature, ValueError):  # ValueError: no base64
        return False
    return True
