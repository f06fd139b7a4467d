"""Keys inside a PKCS#11 token, as one piece of work sees them (chip.md 7). `pkcs11_link` makes the ring.

A derived key is an object of the session: it is never stored, its value cannot be read, and it is destroyed when the work ends.
Only a new card's key may leave, and only enciphered under another key of the token.
"""

from __future__ import annotations

import ctypes
import struct
from contextlib import suppress
from enum import Enum
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.constants import DEFAULT

from controller.errors import DeviceRefused

MAX_OBJECTS = 64  # keys that one piece of work may derive; a card needs at most nine

_AES_BLOCK, _DES_BLOCK = bytes(16), bytes(8)
_DES2_BYTES = 16
_SYNTHETIC = b"SYNTHETIC"  # CKA_ID of a master that everybody knows
_SECRET = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
_MUST = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.DERIVE: True}
_SHOULD = {Attribute.NEVER_EXTRACTABLE: True, Attribute.ALWAYS_SENSITIVE: True, Attribute.LOCAL: True}


class Kind(Enum):
    """A kind of master key."""

    AES = "AES"
    DES3 = "3-key 3DES"


class Use(Enum):
    """What a derived key may do inside the token."""

    CIPHER = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    MAC = MechanismFlag.SIGN
    WRAP = MechanismFlag.WRAP
    TO_CARD = MechanismFlag.ENCRYPT  # a new key: leaves wrapped under another, and gives its check value


_NEEDED = {  # mechanisms by kind of master: what deriving and using its keys takes
    Kind.AES: (Mechanism.AES_ECB_ENCRYPT_DATA, Mechanism.AES_CMAC, Mechanism.AES_ECB, Mechanism.AES_CBC),
    Kind.DES3: (Mechanism.DES3_ECB_ENCRYPT_DATA, Mechanism.DES3_CBC),
}
_MASTER_TYPE = {Kind.AES: KeyType.AES, Kind.DES3: KeyType.DES3}


class KeyMissingError(DeviceRefused):
    """No such master is seen: it was never made, or the token hides it because nobody is logged in any more."""


class TokenKey:
    """A key inside the token, for the time of one piece of work."""

    def __init__(self, handle: Any, aes: bool) -> None:
        self.handle = handle
        self._ecb, self._cbc = (Mechanism.AES_ECB, Mechanism.AES_CBC) if aes else (Mechanism.DES3_ECB, Mechanism.DES3_CBC)
        self._zero = _AES_BLOCK if aes else _DES_BLOCK

    def cmac(self, data: bytes) -> bytes:
        """AES-CMAC, 16 bytes."""
        return bytes(_allowed(self.handle, "sign")(data, mechanism=Mechanism.AES_CMAC))

    def encipher(self, data: bytes, icv: bytes | None = None) -> bytes:
        """CBC of whole blocks; ICV 0 unless one is given."""
        return bytes(_allowed(self.handle, "encrypt")(data, mechanism=self._cbc, mechanism_param=icv or self._zero))

    def decipher(self, data: bytes) -> bytes:
        """The inverse of `encipher` with ICV 0."""
        return bytes(_allowed(self.handle, "decrypt")(data, mechanism=self._cbc, mechanism_param=self._zero))

    def blocks(self, data: bytes) -> bytes:
        """ECB of whole blocks, for check values."""
        return bytes(_allowed(self.handle, "encrypt")(data, mechanism=self._ecb))

    def wrap(self, key: TokenKey) -> bytes:
        """Another key, enciphered with CBC and ICV 0."""
        return bytes(_allowed(self.handle, "wrap_key")(key.handle, mechanism=self._cbc, mechanism_param=self._zero))


