"""What a record of the soak holds: panels and chip files that follow from its number alone, so that the world can be compared."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.chips.profile import ChipProfile
from controller.hal.profiles.printer import PrinterProfile
from controller.model import ChipFile, Panel


@dataclass(frozen=True, slots=True)
class Wanted:
    """A good card of a record."""

    face: tuple[str, ...]  # hashes of its panels in order
    files: Mapping[int, bytes]


class Contents:
    """The records of one soak."""

    def __init__(self, printer: PrinterProfile, chip: ChipProfile) -> None:
        self._panels = [(row.name, row.levels, row.size_bytes) for row in printer.raster.panels]
        self._files = [(row.fid, min(32, row.max_bytes)) for row in chip.personalised]

    @staticmethod
    def record(number: int) -> bytes:
        """The stored form of a record."""
        return f"record {number}".encode()

    def read_panels(self, path: Path) -> Sequence[Panel]:
        """The drawn face in a file: here the record again."""
        return self.panels(path.read_bytes())

    def panels(self, record: bytes) -> list[Panel]:
        """A face that no other record has."""
        return [
            Panel(name, levels, (hashlib.sha256(record + name.encode()).digest() * (size // 32 + 1))[:size])
            for name, levels, size in self._panels
        ]

    def files(self, record: bytes) -> list[ChipFile]:
        """Chip files that no other record has."""
        return [ChipFile(fid, hashlib.sha256(record + fid.to_bytes(2, "big")).digest()[:size]) for fid, size in self._files]

    def wanted(self, record: bytes) -> Wanted:
        """What a good card of it carries."""
        face = tuple(hashlib.sha256(panel.data).hexdigest() for panel in self.panels(record))
        return Wanted(face, {file.fid: file.content for file in self.files(record)})


class Artist:
    """Draws a record by copying it; the machinery fails when told to."""

    def __init__(self, fails: Callable[[], None]) -> None:
        self._fails = fails

    async def render(self, record_path: Path, out_path: Path) -> None:
        """See `workshop.Artist`."""
        self._fails()
        shutil.copyfile(record_path, out_path)
