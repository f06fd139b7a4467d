"""A GlobalPlatform chip whose files a security domain of its own holds (chip.md 3.1, 3.4; chips/gp-scp03.toml). Pure.

Sessions: INITIALIZE UPDATE makes one, EXTERNAL AUTHENTICATE right behind it opens it, 6300 when it is wrong. Whatever is wrong
with a protected command, a plain one within a session too, is 6982 and ends it; so do SELECT by AID, INITIALIZE UPDATE and power.

Choices where the facts are silent (E): the issuer's and the file domain have the same keys; the sequence counter counts each
INITIALIZE UPDATE and begins anew with PUT KEY; a finished DGI is readable as the elementary file of its identifier.
"""

from __future__ import annotations

from collections.abc import Callable

from hwsim.devices.chip import Chip
from hwsim.devices.chip_apdu import OK, SHORT_LE, Apdu, StatusWord
from hwsim.devices.chip_gp_data import INTRODUCTIONS, ISD_AID, application_row, tlv
from hwsim.devices.chip_keys import scp03_keys, uid8
from hwsim.devices.chip_put_key import MAX_VERSION, parse_put_key, put_key_answer
from hwsim.devices.chip_scp03 import C_MAC, LEVELS, KeySet, Scp03Session, card_challenge
from hwsim.devices.chip_store_data import StoreData

_EXTENDED_LE = 65536
_MAX_SEQUENCE = 0xFFFFFF
_PERSONALIZED, _LOCKED = 0x0F, 0x80
_CARD_LOCKED, _TERMINATED = 0x7F, 0xFF
# From which state of the card to which: OP_READY, INITIALIZED, SECURED, CARD_LOCKED and back; TERMINATED from everywhere.
_CARD_STEPS = {0x01: {0x07}, 0x07: {0x0F}, 0x0F: {0x7F}, 0x7F: {0x0F}}
_DOMAIN_STEPS = {0x07: {0x0F, 0x87}, 0x0F: {0x8F}, 0x87: {0x07}, 0x8F: {0x0F}}
_INITIALIZE, _AUTHENTICATE, _SELECT = 0x50, 0x82, 0xA4
_WITHOUT_SESSION = frozenset({_SELECT, _INITIALIZE, 0xCA, 0xB0})


