"""PUT KEY: three AES keys at once, in both block formats that GlobalPlatform knows (chip.md 3.4). Pure.

length-prefixed (Amendment D)   88 11 10 <16> 03 <KCV>      the length of the clear key, then the enciphered one
bare (Table 11-71)              88 10 <16> 03 <KCV>         told from the other by its whole blocks

P1 is the version whose place they take, 00 for none; its bit 8 says that more PUT KEY commands follow, which this card takes not.
A factory's version above 7F cannot be named: new keys are added, and the factory's are gone with the first of them (E).
"""

from __future__ import annotations

import hmac

from hwsim.devices.chip_apdu import Apdu, StatusWord
from hwsim.devices.chip_ciphers import AES_BLOCK, aes_decrypt, check_value
from hwsim.devices.chip_keys import AES_BYTES
from hwsim.devices.chip_scp03 import KeySet

_AES = 0x88
_MANY_FROM_FIRST = 0x81  # several keys, the first has identifier 1
MAX_VERSION = 0x7F  # of the keys that PUT KEY can name


def parse_put_key(apdu: Apdu, dek: bytes) -> tuple[int, KeySet]:
    """The new version and keys. StatusWord 6A86, 6A80, and 6982 when a key's check value is not that of the key."""
    if apdu.p1 > MAX_VERSION or apdu.p2 != _MANY_FROM_FIRST:
        raise StatusWord(0x6A86)
    version, rest = (apdu.data[0] if apdu.data else 0), apdu.data[1:]
    if not 1 <= version <= MAX_VERSION:
        raise StatusWord(0x6A80)
    keys = []
    for _ in range(3):
        key, rest = _one(rest, dek)
        keys.append(key)
    if rest or len({len(key) for key in keys}) != 1:
        raise StatusWord(0x6A80)
    return version, KeySet(*keys)


def put_key_answer(version: int, keys: KeySet) -> bytes:
    """The version and the check values of the keys as the card has them now."""
    return bytes([version]) + b"".join(check_value(key) for key in (keys.enc, keys.mac, keys.dek))


def _one(data: bytes, dek: bytes) -> tuple[bytes, bytes]:
    """The first key of `data`, and what follows it."""
    if len(data) < 2 or data[0] != _AES:
        raise StatusWord(0x6A80)
    block, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    bare = len(block) % AES_BLOCK == 0
    size, hidden = (len(block), block) if bare else (block[0], block[1:])
    value = rest[1:4]
    if len(block) != data[1] or len(hidden) % AES_BLOCK or size not in AES_BYTES or len(hidden) < size:
        raise StatusWord(0x6A80)
    if rest[:1] != b"\x03" or len(value) != 3:
        raise StatusWord(0x6A80)
    key = aes_decrypt(dek, hidden)[:size]
    if not hmac.compare_digest(check_value(key), value):
        raise StatusWord(0x6982)
    return key, rest[4:]
