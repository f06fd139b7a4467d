"""The e-KTP chip (chip.md 1.2, 2.2; firmware_profiles/chips/ektp.toml), in plain ISO 7816 or behind ICAO secure messaging. Pure.

The read side is public, the write side, the keys and the life cycle are this project's INVENTION, as the profile says:

    read    free files at any time, the others only under secure messaging
    write   UPDATE BINARY under secure messaging while the life cycle is 03 (initialisation), else 6985
    lock    ACTIVATE FILE (00 44 00 00) under secure messaging: life cycle 05; SELECT of the DF with P2=04 tells it

Choices where the facts are silent (E): SELECT answers without FCI but for P2=04; a plain command ends secure messaging, a
reader's FF CA does not; a protected command without a session is 6988.
"""

from __future__ import annotations

from collections.abc import Callable

from hwsim.devices.chip import Chip
from hwsim.devices.chip_apdu import OK, SHORT_LE, Apdu, StatusWord
from hwsim.devices.chip_icao import KEY_BYTES, NONCE_BYTES, SM_CLA, TOKEN_BYTES, IcaoSession, open_token, seal_token
from hwsim.devices.chip_keys import bac_keys
from hwsim.world import CARD_CONTROL, LIFE_ACTIVATED

MASTER_FILE = b"\x3f\x00"
_EXTENDED_LE = 65536
_MOST_PROTECTED = 231  # the longest data of a short response under 3DES (chip.md 2.4)


class EktpChip(Chip):
    """See Chip. Which protection it asks for is the profile's `channel`: none or icao."""

    def start(self) -> None:
        """See Chip."""
        self._in_df = False
        self._session: IcaoSession | None = None
        self._challenge: bytes | None = None
        self._commands: dict[int, Callable[[Apdu, bool], bytes]] = {
            0xA4: self._select,
            0xB0: self._read,
            0xD6: self._update,
            0x84: self._give_challenge,
        }
        if self.profile.channel == "icao":
            self._commands |= {0x82: self._authenticate, 0x44: self._activate}

    def answer(self, apdu: Apdu) -> bytes:
        """See Chip."""
        if self.profile.channel == "icao" and apdu.cla & SM_CLA == SM_CLA:
            return self._protected(apdu)
        self._session = None
        if apdu.cla != 0x00:
            raise StatusWord(0x6E00)
        return self._run(apdu, secure=False)

    def _protected(self, apdu: Apdu) -> bytes:
        session, self._session = self._session, None
        if session is None:
            raise StatusWord(0x6988)
        plain = session.unwrap(apdu)  # an error ends the session: it is not taken back
        try:
            response = self._run(plain, secure=True)
        except StatusWord as refused:
            response = refused.raw
        self._session = session
        return session.wrap(response[:-2], response[-2:], _EXTENDED_LE if apdu.extended else SHORT_LE)

    def _run(self, apdu: Apdu, secure: bool) -> bytes:
        command = self._commands.get(apdu.ins)
        if command is None:
            raise StatusWord(0x6D00)
        return command(apdu, secure)

    def _select(self, apdu: Apdu, _secure: bool) -> bytes:
        if apdu.p1 not in (0x00, 0x01, 0x02) or apdu.p2 not in (0x00, 0x04, 0x0C):
            raise StatusWord(0x6A86)
        if len(apdu.data) != 2:
            raise StatusWord(0x6700)
        told = apdu.p2 == 0x04 and apdu.le is not None
        if apdu.data in (MASTER_FILE, self.profile.application):
            self._in_df, self.files.selected = apdu.data == self.profile.application, None
            return (self._parameters() if told else b"") + OK
        if not self._in_df:
            raise StatusWord(0x6A82)
        spec = self.files.select(int.from_bytes(apdu.data, "big"))
        return (self.files.parameters(spec) if told else b"") + OK

    def _parameters(self) -> bytes:
        """The FCP of the application: a DF, its identifier, its life cycle."""
        name = self.profile.application if self._in_df else MASTER_FILE
        return b"\x62\x0a\x82\x01\x38\x83\x02" + name + bytes([0x8A, 1, self.memory.life])

    def _read(self, apdu: Apdu, secure: bool) -> bytes:
        spec = self.files.current(apdu)
        if self.profile.channel == "icao" and not (secure or spec.free):
            raise StatusWord(0x6982)
        return self.files.read(apdu, _MOST_PROTECTED if secure and not apdu.extended else _EXTENDED_LE)

    def _update(self, apdu: Apdu, secure: bool) -> bytes:
        self.files.current(apdu)
        if self.profile.channel == "icao" and not secure:
            raise StatusWord(0x6982)
        if self.memory.life == LIFE_ACTIVATED:
            raise StatusWord(0x6985)
        return self.files.update(apdu)

    def _activate(self, apdu: Apdu, secure: bool) -> bytes:
        if not secure:
            raise StatusWord(0x6982)
        if apdu.parameters or apdu.data:
            raise StatusWord(0x6A86)
        if not self._in_df:
            raise StatusWord(0x6985)

        def lock() -> None:
            self.memory.life = LIFE_ACTIVATED

        self.eeprom.change(1, lock)
        return OK

    def _give_challenge(self, apdu: Apdu, _secure: bool) -> bytes:
        if apdu.data or apdu.le not in (NONCE_BYTES, SHORT_LE):
            raise StatusWord(0x6700)
        self._challenge = self.random.randbytes(NONCE_BYTES)
        return self._challenge + OK

    def _authenticate(self, apdu: Apdu, _secure: bool) -> bytes:
        """EXTERNAL AUTHENTICATE: the host proves that it holds this chip's keys, and the chip answers with the same proof."""
        challenge, self._challenge = self._challenge, None
        if apdu.parameters:
            raise StatusWord(0x6A86)
        if len(apdu.data) != TOKEN_BYTES:
            raise StatusWord(0x6700)
        if challenge is None or CARD_CONTROL not in self.memory.files:
            raise StatusWord(0x6985)
        keys = bac_keys(self.masters.ektp, self.memory.content(CARD_CONTROL), self.blank.uid)
        opened = open_token(keys, apdu.data)
        if opened is None or opened[8:16] != challenge:
            raise StatusWord(0x6300)
        rnd_ifd, k_ifd, k_ic = opened[:8], opened[16:], self.random.randbytes(KEY_BYTES)
        self._session = IcaoSession.agree(rnd_ifd, challenge, k_ifd, k_ic)
        return seal_token(keys, challenge + rnd_ifd + k_ic) + OK
