"""The SAM's end of the mutual authentication with one chip and of the secure messaging behind it (chip.md 1.2, 4). Pure."""

from __future__ import annotations

from hwsim.devices.chip_apdu import Apdu, StatusWord
from hwsim.devices.chip_ciphers import DES_BLOCK, pad
from hwsim.devices.chip_icao import (
    DATA,
    DATA_ODD,
    KEY_BYTES,
    LE,
    NONCE_BYTES,
    SM_CLA,
    STATUS,
    BacKeys,
    Messaging,
    encode_object,
    open_token,
    parse_objects,
    seal_token,
)

_WRONG = 0x6988
_SHORT_BYTES = 255  # the longest body of a short command


class HostMessaging(Messaging):
    """Protects commands and opens responses."""

    def protect(self, apdu: Apdu) -> bytes:
        """The command to send to the chip instead."""
        self.odd = bool(apdu.ins & 1)
        header = bytes([apdu.cla | SM_CLA, apdu.ins, apdu.p1, apdu.p2])
        body = self.hide(apdu.data) + (b"" if apdu.le is None else encode_object(LE, self._le(apdu)))
        body += self.sign(pad(header, DES_BLOCK) + body)
        if apdu.extended or len(body) > _SHORT_BYTES:
            return header + b"\0" + len(body).to_bytes(2, "big") + body + b"\0\0"
        return header + bytes([len(body)]) + body + b"\0"

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """Plain data and status word of a response. Raises StatusWord 6987 or 6988."""
        objects = parse_objects(data)
        body = b"".join(encode_object(tag, objects[tag]) for tag in objects if tag in (DATA, DATA_ODD, STATUS))
        self.check(body, objects)
        status = objects.get(STATUS, b"")
        if len(status) != 2:
            raise StatusWord(_WRONG)
        return self.show(objects), status

    @staticmethod
    def _le(apdu: Apdu) -> bytes:
        size = 2 if apdu.extended else 1
        return (0 if apdu.le_any else apdu.le or 0).to_bytes(size, "big")


class SamSession:
    """One chip's: begun with `token`, open once `verify` was true."""

    def __init__(self, keys: BacKeys, challenge: bytes, nonces: bytes) -> None:
        """`nonces`: fresh random bytes, NONCE_BYTES and KEY_BYTES."""
        self._keys, self._rnd_ic = keys, challenge
        self._rnd_ifd, self._k_ifd = nonces[:NONCE_BYTES], nonces[NONCE_BYTES:]
        self.messaging: HostMessaging | None = None

    @property
    def token(self) -> bytes:
        """For EXTERNAL AUTHENTICATE."""
        return seal_token(self._keys, self._rnd_ifd + self._rnd_ic + self._k_ifd)

    def verify(self, token: bytes) -> bool:
        """Whether the chip's answer proves that it has the keys; opens the session."""
        opened = open_token(self._keys, token)
        if opened is None or opened[: 2 * NONCE_BYTES] != self._rnd_ic + self._rnd_ifd:
            return False
        k_ic = opened[2 * NONCE_BYTES :]
        assert len(k_ic) == KEY_BYTES
        self.messaging = HostMessaging.agree(self._rnd_ifd, self._rnd_ic, self._k_ifd, k_ic)
        return True