class GpChip(Chip):
    """See Chip."""

    def start(self) -> None:
        """See Chip."""
        if not self.memory.key_sets:
            version = self.masters.version
            keys = scp03_keys(self.masters.scp03, version, self.blank.uid)
            self.memory.key_sets[version] = (keys.enc, keys.mac, keys.dek)
        self._aid = ISD_AID
        self._version = 0  # of the keys of the last INITIALIZE UPDATE
        self._pending: Scp03Session | None = None
        self._session: Scp03Session | None = None
        self._storing = StoreData(self.profile, self.eeprom)
        self._commands: dict[int, Callable[[Apdu], bytes]] = {
            _SELECT: self._select,
            0xB0: self._read,
            0xD6: self._update,
            0xCA: self._get_data,
            0xF2: self._get_status,
            0xF0: self._set_status,
            0xD8: self._put_key,
            0xE2: self._store_data,
            0xE6: self._install,
        }

    def answer(self, apdu: Apdu) -> bytes:
        """See Chip."""
        pending, self._pending = self._pending, None
        if apdu.cla not in (0x00, 0x04, 0x80, 0x84):
            raise StatusWord(0x6E00)
        if (apdu.cla, apdu.ins) == (0x80, _INITIALIZE):
            return self._initialize(apdu)
        if (apdu.cla, apdu.ins) == (0x84, _AUTHENTICATE):
            return self._authenticate(apdu, pending)
        if (apdu.cla, apdu.ins, apdu.p1) == (0x00, _SELECT, 0x04):
            return self._select_application(apdu)
        return self._within(apdu)

    def _within(self, apdu: Apdu) -> bytes:
        """A command of the session, or without one."""
        session, self._session = self._session, None
        if session is None:
            if apdu.cla & 0x04 or (apdu.ins in self._commands and apdu.ins not in _WITHOUT_SESSION):
                raise StatusWord(0x6982)
            return self._run(apdu)
        plain = session.unwrap(apdu)  # an error ends the session: it is not taken back
        self._session = session
        try:
            response = self._run(plain)
            if not apdu.extended and session.room(len(response) - 2) > SHORT_LE:
                raise StatusWord(0x6700)
        except StatusWord as refused:
            response = refused.raw
        return session.wrap(response[:-2], response[-2:])

    def _run(self, apdu: Apdu) -> bytes:
        if self.memory.card_life == _TERMINATED and apdu.ins != 0xCA:
            raise StatusWord(0x6D00)
        command = self._commands.get(apdu.ins)
        if command is None:
            raise StatusWord(0x6D00)
        return command(apdu)

    @property
    def _secure(self) -> bool:
        return self._session is not None and bool(self._session.level & C_MAC)

    # Sessions

    def _select_application(self, apdu: Apdu) -> bytes:
        """SELECT by AID, or by its first bytes; without any the issuer's domain."""
        for aid in (ISD_AID, self.profile.application):
            if aid.startswith(apdu.data) and (apdu.p2 in (0x00, 0x0C)):
                self._session, self._aid, self.files.selected = None, aid, None
                self._storing.begin()
                told = apdu.le is not None and apdu.p2 == 0x00
                return (tlv(0x6F, tlv(0x84, aid) + tlv(0xA5, tlv(0x9F65, b"\xff"))) if told else b"") + OK
        raise StatusWord(0x6A82)

    def _initialize(self, apdu: Apdu) -> bytes:
        self._session = None
        if apdu.p2:
            raise StatusWord(0x6A86)
        if len(apdu.data) != self.profile.size:
            raise StatusWord(0x6700)
        if apdu.p1 not in (0, *self.memory.key_sets):
            raise StatusWord(0x6A88)
        if self.memory.card_life == _TERMINATED or self.memory.sequence >= _MAX_SEQUENCE:
            raise StatusWord(0x6985)
        self._version = apdu.p1 or list(self.memory.key_sets)[-1]
        self.eeprom.change(3, self._count)
        keys = KeySet(*self.memory.key_sets[self._version])
        challenge = card_challenge(keys, self.memory.sequence, self._aid, self.profile.size)
        self._pending = Scp03Session(keys, apdu.data, challenge)
        head = self._diversification() + bytes([self._version, 0x03, 0x71 if self.profile.size == 16 else 0x70])
        return head + challenge + self._pending.card_cryptogram + self.memory.sequence.to_bytes(3, "big") + OK

    def _authenticate(self, apdu: Apdu, pending: Scp03Session | None) -> bytes:
        self._session = None
        if pending is None:
            raise StatusWord(0x6985)
        if apdu.p1 not in LEVELS or apdu.p2:
            raise StatusWord(0x6A86)
        if len(apdu.data) != 2 * self.profile.size:
            raise StatusWord(0x6700)
        try:
            right = pending.authenticate(apdu)
        except StatusWord:
            right = False
        if not right:
            raise StatusWord(0x6300)
        self._session = pending
        self._storing.begin()
        return OK

    def _count(self) -> None:
        self.memory.sequence += 1

    def _diversification(self) -> bytes:
        return bytes(2) + uid8(self.blank.uid)

    # Files

    def _select(self, apdu: Apdu) -> bytes:
        if apdu.p1 not in (0x00, 0x02) or apdu.p2 not in (0x00, 0x04, 0x0C):
            raise StatusWord(0x6A86)
        if len(apdu.data) != 2:
            raise StatusWord(0x6700)
        if self._aid != self.profile.application:
            raise StatusWord(0x6A82)
        spec = self.files.select(int.from_bytes(apdu.data, "big"))
        return (self.files.parameters(spec) if apdu.p2 == 0x04 and apdu.le is not None else b"") + OK

    def _read(self, apdu: Apdu) -> bytes:
        if not (self.files.current(apdu).free or self._secure):
            raise StatusWord(0x6982)
        return self.files.read(apdu, self._most(apdu))

    def _update(self, apdu: Apdu) -> bytes:
        self._check_open()
        return self.files.update(apdu)

    def _most(self, apdu: Apdu) -> int:
        """How much is given to who asks for all there is: the longest data of a response that is not extended."""
        if apdu.extended or not apdu.le_any:
            return _EXTENDED_LE
        session = self._session
        return next(size for size in range(SHORT_LE, 0, -1) if session is None or session.room(size) <= SHORT_LE)

    def _store_data(self, apdu: Apdu) -> bytes:
        try:
            self._check_open()
            self._storing.block(apdu)
        except StatusWord:
            self._storing.begin()
            raise
        return OK

    def _check_open(self) -> None:
        """Raise StatusWord when nothing may be written."""
        if not self._secure:
            raise StatusWord(0x6982)
        personalised = self.memory.life & ~_LOCKED == _PERSONALIZED
        if self._aid != self.profile.application or personalised or self._locked:
            raise StatusWord(0x6985)

    @property
    def _locked(self) -> bool:
        return bool(self.memory.life & _LOCKED) or self.memory.card_life == _CARD_LOCKED

    def _install(self, apdu: Apdu) -> bytes:
        """INSTALL [for personalization] of the file domain: what STORE DATA brings from now on is its."""
        self._check_secure()
        aid = self.profile.application
        if apdu.parameters != 0x2000 or apdu.data != bytes([0, 0, len(aid)]) + aid + bytes(3):
            raise StatusWord(0x6A80 if apdu.parameters == 0x2000 else 0x6A86)
        self._aid = aid
        self._storing.begin()
        return b"\x00" + OK

    # Keys, data and life cycle

    def _put_key(self, apdu: Apdu) -> bytes:
        self._check_secure()
        assert self._session is not None
        if self._locked:
            raise StatusWord(0x6985)
        known = self.memory.key_sets
        version, keys = parse_put_key(apdu, self._session.dek)
        if apdu.p1 and apdu.p1 not in known:
            raise StatusWord(0x6A88)
        if version in known and version != apdu.p1:
            raise StatusWord(0x6A80)
        replaced = [old for old in known if old == apdu.p1 or (apdu.p1 == 0 and old > MAX_VERSION)]

        def put() -> None:
            for old in replaced:
                del known[old]
            known[version] = (keys.enc, keys.mac, keys.dek)
            self.memory.sequence = 0

        self.eeprom.change(3 * len(keys.enc), put)
        return put_key_answer(version, keys) + OK

    def _get_data(self, apdu: Apdu) -> bytes:
        tag = apdu.parameters
        rows = {
            **INTRODUCTIONS,
            0x0066: INTRODUCTIONS[0x0066] + bytes([0x71 if self.profile.size == 16 else 0x70]),
            0x00CF: self._diversification(),
            0x00C1: self.memory.sequence.to_bytes(3, "big"),
            0x00E0: b"".join(
                tlv(0xC0, bytes([number, version, 0x88, len(key)]))
                for version, keys in self.memory.key_sets.items()
                for number, key in enumerate(keys, 1)
            ),
        }
        if tag == 0x0066:
            return tlv(0x66, tlv(0x73, rows[tag])) + OK
        if tag not in rows:
            raise StatusWord(0x6A88)
        return tlv(tag, rows[tag]) + OK

    def _get_status(self, apdu: Apdu) -> bytes:
        self._check_secure()
        if apdu.p2 != 0x02:
            raise StatusWord(0x6A86)
        if apdu.data[:2] != bytes([0x4F, max(0, len(apdu.data) - 2)]):
            raise StatusWord(0x6A80)
        row = {0x80: (ISD_AID, self.memory.card_life), 0x40: (self.profile.application, self.memory.life)}.get(apdu.p1)
        if row is None or not row[0].startswith(apdu.data[2:]):
            raise StatusWord(0x6A88)
        return application_row(*row) + OK

    def _set_status(self, apdu: Apdu) -> bytes:
        self._check_secure()
        of_card = apdu.p1 == 0x80
        if apdu.p1 not in (0x80, 0x40, 0x60):
            raise StatusWord(0x6A86)
        if apdu.data != self.profile.application and not (of_card and apdu.data in (b"", ISD_AID)):
            raise StatusWord(0x6A88)
        now = self.memory.card_life if of_card else self.memory.life
        steps = _CARD_STEPS if of_card else _DOMAIN_STEPS
        if apdu.p2 not in steps.get(now, set()) | {now} | ({_TERMINATED} if of_card else set()):
            raise StatusWord(0x6985)
        self.eeprom.change(1, lambda: setattr(self.memory, "card_life" if of_card else "life", apdu.p2))
        return OK

    def _check_secure(self) -> None:
        if not self._secure:
            raise StatusWord(0x6982)
