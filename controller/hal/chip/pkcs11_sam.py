"""The key holder in a PKCS#11 token (port `Sam`): masters and card keys stay inside, session keys come out (chip.md 7).

How a card's keys come from the masters is INVENTED: the real derivation is not public (chip.md 1.3). UID8 is `sam.uid8`.

    scp03  key = AES-ECB(master, p | version | i | UID8 | 00*5) for i = 1, and 2 when the master has more than 16 bytes; cut to
           the master's length; p = 1 ENC, 2 MAC, 3 DEK
    icao   key = 3DES-ECB(master, D), D = SHA-256(card control | UID8 | c)[:16], c = 1 ENC, 2 MAC

The retail MAC of `icao` needs single DES with the first half of its key, K1, which tokens of today refuse. Since each half of a
card's key is one enciphered block, K1|K1|K1 is derived from the first half of D three times: 3DES that acts as single DES.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from controller.chips.channel import Channel
from controller.chips.icao import BLOCK_BYTES, IcaoChannel, Offer, make_token, open_token, session_keys
from controller.chips.kdf import pad80
from controller.chips.sam import CHALLENGE_BYTES, TOKEN_BYTES, KeyBlock, KeyBlocks, uid8
from controller.chips.scp03 import InitializeUpdate, Scp03Session, SessionKeys, derive
from controller.errors import DeviceRefused
from controller.hal.chip.key_ring import KeyRing, Kind, TokenKey, Use
from controller.hal.chip.pkcs11_link import TokenLink

Needs = Literal["icao", "scp03"]  # a secure channel

MASTERS: dict[Needs, tuple[str, Kind]] = {"icao": ("print-station-ektp", Kind.DES3), "scp03": ("print-station-scp03", Kind.AES)}
AES_MASTER_BYTES = (16, 32)  # no AES-192: tokens wrap whole blocks only, so such keys could be used but never put on a card

_ENC, _MAC, _DEK = 1, 2, 3
_AES = 0x88  # key type in PUT KEY
_AES_BLOCK = 16
_HALF_KEY_BYTES = 16  # of the seed of a session key
_UID_BYTES = 8
_NO_192 = "the master has 192 bits, and keys of that length cannot be wrapped for a card: make one of 128 or 256"


class Pkcs11Sam:
    """The key holder of one lane. Several may share a link; each has its own session with its chip."""

    def __init__(self, link: TokenLink, needs: Needs) -> None:
        """`needs`: the secure channel of the lane's chip profile. Opens nothing."""
        self._link, self._needs = link, needs
        self._offer: tuple[Offer, bytes, bytes] | None = None  # of `begin`: what we said, card control, UID
        self._open: tuple[bytes, int] | None = None  # of `open_scp03`: UID, version of the card's keys

    def check(self) -> None:
        """See `Sam`. The token answers, and has the master and the mechanisms that this lane's chips need."""
        self._link.run(lambda ring: check_master(ring, self._needs))

    def begin(self, card_control: bytes, uid: bytes, challenge: bytes) -> bytes:
        """See `Sam`."""
        self._refuse_other("icao")
        if len(challenge) != CHALLENGE_BYTES:
            raise DeviceRefused("chip_refused", f"a challenge of {len(challenge)} bytes; {CHALLENGE_BYTES} are needed")
        self._offer = None

        def work(ring: KeyRing) -> tuple[Offer, bytes]:
            said = ring.random(CHALLENGE_BYTES + _HALF_KEY_BYTES)
            offer = Offer(said[:CHALLENGE_BYTES], challenge, said[CHALLENGE_BYTES:])
            keys = IcaoKeys(ring, card_control, uid)
            return offer, make_token(offer, keys.encipher, keys.mac)

        offer, token = self._link.run(work)
        self._offer = (offer, card_control, uid)
        return token

    def finish(self, token: bytes) -> Channel:
        """See `Sam`."""
        pending, self._offer = self._offer, None
        if pending is None:
            raise DeviceRefused("sam_refused", "no mutual authentication was begun")
        if len(token) != TOKEN_BYTES:
            raise DeviceRefused("chip_refused", f"the chip's token has {len(token)} bytes; {TOKEN_BYTES} are needed")
        offer, card_control, uid = pending

        def work(ring: KeyRing) -> Offer:
            keys = IcaoKeys(ring, card_control, uid)
            return open_token(token, offer, keys.decipher, keys.mac)

        return IcaoChannel(session_keys(offer, self._link.run(work)))

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:
        """See `Sam`."""
        self._refuse_other("scp03")
        self._open = None

        def work(ring: KeyRing) -> SessionKeys:
            keys = ScpKeys(ring, uid, init.key_version)
            return derive(init, 8 * keys.key_bytes, keys.key(_ENC, Use.MAC).cmac, keys.key(_MAC, Use.MAC).cmac)

        session = Scp03Session(init, self._link.run(work))
        self._open = (uid, init.key_version)
        return session

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        """See `Sam`."""
        if self._open is None or self._open[0] != uid:
            raise DeviceRefused("sam_refused", "new keys are made only for the card whose session is open")
        old_version = self._open[1]

        def work(ring: KeyRing) -> KeyBlocks:
            dek = ScpKeys(ring, uid, old_version).key(_DEK, Use.WRAP)
            new = ScpKeys(ring, uid, version)
            if new.key_bytes not in AES_MASTER_BYTES:
                raise DeviceRefused(
                    "sam_refused", "the master has 192 bits, and keys of that length cannot be wrapped for a card"
                )
            enc, mac, next_dek = (_key_block(dek, new.key(purpose, Use.TO_CARD)) for purpose in (_ENC, _MAC, _DEK))
            return KeyBlocks(version, (enc, mac, next_dek))

        return self._link.run(work)

    def close(self) -> None:
        """Forget sessions. The link is shared: whoever made it closes it."""
        self._offer = self._open = None

    def _refuse_other(self, asked: Needs) -> None:
        if asked != self._needs:
            raise DeviceRefused("sam_refused", f"this lane's key holder was set up for '{self._needs}', not '{asked}'")


