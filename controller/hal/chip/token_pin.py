"""The PIN of a key holder: from a systemd credential or from a file that only its owner can read. Never from the command line
or the environment, which other processes and logs see.

The file is read each time a login is due, so a corrected PIN needs no restart. Its text never goes into a message.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from controller.errors import DeviceRefused

CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd names there where the unit's credentials are (systemd.exec, LoadCredential=)
MAX_PIN_BYTES = 255  # longest PIN that tokens in use take
_OTHERS = 0o377  # any right of group or others; write and execute of the owner: only 0400 and 0000 are left


@dataclass(frozen=True, slots=True)
class PinSource:
    """Where a PIN is."""

    file: Path | None = None
    credential: str | None = None  # name of a systemd credential; used when there is no file

    @property
    def place(self) -> str:
        """In words, for messages."""
        return f"credential '{self.credential}'" if self.file is None else f"'{self.file}'"

    def read(self) -> str:
        """The PIN. DeviceRefused("sam_locked") when it is not there, is no PIN, or others could read it."""
        path = self.file if self.file is not None else self._credential()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not block
        except OSError as error:
            raise _refused(f"PIN {self.place} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as stream:
            self._judge(os.fstat(stream.fileno()))
            return self._pin(stream.read(MAX_PIN_BYTES + 2))

    def _credential(self) -> Path:
        folder = os.environ.get(CREDENTIALS)
        if folder is None or self.credential is None:
            raise _refused(f"PIN {self.place} cannot be read: this process was given no credentials by systemd")
        return Path(folder) / self.credential

    def _judge(self, about: os.stat_result) -> None:
        mode = stat.S_IMODE(about.st_mode)
        if not stat.S_ISREG(about.st_mode):
            raise _refused(f"PIN {self.place} is not a file")
        if self.file is None:
            return  # systemd sees to a credential's rights; some filesystems it uses show them as an ACL
        if mode & _OTHERS:
            raise _refused(f"PIN file '{self.file}' has mode {mode:04o}; give it to its owner alone: chmod 0400")
        if about.st_uid not in (os.geteuid(), 0):
            raise _refused(f"PIN file '{self.file}' belongs to user {about.st_uid}, who could change it; chown it")

    def _pin(self, raw: bytes) -> str:
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        if not 0 < len(text) <= MAX_PIN_BYTES or not text.isascii() or not text.decode("ascii").isprintable():
            raise _refused(f"PIN {self.place} must be one line of 1 to {MAX_PIN_BYTES} ASCII characters")
        return text.decode("ascii")


def _refused(detail: str) -> DeviceRefused:
    return DeviceRefused("sam_locked", detail)
