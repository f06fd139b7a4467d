"""The link to one PKCS#11 token; only it and `key_ring` under it import `pkcs11` (chip.md 7).

    callers' threads --run(work)--> the token's own thread --work(KeyRing)--> module --> token (HSM; SoftHSM2 in tests)

What the facts force:
- One session, one thread: sessions opened side by side fail, and a second login in the process is refused.
- A wrong PIN is tried once. The token's flags are read before every login: one that was refused a PIN since its last login is
  left alone until a person says that the PIN is right now, and one with a single try left always. A token may have no such flags:
  the PIN that is tried is written down before, until the token has taken it.
- Keys are derived inside, used inside and destroyed when the work ends; only results come out. Work is arithmetic without a
  trace, so it is done again on a new session when the old one turns out to be gone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import TokenFlag

from controller.errors import DeviceAbsent, DeviceError, DeviceRefused
from controller.hal.chip.key_ring import KeyMissingError, KeyRing, Kind
from controller.hal.chip.owner_thread import OwnerThread, StuckError
from controller.hal.chip.refused_pin import RefusedPin
from controller.hal.chip.token_pin import PinSource

T = TypeVar("T")

LIMIT_S = 3.0  # work takes 1 ms in SoftHSM; shorter than a reader waits for its key holder, or its thread would be given up

_NO_SUCH = (pkcs11.NoSuchToken, pkcs11.TokenNotPresent, pkcs11.SlotIDInvalid, pkcs11.TokenNotRecognised)
_KEY = "the token refuses what is done with a key"
_CLEAR = {  # errors after which the session is as good as before: a new one would say the same
    pkcs11.KeyUnextractable: "a key may not be wrapped",
    pkcs11.KeyNotWrappable: "a key may not be wrapped",
    pkcs11.SessionReadOnly: "the token is write-protected for this user",
    pkcs11.TokenWriteProtected: "the token is write-protected",
} | dict.fromkeys((
    pkcs11.AttributeReadOnly, pkcs11.AttributeSensitive, pkcs11.AttributeTypeInvalid, pkcs11.AttributeValueInvalid,
    pkcs11.DataInvalid, pkcs11.DataLenRange, pkcs11.FunctionNotSupported, pkcs11.FunctionRejected, pkcs11.KeySizeRange,
    pkcs11.KeyTypeInconsistent, pkcs11.MechanismParamInvalid, pkcs11.TemplateIncomplete, pkcs11.TemplateInconsistent,
    pkcs11.WrappingKeySizeRange, pkcs11.WrappingKeyTypeInconsistent,
), _KEY)  # fmt: skip


class TokenLink:
    """One token of one module. Any thread may use it; the process has one for each token."""

    def __init__(self, module: Path, token: str, pin: PinSource, refused: RefusedPin | None = None) -> None:
        """Opens nothing; the first call does, and every later call survives that the token went away in between."""
        self._module, self._label, self._pin = module, token, pin
        self._refused = RefusedPin() if refused is None else refused
        self._thread = OwnerThread(f"pkcs11 {token}")
        self._lib: Any = None
        self._session: Any = None
        self._writable = False

    def run(self, work: Callable[[KeyRing], T], *, write: bool = False, once_more: bool = False) -> T:
        """Do `work` with the token's keys; what it derives is destroyed at its end. It may be run twice.

        `write`: masters may be made. `once_more`: a person says that the PIN, refused before, is right now.
        DeviceAbsent("sam_absent") without module, token or answer; DeviceRefused("sam_locked") when the PIN is not there, wrong,
        blocked or has one try left; DeviceRefused("sam_refused") when the token cannot do it.
        """
        try:
            return self._thread.call(lambda: self._run(work, write, once_more), LIMIT_S)
        except StuckError as error:
            raise DeviceAbsent("sam_absent", f"token '{self._label}': {error}") from error

    def close(self) -> None:
        """Log out and end the thread. Closing twice is fine; a later call opens the token again."""
        with suppress(StuckError):
            self._thread.call(self._forget, LIMIT_S)
        self._thread.close(LIMIT_S)

    def _run(self, work: Callable[[KeyRing], T], write: bool, once_more: bool) -> T:
        if write and not self._writable:
            self._forget()
        fresh = self._session is None
        try:
            self._open(write, once_more)
            return self._with_keys(work, fresh)
        except _LostError as error:
            self._forget()
            if fresh:
                raise error.meaning from error
            return self._run(work, write, once_more)  # on a fresh session, so at most once

    def _with_keys(self, work: Callable[[KeyRing], T], fresh: bool) -> T:
        ring = KeyRing(self._session)
        try:
            return work(ring)
        except KeyMissingError as error:
            if fresh:
                raise
            raise _LostError(error) from error  # a token that has logged us out hides its keys and says nothing
        except pkcs11.MechanismInvalid as error:
            lacking = [name for kind in Kind for name in ring.lacking(kind)]
            raise _refused(f"the token lacks a mechanism: {', '.join(lacking) or 'one that it lists'}") from error
        except tuple(_CLEAR) as error:
            raise _refused(f"{_CLEAR[type(error)]} ({type(error).__name__})") from error
        except pkcs11.PKCS11Error as error:
            raise _LostError(DeviceAbsent("sam_absent", f"token '{self._label}' failed: {_words(error)}")) from error
        finally:
            ring.empty()

    def _open(self, write: bool, once_more: bool) -> None:
        if self._session is not None:
            self._probe()
            return
        token = self._find()
        pin = self._permitted(token.flags, once_more)
        self._log_in(token, pin, write, once_more)
        self._writable = write
        self._refused.clear()

    def _log_in(self, token: Any, pin: str, write: bool, once_more: bool) -> None:
        try:
            token.open(rw=write).close()  # a token that cannot be reached has been given no PIN
            self._refused.trying(pin.encode(), once_more=once_more)
            self._session = token.open(rw=write, user_pin=pin)
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            self._forget()  # python-pkcs11 leaves the session open that it could not log in
            raise _locked(f"token '{self._label}' refuses the PIN of {self._pin.place}; it is not tried again. "
                          "Correct it, then run 'print-station keys check --once-more'") from error  # fmt: skip
        except (pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.UserPinNotInitialized) as error:
            self._refused.clear()  # the token itself takes no further try
            self._forget()
            raise _locked(f"token '{self._label}' takes no PIN: {_words(error)}") from error
        except pkcs11.UserAlreadyLoggedIn as error:
            self._refused.clear()  # the PIN was not looked at
            raise _refused(f"token '{self._label}' is in use by another part of this process") from error
        except pkcs11.PKCS11Error as error:
            raise _LostError(DeviceAbsent("sam_absent", f"token '{self._label}' cannot be opened: {_words(error)}")) from error

    def _probe(self) -> None:
        """A search on a session that is gone would complain once more from its destructor, on stderr."""
        try:
            self._session.generate_random(8)
        except pkcs11.PKCS11Error as error:
            raise _LostError(DeviceAbsent("sam_absent", f"token '{self._label}' was lost: {_words(error)}")) from error

    def _find(self) -> Any:
        try:
            self._lib = pkcs11.lib(str(self._module))
            tokens = list(self._lib.get_tokens(token_label=self._label))
        except _NO_SUCH as error:
            raise DeviceAbsent("sam_absent", f"no token '{self._label}': {_words(error)}") from error
        except pkcs11.PKCS11Error as error:
            raise _LostError(DeviceAbsent("sam_absent", f"PKCS#11 module '{self._module}': {_words(error)}")) from error
        if not tokens:
            self._forget()  # some modules show a token that is plugged in later only after a new start
            raise DeviceAbsent("sam_absent", f"no token is named '{self._label}'")
        if len(tokens) > 1:
            raise _refused(f"{len(tokens)} tokens are named '{self._label}'; unplug all but one")
        return tokens[0]

    def _permitted(self, flags: TokenFlag, once_more: bool) -> str:
        """The PIN, when trying it cannot use up the last try. DeviceRefused("sam_locked") otherwise."""
        if flags & TokenFlag.USER_PIN_LOCKED:
            raise _locked(f"token '{self._label}' has blocked its PIN after wrong tries; its security officer can set it anew")
        if flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise _locked(f"token '{self._label}' has one try left for its PIN, and it is kept for a person; "
                          "log in with the vendor's tool")  # fmt: skip
        if not flags & TokenFlag.USER_PIN_INITIALIZED:
            raise _locked(f"token '{self._label}' has no user PIN yet")
        if flags & TokenFlag.USER_PIN_COUNT_LOW and not once_more:
            raise _locked(f"token '{self._label}' was given a wrong PIN since its last login; "
                          "if the PIN is right now, run 'print-station keys check --once-more'")  # fmt: skip
        pin = self._pin.read()
        if not once_more and self._refused.holds(pin.encode()):
            raise _locked(f"token '{self._label}' has refused this PIN already, or its answer was lost; correct "
                          f"{self._pin.place}, or run 'print-station keys check --once-more' when the token has another PIN "
                          "now")  # fmt: skip
        return pin

    def _forget(self) -> None:
        """Let go of session and module; what fails here was lost before."""
        session, self._session = self._session, None
        lib, self._lib = self._lib, None
        for end in [thing for thing in (session and session.close, lib and lib.finalize) if thing is not None]:
            with suppress(pkcs11.PKCS11Error):
                end()


class _LostError(Exception):
    """The session or the module is of no use any more."""

    def __init__(self, meaning: DeviceError) -> None:
        super().__init__(meaning.detail)
        self.meaning = meaning


def _words(error: Exception) -> str:
    return " ".join(part for part in (type(error).__name__, str(error)) if part)


def _refused(detail: str) -> DeviceRefused:
    return DeviceRefused("sam_refused", detail)


def _locked(detail: str) -> DeviceRefused:
    return DeviceRefused("sam_locked", detail)
