"""The PIN that a key holder refused last, remembered over restarts.

A token or a SAM that does not tell of wrong tries would else be given the same wrong PIN once by every restart, and be blocked
after a few. Kept is a salted digest, in a file of the daemon's own (mode 0600) beside its journal. Where that cannot be written
it is kept in memory: no reason to stop, since most key holders do tell.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from pathlib import Path

_SALT_BYTES, _ROUNDS = 16, 50_000  # 20 ms; a wrong PIN is mostly a right one with a slip
_MAX_BYTES = 64  # of the file: salt and digest have 48


class RefusedPin:
    """That of one key holder. One thread uses it."""

    def __init__(self, file: Path | None = None) -> None:
        """None: it is remembered as long as this object lives."""
        self._file = file
        self._kept = b""  # salt and digest, when they could not be written

    def holds(self, pin: bytes) -> bool:
        """Whether this PIN is the one that was refused last."""
        record = self._kept or self._read()
        salt = record[:_SALT_BYTES]
        return hmac.compare_digest(record, salt + _digest(salt, pin)) if record else False

    def keep(self, pin: bytes) -> None:
        """It was refused."""
        salt = os.urandom(_SALT_BYTES)
        self._kept = salt + _digest(salt, pin)
        if self._file is not None:
            with suppress(OSError):
                _write(self._file, self._kept)
                self._kept = b""

    def clear(self) -> None:
        """A PIN was taken, or a person says that this one is right now."""
        self._kept = b""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        try:
            with self._file.open("rb") as stream:
                return stream.read(_MAX_BYTES)
        except OSError:
            return b""  # there is none


def _digest(salt: bytes, pin: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", pin, salt, _ROUNDS)


def _write(file: Path, record: bytes) -> None:
    """Whole or not at all. Root gives it to whose folder it is in, since a technician may have been the one who tried."""
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