class KeyRing:
    """The token while it is logged in, on its own thread. Do not keep it, nor keys of it."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._made: list[Any] = []

    def random(self, count: int) -> bytes:
        """Bytes of the token's own generator."""
        return bytes(self._session.generate_random(8 * count))

    def lacking(self, kind: Kind) -> list[str]:
        """Names of mechanisms that masters of this kind need and the token has not."""
        known = {int(mechanism) for mechanism in self._session.token.slot.get_mechanisms()}
        return [f"CKM_{mechanism.name}" for mechanism in _NEEDED[kind] if int(mechanism) not in known]

    def master(self, label: str, kind: Kind) -> Any:
        """The master key with this label. DeviceRefused("sam_refused") when it is not there, or there is more than one."""
        found = self.find(label, kind)
        if not found:
            raise KeyMissingError(
                "sam_refused", f"the token has no {kind.value} keys named '{label}'; make them with 'print-station keys init'"
            )
        if len(found) > 1:
            raise _refused(f"the token has {len(found)} {kind.value} keys named '{label}'; one is needed")
        return found[0]

    def find(self, label: str, kind: Kind) -> list[Any]:
        """Every key with this label and of this kind."""
        template = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: _MASTER_TYPE[kind], Attribute.LABEL: label}
        return list(self._session.get_objects(template))

    def key_bytes(self, master: Any) -> int:
        """Length of an AES key."""
        return int(master[Attribute.VALUE_LEN])

    def faults(self, master: Any) -> list[str]:
        """What a master must be and is not: it could be read, or carried off."""
        return _differing(master, _MUST)

    def doubts(self, master: Any) -> list[str]:
        """What a master is not when it was put in from outside: somebody else may have it too."""
        known = ["SYNTHETIC: everybody knows this key"] if master[Attribute.ID] == _SYNTHETIC else []
        return known + _differing(master, _SHOULD)

    def derive_aes(self, master: Any, data: bytes, key_bytes: int, use: Use) -> TokenKey:
        """An AES key: the ECB encipherment of `data` (16 or 32 bytes), cut to `key_bytes`."""
        return self._keep(_allowed(master, "derive_key")(
            KeyType.AES, 8 * key_bytes, mechanism=Mechanism.AES_ECB_ENCRYPT_DATA, mechanism_param=data,
            capabilities=use.value, template=_template(use),
        ), aes=True)  # fmt: skip

    def derive_des(self, master: Any, data: bytes, use: Use) -> TokenKey:
        """A 3DES key: the ECB encipherment of `data` (16 bytes: 2-key, 24 bytes: 3-key)."""
        # python-pkcs11 passes the struct on as it is; the buffer it points to lives until the call is over.
        buffer = ctypes.create_string_buffer(data, len(data))
        return self._keep(_allowed(master, "derive_key")(
            KeyType.DES2 if len(data) == _DES2_BYTES else KeyType.DES3, 8 * len(data), mechanism=Mechanism.DES3_ECB_ENCRYPT_DATA,
            mechanism_param=struct.pack("@PL", ctypes.addressof(buffer), len(data)),
            capabilities=use.value, template=_template(use) | {Attribute.VALUE_LEN: DEFAULT},
        ), aes=False)  # fmt: skip

    def make_master(self, label: str, kind: Kind, key_bytes: int) -> None:
        """Generate a master key inside the token, to stay there for good. Needs a token that may be written."""
        size = {Attribute.VALUE_LEN: key_bytes} if kind is Kind.AES else {}
        self._session.generate_key(
            _MASTER_TYPE[kind], 8 * key_bytes if size else None, label=label, store=True,
            capabilities=MechanismFlag.DERIVE, template=_SECRET,
        )  # fmt: skip

    def take_synthetic(self, label: str, kind: Kind, value: bytes) -> None:
        """Put a key in that everybody knows, for simulated chips; it is marked as such."""
        self._session.create_object(_SECRET | {
            Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: _MASTER_TYPE[kind], Attribute.LABEL: label,
            Attribute.VALUE: value, Attribute.TOKEN: True, Attribute.DERIVE: True, Attribute.ID: _SYNTHETIC,
        })  # fmt: skip

    def empty(self) -> None:
        """Destroy every derived key."""
        made, self._made = self._made, []
        for handle in made:
            with suppress(pkcs11.PKCS11Error):  # a lost session has destroyed them already
                handle.destroy()

    def _keep(self, handle: Any, aes: bool) -> TokenKey:
        self._made.append(handle)
        assert len(self._made) <= MAX_OBJECTS
        return TokenKey(handle, aes)


def _allowed(key: Any, act: str) -> Any:
    """What python-pkcs11 lets a key do: it leaves out the methods that the key's attributes forbid."""
    method = getattr(key, act, None)
    if method is None:
        raise _refused(f"the token's attributes of a key forbid to {act.removesuffix('_key')} with it")
    return method


def _template(use: Use) -> dict[Attribute, Any]:
    return _SECRET | {Attribute.EXTRACTABLE: use is Use.TO_CARD}


def _differing(master: Any, wanted: dict[Attribute, bool]) -> list[str]:
    return [f"CKA_{name.name} is {not value}" for name, value in wanted.items() if bool(master[name]) is not value]


def _refused(detail: str) -> DeviceRefused:
    return DeviceRefused("sam_refused", detail)
