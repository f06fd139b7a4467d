"""The centre's signature over what a chip holds: ECDSA P-256 (DER) over SHA-256 (chip.md 1.1, 1.2).

What exactly is signed is not public (chip.md 1.3). Here it is this project's choice: every other personalised file in ascending
order of its id, each with its 2-byte length before it, as it stands on the chip.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from controller.chips.profile_tables import LENGTH_PREFIX_BYTES
from controller.model import ChipFile

PublicKey = ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class ContentSignature:
    """Which file holds the signature, and whose are believed."""

    fid: int
    keys: tuple[PublicKey, ...]  # the centre's, newest first; one of them must have signed

    def wrong(self, files: Sequence[ChipFile]) -> str:
        """Why these files are not signed as they must be; empty: they are. Never holds data."""
        signature = next((file.content for file in files if file.fid == self.fid), None)
        if signature is None:
            return f"the signature file {self.fid:04X} is missing"
        if not signature:
            return f"the signature in {self.fid:04X} is empty"
        signed = to_be_signed(files, self.fid)
        if any(_verifies(key, signature, signed) for key in self.keys):
            return ""
        return f"the signature in {self.fid:04X} does not fit the other files"


def to_be_signed(files: Sequence[ChipFile], signature_fid: int) -> bytes:
    """What the centre signs."""
    others = sorted((file for file in files if file.fid != signature_fid), key=lambda file: file.fid)
    return b"".join(len(file.content).to_bytes(LENGTH_PREFIX_BYTES, "big") + file.content for file in others)


def load_public_key(text: str) -> PublicKey:
    """A P-256 key from base64 of its point, compressed or not. Raises ValueError."""
    try:
        point = b64decode(text, validate=True)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (Base64Error, ValueError) as error:
        raise ValueError("not base64 of a point on P-256") from error


def _verifies(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
