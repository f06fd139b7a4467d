"""The PIN that a key holder was given last and has not taken, remembered over restarts.

A token or a SAM that does not tell of wrong tries would else be given the same wrong PIN once by every restart, and be blocked
after a few. It is written down, and synced, before the try, and taken out after success: so it is known too when the vendor's
library or the power ends the process in between. Where it cannot be written down, a holder that does not tell is given nothing.

Kept is a salted digest, and how many tries the holder said it had left before this one, in a file of the daemon's own (mode
0600) beside its journal.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path

from controller.errors import DeviceRefused

_SALT_BYTES, _ROUNDS = 16, 50_000  # 20 ms; a wrong PIN is mostly a right one with a slip
_SECRET_BYTES = _SALT_BYTES + hashlib.sha256().digest_size  # then one byte: the tries that were left; 0: the holder did not tell
_MAX_BYTES = 64  # of the file


class RefusedPin:
    """That of one key holder. One thread uses it."""

    def __init__(self, file: Path | None = None) -> None:
        """None: it is remembered as long as this object lives."""
        self._file = file
        self._kept = b""  # the record, when it is not in the file

    def holds(self, pin: bytes, left: int = 0) -> bool:
        """Whether this PIN was tried last and not taken. `left`: the tries that the holder tells of now; 0: it does not tell.

        With as many left as before that try it is another holder, or the try never reached it.
        """
        record = self._kept
        with suppress(OSError):  # whether anything may be tried then is for `trying`
            record = record or self._read()
        secret, before = record[:_SECRET_BYTES], sum(record[_SECRET_BYTES : _SECRET_BYTES + 1])
        if not secret or left >= before > 0:
            return False
        salt = secret[:_SALT_BYTES]
        return hmac.compare_digest(secret, salt + _digest(salt, pin))

    def trying(self, pin: bytes, left: int = 0, *, once_more: bool = False) -> None:
        """Write it down: it is tried next. `left` as above; `once_more`: a person has asked for this one try.

        DeviceRefused("sam_locked") when it cannot be written down and nobody else counts: then it must not be tried.
        """
        salt = os.urandom(_SALT_BYTES)
        record = salt + _digest(salt, pin) + bytes([left])
        if self._file is None:
            self._kept = record
            return
        try:
            self._read()  # what another user wrote down, and we cannot know, is not written over
            _write(self._file, record)
        except OSError as error:
            if not left and not once_more:
                raise DeviceRefused("sam_locked", f"the PIN is not tried, since that cannot be noted in '{self._file.parent}' "
                                    f"({error.strerror}) and a wrong one could be tried until it is blocked; "
                                    "run this as the station's user") from error  # fmt: skip
            self._kept = record
        else:
            self._kept = b""

    def clear(self) -> None:
        """The PIN was taken, or the holder never looked at it."""
        self._kept = b""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
                _sync_folder(self._file)

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        try:
            with self._file.open("rb") as stream:
                return stream.read(_MAX_BYTES)
        except FileNotFoundError:
            return b""


def _digest(salt: bytes, pin: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", pin, salt, _ROUNDS)


def _write(file: Path, record: bytes) -> None:
    """Whole or not at all, and on the disk. Root gives it to whose folder it is in, since a technician may try."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # as the daemon does, which may not have run yet
    temp = file.with_name(f".{file.name}.tmp")
    temp.unlink(missing_ok=True)
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(record)
        if os.geteuid() == 0:
            owner = file.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        stream.flush()
        os.fsync(descriptor)
    temp.replace(file)
    _sync_folder(file)


def _sync_folder(file: Path) -> None:
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