class IcaoKeys:
    """Kenc and Kmac of one `icao` chip, inside the token."""

    def __init__(self, ring: KeyRing, card_control: bytes, uid: bytes) -> None:
        self._ring = ring
        self._master = _master(ring, "icao")
        self._seed = card_control + uid8(uid)

    def encipher(self, clear: bytes) -> bytes:
        """3DES-CBC under Kenc, ICV 0."""
        return self._ring.derive_des(self._master, self._input(_ENC), Use.CIPHER).encipher(clear)

    def decipher(self, sealed: bytes) -> bytes:
        """The inverse."""
        return self._ring.derive_des(self._master, self._input(_ENC), Use.CIPHER).decipher(sealed)

    def mac(self, message: bytes) -> bytes:
        """The retail MAC under Kmac, padding included."""
        data = self._input(_MAC)
        whole = self._ring.derive_des(self._master, data, Use.CIPHER)
        first = self._ring.derive_des(self._master, data[:BLOCK_BYTES] * 3, Use.CIPHER)
        return retail_mac(first, whole, message)

    def _input(self, purpose: int) -> bytes:
        return hashlib.sha256(self._seed + bytes((purpose,))).digest()[:16]


class ScpKeys:
    """The keys of one `scp03` card at one version, inside the token."""

    def __init__(self, ring: KeyRing, uid: bytes, version: int) -> None:
        self._ring, self._uid, self._version = ring, uid8(uid), version
        self._master = _master(ring, "scp03")
        self.key_bytes = ring.key_bytes(self._master)

    def key(self, purpose: int, use: Use) -> TokenKey:
        """One of them, for one use."""
        blocks = range(1, -(-self.key_bytes // _AES_BLOCK) + 1)
        data = b"".join(bytes((purpose, self._version, number)) + self._uid + bytes(5) for number in blocks)
        return self._ring.derive_aes(self._master, data, self.key_bytes, use)


def retail_mac(first: TokenKey, whole: TokenKey, message: bytes) -> bytes:
    """ISO 9797-1 MAC algorithm 3 with padding method 2: single DES up to the last block, 3DES on that."""
    padded = pad80(message, BLOCK_BYTES)
    before, last = padded[:-BLOCK_BYTES], padded[-BLOCK_BYTES:]
    chained = first.encipher(before)[-BLOCK_BYTES:] if before else bytes(BLOCK_BYTES)
    return whole.encipher(last, chained)


def check_master(ring: KeyRing, needs: Needs) -> None:
    """DeviceRefused("sam_refused") unless the token has the master of this channel, guarded as it must be, and can work with it.

    Everything is tried on a card that does not exist: some tokens list mechanisms that they then refuse.
    """
    label, kind = MASTERS[needs]
    faults = ring.faults(_master(ring, needs))
    lacking = ring.lacking(kind)
    if lacking:
        raise DeviceRefused("sam_refused", f"the token lacks a mechanism that '{needs}' needs: {', '.join(lacking)}")
    if faults:
        raise DeviceRefused("sam_refused", f"master '{label}' is not guarded: {', '.join(faults)}")
    if needs == "icao":
        icao = IcaoKeys(ring, b"", bytes(_UID_BYTES))
        icao.mac(icao.decipher(icao.encipher(bytes(BLOCK_BYTES))))
    else:
        _try_scp03(ScpKeys(ring, bytes(_UID_BYTES), 0))


def _try_scp03(keys: ScpKeys) -> None:
    if keys.key_bytes not in AES_MASTER_BYTES:
        raise DeviceRefused("sam_refused", _NO_192)
    keys.key(_MAC, Use.MAC).cmac(b"")
    _key_block(keys.key(_DEK, Use.WRAP), keys.key(_ENC, Use.TO_CARD))


def _master(ring: KeyRing, needs: Needs) -> Any:
    return ring.master(*MASTERS[needs])


def _key_block(dek: TokenKey, new: TokenKey) -> KeyBlock:
    return KeyBlock(_AES, dek.wrap(new), kcv=new.blocks(b"\x01" * _AES_BLOCK)[:3])
