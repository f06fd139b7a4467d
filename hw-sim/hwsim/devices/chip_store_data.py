"""STORE DATA with data groups: numbered blocks, in which each file is the group (DGI) of its identifier (chip.md 3.4). Pure.

A group may begin and end anywhere in a block. Content goes to memory as it comes, behind the length prefix, which is cleared
before the first byte of it and written when the group is whole: content first, length last.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.devices.chip_apdu import Apdu, StatusWord
from hwsim.devices.chip_eeprom import Eeprom
from hwsim.profiles import ChipProfile

_LAST = 0x80
_IN_GROUPS = 0x08
_CASE_4 = 0x01
_LONG = 0xFF  # in a group's length: two bytes follow
_MAX_BLOCKS = 0x100  # the number is one byte


@dataclass(slots=True)
class _Group:
    fid: int
    length: int
    stored: int = 0


class StoreData:
    """The run under way."""

    def __init__(self, profile: ChipProfile, eeprom: Eeprom) -> None:
        self._specs = {spec.fid: spec for spec in profile.files if spec.personalised}
        self._prefix_bytes, self._eeprom = profile.prefix_bytes, eeprom
        self.begin()

    def begin(self) -> None:
        """The next block is the first one; what of a group was stored is in memory, but its length is not."""
        self._number = 0
        self._head = b""  # of a group whose length has not come yet
        self._group: _Group | None = None

    def block(self, apdu: Apdu) -> None:
        """One block. Raises StatusWord (call `begin` then) and ChipDied."""
        if apdu.p1 & ~_CASE_4 not in (_IN_GROUPS, _LAST | _IN_GROUPS):
            raise StatusWord(0x6A86)  # without groups, in BER-TLV, or enciphered with the DEK: not on this chip
        if apdu.p2 != self._number or self._number >= _MAX_BLOCKS:
            raise StatusWord(0x6A86)
        if not apdu.data:
            raise StatusWord(0x6700)
        self._number += 1
        data = self._head + apdu.data
        while data:
            data = self._take(data)
        if apdu.p1 & _LAST:
            if self._group is not None or self._head:
                raise StatusWord(0x6A80)
            self.begin()

    def _take(self, data: bytes) -> bytes:
        """Store the first part of `data` that belongs together; returns the rest."""
        if self._group is None:
            return self._open(data)
        group = self._group
        part = data[: group.length - group.stored]
        self._eeprom.write(group.fid, self._prefix_bytes + group.stored, part)
        group.stored += len(part)
        self._close_if_whole(group)
        return data[len(part) :]

    def _open(self, data: bytes) -> bytes:
        size = 5 if data[2:3] == bytes([_LONG]) else 3
        if len(data) < size:
            self._head = data
            return b""
        self._head = b""
        fid, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[3:5], "big") if size == 5 else data[2]
        spec = self._specs.get(fid)
        if spec is None:
            raise StatusWord(0x6A88)
        if length > spec.max_bytes:
            raise StatusWord(0x6A84)
        self._group = _Group(fid, length)
        self._eeprom.write(fid, 0, bytes(self._prefix_bytes))
        self._close_if_whole(self._group)
        return data[size:]

    def _close_if_whole(self, group: _Group) -> None:
        if group.stored == group.length:
            self._eeprom.write(group.fid, 0, group.length.to_bytes(self._prefix_bytes, "big"))
            self._group = None
