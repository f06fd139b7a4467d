"""The SAM's automatic verification: it keeps what it unwraps and checks the centre's signature over it (chip.md 1.2). Pure.

The commands are public: 00 FA 00 start, 03 a block of the photo (which is read without the SAM), 05 open a response and keep what
it says to itself, 06 the signature file, 04 the result (01 right, 00 wrong), 02 stop. INVENTED, as the profile says: the
signature is ECDSA P-256 over SHA-256 of the files 6FF1 to 6FF5 in ascending order, each with its length prefix; 6FF6 holds it in
DER.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from hwsim.devices.chip_apdu import Apdu, StatusWord

_SELECT, _READ = 0xA4, 0xB0
_PHOTO, _SIGNATURE = 0x6FF2, 0x6FF6
_SIGNED = (0x6FF1, 0x6FF2, 0x6FF3, 0x6FF4, 0x6FF5)
_PREFIX_BYTES = 2
_MAX_BYTES = 0x8000  # of one file: READ BINARY has a 15-bit offset


class Verification:
    """One card's contents as they pass through."""

    def __init__(self) -> None:
        self._files: dict[int, bytearray] = {}
        self._fid: int | None = None
        self._offset: int | None = None  # of the READ BINARY whose response comes next

    def command(self, plain: Apdu) -> None:
        """A command was wrapped for the chip."""
        self._offset = None
        if plain.ins == _SELECT and len(plain.data) == 2:
            self._fid = int.from_bytes(plain.data, "big")
        elif plain.ins == _READ:
            self._offset = plain.parameters

    def response(self, data: bytes) -> None:
        """Its response was opened."""
        offset, self._offset = self._offset, None
        if self._fid is not None and offset is not None:
            self._put(self._fid, offset, data)

    def photo(self, block: bytes) -> None:
        """The next bytes of the photo file, its length first."""
        self._put(_PHOTO, len(self._files.get(_PHOTO, b"")), block)

    def signature(self, data: bytes) -> None:
        """The signature file as it was read, its length first."""
        self._files[_SIGNATURE] = bytearray(data)

    def right(self, centre_key: bytes | None) -> bool:
        """Whether the signature is the centre's over these contents."""
        signature, signed = self._whole(_SIGNATURE), [self._whole(fid) for fid in _SIGNED]
        key = None if centre_key is None else load_pem_public_key(centre_key)
        if not isinstance(key, EllipticCurvePublicKey) or signature is None or None in signed:
            return False
        try:
            key.verify(signature[_PREFIX_BYTES:], b"".join(part for part in signed if part is not None), ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def _whole(self, fid: int) -> bytes | None:
        """A file with its length, as long as it says; None when a part of it is missing."""
        cells = self._files.get(fid, bytearray())
        end = _PREFIX_BYTES + int.from_bytes(cells[:_PREFIX_BYTES], "big")
        return bytes(cells[:end]) if len(cells) >= max(_PREFIX_BYTES, end) else None

    def _put(self, fid: int, offset: int, data: bytes) -> None:
        cells = self._files.setdefault(fid, bytearray())
        if offset > len(cells) or offset + len(data) > _MAX_BYTES:
            raise StatusWord(0x6A80)
        cells[offset : offset + len(data)] = data
