"""The elementary files of a chip: which one is selected, READ BINARY and UPDATE BINARY (chip.md 2.2, 2.3). Pure.

Choices where the facts are silent (E): UPDATE BINARY beyond the file is 6A84 and of a file that is not personalised 6982;
READ BINARY past the end with an explicit Le returns what there is and 6282.
"""

from __future__ import annotations

from hwsim.devices.chip_apdu import END_OF_FILE, OK, Apdu, StatusWord
from hwsim.devices.chip_eeprom import Eeprom
from hwsim.profiles import ChipFileSpec, ChipProfile
from hwsim.world import ChipMemory

_ACTIVATED = 0x05  # life cycle of an elementary file (chip.md 2.2)


class Files:
    """The files of one presentation; what is selected is forgotten with it."""

    def __init__(self, memory: ChipMemory, profile: ChipProfile, eeprom: Eeprom) -> None:
        self._memory, self._eeprom = memory, eeprom
        self._specs = {spec.fid: spec for spec in profile.files}
        self.selected: ChipFileSpec | None = None

    def select(self, fid: int) -> ChipFileSpec:
        """Make a file the current one. StatusWord 6A82 when there is none."""
        if fid not in self._specs:
            raise StatusWord(0x6A82)
        self.selected = self._specs[fid]
        return self.selected

    def parameters(self, spec: ChipFileSpec) -> bytes:
        """The FCP of a file: transparent, identifier, size, activated."""
        size = len(self._memory.files[spec.fid])
        fields = b"\x82\x01\x01\x83\x02" + spec.fid.to_bytes(2, "big") + b"\x80\x02" + size.to_bytes(2, "big")
        return b"\x62\x0e" + fields + bytes([0x8A, 1, _ACTIVATED])

    def current(self, apdu: Apdu) -> ChipFileSpec:
        """The file that a command means. StatusWord 6986 when none is selected."""
        if apdu.p1 & 0x80:
            raise StatusWord(0x6A82)  # short file identifiers are not used on this chip
        if self.selected is None:
            raise StatusWord(0x6986)
        return self.selected

    def read(self, apdu: Apdu, most: int) -> bytes:
        """Bytes of the selected file, at most so many when the command asks for all, with the status word."""
        content, offset = self._memory.files[self.current(apdu).fid], apdu.parameters
        if apdu.data or apdu.le is None:
            raise StatusWord(0x6700)
        if offset >= len(content):
            raise StatusWord(0x6B00)
        found = bytes(content[offset : offset + (min(apdu.le, most) if apdu.le_any else apdu.le)])
        return found + (OK if len(found) == apdu.le or apdu.le_any else END_OF_FILE)

    def update(self, apdu: Apdu) -> bytes:
        """Write bytes into the selected file. Raises ChipDied."""
        spec, offset = self.current(apdu), apdu.parameters
        size = len(self._memory.files[spec.fid])
        if not apdu.data:
            raise StatusWord(0x6700)
        if not spec.personalised:
            raise StatusWord(0x6982)
        if offset > size:
            raise StatusWord(0x6B00)
        if offset + len(apdu.data) > size:
            raise StatusWord(0x6A84)
        self._eeprom.write(spec.fid, offset, apdu.data)
        return OK
