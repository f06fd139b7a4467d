"""A pseudo-terminal that stands in for a serial customer display."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import Callable
from pathlib import Path

_READ_BYTES = 4096  # a display message is 40


class DisplayPty:
    """A raw pty under a stable name. We hold both of its ends, so that a client's closing does not hang it up."""

    def __init__(self, link: Path, on_bytes: Callable[[bytes], None]) -> None:
        """`link` becomes a symbolic link to the terminal; `on_bytes` gets what clients write, in pieces of any size."""
        self._link = link
        self._on_bytes = on_bytes
        self._ends: tuple[int, int] | None = None

    def start(self) -> None:
        """Make the terminal and its link, replacing an old link at once. Raises FileExistsError when the name is no link."""
        if self._link.exists() and not self._link.is_symlink():
            raise FileExistsError(f"{self._link} is in the way of the display's link")
        ours, theirs = os.openpty()
        self._ends = ours, theirs
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        asyncio.get_running_loop().add_reader(ours, self._read)
        fresh = self._link.with_name(f"{self._link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(theirs))
        fresh.replace(self._link)

    def close(self) -> None:
        """Hang up on clients and remove the link, unless it is somebody else's by now. Twice is fine."""
        if self._ends is None:
            return
        ours, theirs = self._ends
        self._ends = None
        if self._link.is_symlink() and str(self._link.readlink()) == os.ttyname(theirs):
            self._link.unlink()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    def _read(self) -> None:
        if self._ends is not None:
            self._on_bytes(os.read(self._ends[0], _READ_BYTES))
