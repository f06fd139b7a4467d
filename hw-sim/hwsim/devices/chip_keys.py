"""Each chip's own keys, from a synthetic master (examples/keys/contoh-chip-masters.toml), the chip and its UID.

INVENTED: the real derivation is not public (chip.md 1.3). Both are chosen so that a PKCS#11 token can do them without giving the
master away (chip.md 7): every 8 or 16 bytes of a key are one enciphered block.

    ektp      D = SHA-256(card control content | UID8 | c)[:16], c = 01 ENC, 02 MAC;  key = 3DES-ECB(master, D), no parity
    gp-scp03  key = AES-ECB(master, p | version | i | UID8 | 00*5), p = 01 ENC, 02 MAC, 03 DEK; i = 01, then 02 if longer

UID8 is 80 and the 7 bytes of type A, or the 8 bytes of type B (chip.md 1.2).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hwsim.devices.chip_ciphers import AES_BLOCK, aes_blocks, des3_blocks
from hwsim.devices.chip_icao import BacKeys
from hwsim.devices.chip_scp03 import KeySet
from hwsim.errors import SimError
from hwsim.toml_table import Table, load

MASTERS = Path(__file__).resolve().parents[3] / "examples" / "keys" / "contoh-chip-masters.toml"
AES_BYTES = (16, 24, 32)
_DES3_BYTES = (24,)
_MAX_VERSION = 0xFF  # a factory's; PUT KEY can name those up to 7F


@dataclass(frozen=True, slots=True)
class Masters:
    """What all chips and SAM cards of one office have in common."""

    ektp: bytes
    scp03: bytes
    version: int  # of the keys that a fresh chip has under SCP03
    centre_key: bytes | None = None  # public, PEM: of the signatures over chip contents, for the SAM's automatic verification

    def foreign(self) -> Masters:
        """Those of somebody else."""
        return Masters(self.ektp[::-1], self.scp03[::-1], self.version, self.centre_key)


def load_masters(path: Path = MASTERS) -> Masters:
    """Read the file. Raises SimError."""
    root = load(path)
    if root.get("format", int) != 1:
        raise SimError(f"{root.place}format must be 1")
    ektp, scp03 = root.table("ektp"), root.table("gp-scp03")
    version = scp03.at_least("version", 1)
    if version > _MAX_VERSION:
        raise SimError(f"{scp03.place}version must be 1 to {_MAX_VERSION}, not {version}")
    return Masters(_master(ektp, _DES3_BYTES), _master(scp03, AES_BYTES), version, _centre_key(root, path.parent))


def bac_keys(master: bytes, card_control: bytes, uid: bytes) -> BacKeys:
    """The static keys of an `ektp` chip; `card_control` is the content of 6FF0 without its length."""
    enc, mac = (hashlib.sha256(card_control + uid8(uid) + bytes([kind])).digest()[:16] for kind in (1, 2))
    return BacKeys(des3_blocks(master, enc), des3_blocks(master, mac))


def scp03_keys(master: bytes, version: int, uid: bytes) -> KeySet:
    """The static keys of a `gp-scp03` chip with this version number, as long as the master."""
    return KeySet(*(_scp03_key(master, bytes([purpose, version]), uid8(uid)) for purpose in (1, 2, 3)))


def uid8(uid: bytes) -> bytes:
    """The UID in 8 bytes."""
    return uid.rjust(8, b"\x80")


def _scp03_key(master: bytes, head: bytes, uid: bytes) -> bytes:
    numbers = (1,) if len(master) <= AES_BLOCK else (1, 2)
    return aes_blocks(master, b"".join(head + bytes([number]) + uid + bytes(5) for number in numbers))[: len(master)]


def _centre_key(root: Table, folder: Path) -> bytes | None:
    name = root.get("centre_key", str, "")
    if not name:
        return None
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise SimError(f"{root.place}centre_key: {name} cannot be read: {error.strerror}") from error


def _master(row: Table, sizes: tuple[int, ...]) -> bytes:
    try:
        master = bytes.fromhex(row.get("master", str))
    except ValueError as error:
        raise SimError(f"{row.place}master must be hex digits") from error
    if len(master) not in sizes:
        raise SimError(f"{row.place}master must have {' or '.join(map(str, sizes))} bytes, not {len(master)}")
    return master
