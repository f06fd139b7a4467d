"""Writes an initramfs: a cpio archive of the form "newc" (kernel Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"070701"
_END = "TRAILER!!!"
_CONSOLE = (5, 1)  # kernel Documentation/admin-guide/devices.txt


class Archive:
    """An archive being written. Folders have to be added before what is in them; owner and times are 0."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0
        self._names: set[str] = set()

    def add_tree(self, source: Path, at: str = "", *, skip: Iterable[str] = ()) -> None:
        """A folder's content below `at`. Names in `skip` are left out wherever they are."""
        left_out = frozenset(skip)
        for path in sorted(source.iterdir()):
            if path.name in left_out:
                continue
            name = f"{at}/{path.name}".lstrip("/")
            self.add(path, name)
            if path.is_dir() and not path.is_symlink():
                self.add_tree(path, name, skip=left_out)

    def add(self, path: Path, name: str) -> None:
        """One folder, file or symbolic link; anything else is left out."""
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            self.put(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode())
        elif stat.S_ISDIR(mode):
            self.add_folder(name)
        elif stat.S_ISREG(mode):
            self.put(name, stat.S_IFREG | (0o755 if mode & 0o100 else 0o644), path.read_bytes())

    def add_folder(self, name: str) -> None:
        """A folder with its parents. A second time is fine."""
        parts = name.split("/")
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count])
            if folder not in self._names:
                self.put(folder, stat.S_IFDIR | 0o755, b"")

    def add_console(self) -> None:
        """/dev/console: the first process has no output without it."""
        self.add_folder("dev")
        self.put("dev/console", stat.S_IFCHR | 0o600, b"", _CONSOLE)

    def end(self) -> None:
        """The last entry. The kernel reads on with another archive that follows."""
        self.put(_END, 0, b"")

    def put(self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)) -> None:
        """One entry, as it is written."""
        self._names.add(name)
        self._inode += 1
        raw = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
        head = _MAGIC + b"".join(b"%08X" % field for field in fields) + raw
        self._out.write(_padded(head) + _padded(content))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
