"""What lies behind names: files and folders as the program sees them, as the disk has them, and what lies between. Pure.

The rules are those of `tools.powercut.disk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

SECTOR = 512  # the most that every disk writes whole

T = TypeVar("T")
_Version = tuple[T, int | None]  # with the number of the truncation that it is a part of, if it is


@dataclass(frozen=True, slots=True)
class Content:
    """A file in an image: `data`, and zeros up to `size`. Equal stamps mean equal files; one without a stamp is like no other.

    `data` may be the disk's own buffer: use it before the next call is replayed.
    """

    stamp: tuple[int, int] | None
    data: bytes | bytearray
    size: int


@dataclass(eq=False, slots=True)
class File:
    """One inode with content: as the program sees it, as the disk has it, and what lies between.

    Content ends with the last byte ever written; up to the file's size there are zeros that nobody wrote.
    """

    inode: int  # may be used again when the file is gone
    number: int  # never is
    live: bytearray = field(default_factory=bytearray)
    size: int = 0
    durable: bytearray = field(default_factory=bytearray)
    durable_size: int = 0
    sectors: dict[int, list[_Version[bytes]]] = field(default_factory=dict)  # unsynced, oldest first
    sizes: list[_Version[int]] = field(default_factory=list)  # unsynced, oldest first
    truncations: int = 0  # unsynced
    syncs: int = 0  # that changed something; with the file's number: its stamp

    def write(self, offset: int, data: bytes) -> None:
        """As pwrite."""
        end = offset + len(data)
        _fill(self.live, end)
        self.live[offset:end] = data
        self._changed(offset, end)
        self.extend(end)

    def extend(self, size: int) -> None:
        """As fallocate: at least so long."""
        if size > self.size:
            self._resize(size)

    def truncate(self, size: int) -> None:
        """As ftruncate."""
        if size >= self.size:
            self.extend(size)
            return
        end, whole = len(self.live), self.truncations
        self.truncations += 1
        del self.live[size:]
        self._changed(size, end, whole)
        self._resize(size, whole)

    def sync(self) -> None:
        """As fsync and fdatasync: the latter leaves out times only, never a size (man 2 fdatasync)."""
        if not self.sectors and not self.sizes:
            return
        end = len(self.live)
        _fill(self.durable, end)
        del self.durable[end:]
        for sector in self.sectors:
            place = slice(sector * SECTOR, min((sector + 1) * SECTOR, end))
            if place.start < end:
                self.durable[place] = self.live[place]
        self.durable_size = self.size
        self.sectors.clear()
        self.sizes.clear()
        self.truncations = 0
        self.syncs += 1

    def after_cut(self, chance: float, rng: Random) -> Content:
        """What is left when each unsynced change is on the disk with this chance."""
        if not self.sectors and not self.sizes:
            return Content((self.number, self.syncs), self.durable, self.size)
        done = [rng.random() < chance for _ in range(self.truncations)]

        def arrived(versions: Sequence[_Version[T]]) -> T | None:
            """Each came to the disk with this chance, in order: the newest that did is what is there."""
            came = (value for value, whole in reversed(versions) if (rng.random() < chance if whole is None else done[whole]))
            return next(came, None)

        newest = arrived(self.sizes)
        size = self.durable_size if newest is None else newest
        left = self.durable[:size]
        for sector, versions in self.sectors.items():
            start, version = sector * SECTOR, arrived(versions)
            if version is not None and start < size:
                _fill(left, start + SECTOR)
                left[start : start + SECTOR] = version
        del left[size:]
        return Content(None, left, size)

    def _resize(self, size: int, whole: int | None = None) -> None:
        self.size = size
        self.sizes.append((size, whole))

    def _changed(self, start: int, end: int, whole: int | None = None) -> None:
        for sector in range(start // SECTOR, -(-end // SECTOR)):
            content = bytes(self.live[sector * SECTOR : (sector + 1) * SECTOR])
            self.sectors.setdefault(sector, []).append((content.ljust(SECTOR, b"\0"), whole))


@dataclass(eq=False, slots=True)
class Folder:
    """One folder: its names as the program sees them, as the disk has them, and the changes that lie between."""

    inode: int
    live: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)
    changes: list[dict[str, File | Folder | None]] = field(default_factory=list)

    def change(self, names: dict[str, File | Folder | None]) -> None:
        """One change of one or two names, whole or not at all."""
        _apply(names, self.live)
        self.changes.append(names)

    def sync(self) -> None:
        """As fsync of a folder."""
        self.changes.clear()
        self.durable = dict(self.live)

    def after_cut(self, chance: float, rng: Random) -> dict[str, File | Folder]:
        """The names that are left when each unsynced change is on the disk with this chance."""
        left = dict(self.durable)
        for names in self.changes:
            if rng.random() < chance:
                _apply(names, left)
        return left


Node = File | Folder


def _apply(names: Mapping[str, Node | None], entries: dict[str, Node]) -> None:
    for name, node in names.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def _fill(content: bytearray, end: int) -> None:
    if end > len(content):
        content.extend(bytes(end - len(content)))
