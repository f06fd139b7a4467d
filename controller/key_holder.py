"""The key holders of a station, as station.toml says: a SAM card at each reader, or one token for all.

The token's library is loaded only where a token is used: it costs 15 MB and 50 ms (decision 6). So its types are not named here.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from controller.chips.sam import NoSam, Sam
from controller.config import Config, ReaderTable
from controller.config_tables import KeyHolderTable, SamTable, TokenTable
from controller.hal.chip.pcsc_sam import PcscSam, SamSlot
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.sam_link import SamLink
from controller.hal.chip.stopwatch import Stopwatch
from controller.hal.chip.token_pin import PinSource

T = TypeVar("T")
Channel = Literal["none", "icao", "scp03"]

_REFUSED = "refused-pin-"  # and a digest of the key holder's name: a file in the state directory


class Token(Protocol):
    """The link to a token. `controller.hal.chip.pkcs11_link.TokenLink` is one; its `KeyRing` is what work is given."""

    def run(self, work: Callable[[Any], T], *, write: bool = False, once_more: bool = False) -> T: ...
    def close(self) -> None: ...


class KeyHolders:
    """Makes the `Sam` of each reader and owns what they share."""

    def __init__(self, table: KeyHolderTable | None, state_dir: Path | None = None) -> None:
        """Opens nothing. `state_dir`: where it is written down which PINs are tried; None: until the process ends."""
        self._table, self._state_dir = table, state_dir
        self._token: Token | None = None  # once a reader needs it

    @classmethod
    def of(cls, config: Config) -> KeyHolders:
        """Those of a station."""
        return cls(config.key_holder, config.station.state_dir)

    def sam_for(self, reader: ReaderTable, channel: Channel, watch: Stopwatch | None = None, *, once_more: bool = False) -> Sam:
        """The key holder of one reader whose chips speak `channel`. Opens nothing; `setup` has checked that there is one.

        `watch` runs while the device itself is waited for. `once_more`: a person says that a SAM's blob, refused before, is right
        now; a token is told so by its link.
        """
        watch = Stopwatch() if watch is None else watch
        if channel == "none" or self._table is None:
            return NoSam()
        if isinstance(self._table, TokenTable):
            make: Callable[..., Sam] = importlib.import_module("controller.hal.chip.pkcs11_sam").Pkcs11Sam
            return make(_TimedToken(self.token(self._table), watch), channel)
        if reader.sam is None:
            return NoSam()
        slot = _TimedSlot(SamLink(reader.sam.name), watch)
        return PcscSam(slot, pin_source(reader.sam), self._refused(f"SAM {reader.sam.name}"), once_more=once_more)

    def close(self) -> None:
        """Log out of the token. The Sams are closed by whoever has them. Twice is fine."""
        token, self._token = self._token, None
        if token is not None:
            token.close()

    def token(self, table: TokenTable) -> Token:
        """The link to the station's token; there is one. Opens nothing."""
        if self._token is None:
            self._token = token_link(table, self._refused(f"token {table.token}"))
        return self._token

    def _refused(self, holder: str) -> RefusedPin:
        if self._state_dir is None:
            return RefusedPin()
        return RefusedPin(self._state_dir / f"{_REFUSED}{hashlib.sha256(holder.encode()).hexdigest()[:16]}")


class _TimedSlot:
    """A SAM card's slot under a stopwatch. See `SamSlot`."""

    def __init__(self, slot: SamSlot, watch: Stopwatch) -> None:
        self._slot, self._watch = slot, watch
        self.drop, self.close = slot.drop, slot.close

    def connect(self) -> bool:
        with self._watch:
            return self._slot.connect()

    def send(self, command: bytes) -> bytes:
        with self._watch:
            return self._slot.send(command)


class _TimedToken:
    """One reader's view of the token under a stopwatch, the wait for its turn included."""

    def __init__(self, link: Token, watch: Stopwatch) -> None:
        self._link, self._watch = link, watch

    def run(self, work: Callable[[Any], T]) -> T:
        with self._watch:
            return self._link.run(work)


def token_link(table: TokenTable, refused: RefusedPin | None = None) -> Token:
    """A link to a token. Opens nothing."""
    make: Callable[..., Token] = importlib.import_module("controller.hal.chip.pkcs11_link").TokenLink
    return make(table.module, table.token, _pin(table), refused)


def pin_source(table: SamTable) -> PinSource | None:
    """Where a SAM's opening blob is; None: it needs none."""
    return _pin(table) if table.pin_file is not None or table.pin_credential is not None else None


def _pin(table: SamTable | TokenTable) -> PinSource:
    return PinSource(table.pin_file, table.pin_credential)
