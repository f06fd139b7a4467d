"""The key holder as the host sees it. The host never sees a master key, nor a key that stays on a card.

`PcscSam` is a SAM card in a second reader slot, `Pkcs11Sam` a token (an HSM; SoftHSM2 in tests). Everything here blocks, and is
called on the chip reader's thread only: a script calls it between two commands to the chip.

Errors of every method: DeviceAbsent("sam_absent") when the key holder is not there or was lost; DeviceRefused("sam_locked") when
its PIN is wrong, missing or blocked, told without trying the PIN down to its last try; DeviceRefused("sam_refused") when it
answers with an error word, or lacks what is asked of it (a mechanism, a key, a chip profile's channel). Texts never hold data.
`uid` is the chip's UID as the chip gives it: 7 bytes for type A, 8 for type B; see `uid8`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from controller.chips.channel import Channel
from controller.chips.scp03 import InitializeUpdate, Scp03Session
from controller.errors import DeviceRefused

TOKEN_BYTES = 40  # EXTERNAL AUTHENTICATE under `icao`, each way: 32 of cryptogram, 8 of MAC (chip.md 1.2, 4.1)
CHALLENGE_BYTES = 8


@dataclass(frozen=True, slots=True)
class KeyBlock:
    """One new key as PUT KEY takes it: enciphered under the card's DEK, never in clear."""

    kind: int  # 0x88 AES, 0x80 DES
    block: bytes = field(repr=False)
    kcv: bytes  # 3 bytes, by which the card checks that it deciphered right
    bits: int = 0  # length of the clear key when the block is longer (AES-192 in 32 bytes); 0: as long as the block

    @property
    def key_bytes(self) -> int:
        """Length of the clear key, which the length-prefixed block format needs."""
        return self.bits // 8 or len(self.block)


@dataclass(frozen=True, slots=True)
class KeyBlocks:
    """The card's own keys, ready to be put: ENC, MAC, DEK in this order."""

    version: int  # 1 to 127: the key version number they get
    keys: tuple[KeyBlock, KeyBlock, KeyBlock]


class Sam(Protocol):
    """One key holder. One thread uses it."""

    def check(self) -> None:
        """Raise when cards could not be personalised now. Cheap: asked before every blank."""

    def begin(self, card_control: bytes, uid: bytes, challenge: bytes) -> bytes:
        """`icao`: the TOKEN_BYTES for EXTERNAL AUTHENTICATE, from the content of 6FF0 (without its length) and GET CHALLENGE."""

    def finish(self, token: bytes) -> Channel:
        """`icao`: hold the chip's answer against what `begin` sent; the channel that follows.

        DeviceRefused("chip_refused") when the chip did not prove itself: it is not one of ours.
        """

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:
        """`scp03`: the session of the keys that `init.key_version` names. Only its session keys leave the key holder.

        DeviceRefused("chip_refused") when the card cryptogram is wrong (Scp03Session checks it).
        """

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:
        """`scp03`: the card's own keys for PUT KEY, under the DEK of the session opened last."""

    def close(self) -> None:
        """Forget sessions and let go of the device. Closing twice is fine."""


class NoSam:
    """In place of a key holder where the chip profile needs none."""

    def check(self) -> None:
        """Refused: a profile without secure channel is never asked for one."""
        raise _missing()

    def begin(self, card_control: bytes, uid: bytes, challenge: bytes) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise _missing()

    def finish(self, token: bytes) -> Channel:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise _missing()

    def open_scp03(self, uid: bytes, init: InitializeUpdate) -> Scp03Session:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise _missing()

    def new_keys(self, uid: bytes, version: int) -> KeyBlocks:  # noqa: ARG002 - the protocol's signature
        """Refused."""
        raise _missing()

    def close(self) -> None:
        """Nothing is held."""


def uid8(uid: bytes) -> bytes:
    """The UID as SAM commands take it: 80 before the 7 bytes of type A, the 8 bytes of type B as they are (chip.md 1.2)."""
    return uid.rjust(8, b"\x80")


def _missing() -> DeviceRefused:
    return DeviceRefused("sam_refused", "no key holder is configured")
