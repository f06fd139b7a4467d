"""What every chip does, whichever application it has: it is powered and counts APDUs; `Heard` is what its reader knows. Pure.

The chip kinds are devices/chip_ektp.py and devices/chip_gp.py; `ChipTroubles` is what happens to them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import reduce
from operator import xor

from hwsim.devices.chip_apdu import OK, Apdu, StatusWord, parse_apdu
from hwsim.devices.chip_eeprom import ChipTroubles, Eeprom
from hwsim.devices.chip_files import Files
from hwsim.devices.chip_keys import Masters
from hwsim.profiles import ChipProfile
from hwsim.world import UID_TYPES, Blank

TYPE_B_BYTES = 8
_TYPE_B_HISTORY = bytes.fromhex("00000000338181") + b"\x00"  # application data, protocol info, MBLI (PC/SC part 3)


def contactless_atr(history: bytes) -> bytes:
    """The ATR that a PC/SC reader makes up for a contactless card (chip.md 2.3)."""
    body = bytes([0x80 | len(history), 0x80, 0x01]) + history
    return b"\x3b" + body + bytes([reduce(xor, body)])


ATR = contactless_atr(b"")
ATR_TYPE_B = contactless_atr(_TYPE_B_HISTORY)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reader heard when it activated a chip. Commands of class FF are answered from that: the chip hears nothing of them,
    here as there, though vpcd hands them to the card. Another chip that takes this one's place is not noticed before a reset."""

    uid: bytes  # of type B a reader knows the PUPI only: here the end of the UID (E)
    history: bytes

    def answer(self, raw: bytes) -> bytes | None:
        """The reader's own answer; None: the command is for the chip."""
        if raw[:1] != b"\xff":
            return None
        try:
            apdu = parse_apdu(raw)
        except StatusWord as refused:
            return refused.raw
        if apdu.ins != 0xCA:
            return StatusWord(0x6E00).raw
        told = {(0, 0): self.uid, (1, 0): self.history}.get((apdu.p1, apdu.p2))
        return StatusWord(0x6A86).raw if told is None else told + OK


class Chip:
    """One presentation of a chip to the field: what is selected is forgotten with it, what is written stays."""

    def __init__(self, blank: Blank, profile: ChipProfile, troubles: ChipTroubles, seed: int, masters: Masters) -> None:
        self.blank, self.memory, self.profile, self._troubles = blank, blank.chip, profile, troubles
        self.random = random.Random(seed)  # noqa: S311  challenges of a simulated chip guard nothing
        self.eeprom = Eeprom(self.memory, troubles, self.random)
        self.files = Files(self.memory, profile, self.eeprom)
        self.masters = masters.foreign() if self.memory.foreign else masters
        self._hung = False
        self._power_up()

    @property
    def type_b(self) -> bool:
        """Whether it speaks ISO 14443 type B: its UID is told by the chip itself."""
        return len(self.blank.uid) == TYPE_B_BYTES

    @property
    def atr(self) -> bytes:
        """What the reader makes up for it."""
        return ATR_TYPE_B if self.type_b else ATR

    def reset(self) -> None:
        """The field was switched off and on."""
        self._hung = False
        self.files.selected = None
        self._power_up()

    def transmit(self, raw: bytes) -> bytes | None:
        """The response with its status word; None when it hangs. Raises ChipDied. No trouble meets what its reader answers."""
        heard = self.heard.answer(raw)
        if heard is not None:
            return heard
        self._hung = self._hung or self._troubles.due("hang_in_apdus")
        if self._hung:
            return None
        wrong = self._troubles.due("wrong_in_apdus")
        if wrong and not self._troubles.wrong_acts:
            return self._troubles.wrong_word.to_bytes(2, "big")
        response = self._response(raw)
        if wrong:
            return self._troubles.wrong_word.to_bytes(2, "big")
        if self._troubles.due("short_in_apdus"):
            return response[: max(0, len(response) - 2 - self._troubles.short_bytes)] + response[-2:]
        return response

    def start(self) -> None:
        """Power has come: no session, nothing asked yet."""
        raise NotImplementedError

    def answer(self, apdu: Apdu) -> bytes:
        """What the chip does with a command that reaches it. May raise StatusWord and ChipDied."""
        raise NotImplementedError

    def _response(self, raw: bytes) -> bytes:
        try:
            apdu = parse_apdu(raw)
            return self._uid_of_type_b(apdu) or self.answer(apdu)
        except StatusWord as refused:
            return refused.raw

    def _power_up(self) -> None:
        """It answers the field; a random UID is another each time (ISO 14443-3)."""
        head, size = UID_TYPES["single"]
        if len(self.blank.uid) == len(head) + size:
            self.blank.uid = head + self.random.randbytes(size)
        uid, history = (self.blank.uid[-4:], _TYPE_B_HISTORY) if self.type_b else (self.blank.uid, b"")
        self.heard = Heard(uid, history)
        self.start()

    def _uid_of_type_b(self, apdu: Apdu) -> bytes:
        """`00 DD 00 00 08` or `00 DF 00 00 00` (chip.md 1.2); empty when it is none of them or the chip is no type B."""
        asked = self.type_b and apdu.cla == 0 and apdu.ins in (0xDD, 0xDF) and apdu.parameters == 0
        return self.blank.uid + OK if asked else b""
