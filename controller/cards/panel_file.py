"""The file that carries a drawn card from the rendering child to the printer driver, through the spool.

    print-station panels 1\\n
    {"format":1,"raster":"evolis-primacy","panels":[{"name":"y","levels":128,"side":"front","offset":0,"size_bytes":576072},...],"sha256":"..."}\\n
    packed panels, one after the other

Offsets count from the first byte after the header line; the hash is over all that follows it. The file is not synced: a
torn one is recognised and drawn again. Standard library only, because the daemon reads it. Calls block.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from controller.cards.problems import refusal
from controller.errors import RenderError, StoreError, StoreFull
from controller.model import Panel

_MAGIC = b"print-station panels 1\n"
_HEADER_CAP_BYTES = 4096  # ten panels of about 90 bytes each, with room to spare
_PANELS_CAP = 10  # five a side, two sides
_SIDES = ("front", "back")
_PANEL_CAP_BYTES = 4 << 20  # a CR80 side at 600 dpi and 8 bits is 2.6 MB


def write_panel_file(path: Path, raster: str, panels: Sequence[Panel]) -> None:
    """Write the panels of a card, replacing what was there. Raises StoreFull, StoreError."""
    temp = path.with_name(f".{path.name}.part")
    try:
        with temp.open("wb") as file:
            file.write(_MAGIC)
            file.write(_header(raster, panels))
            for panel in panels:
                file.write(panel.data)
        temp.replace(path)
    except OSError as error:
        _discard(temp)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("the disk is full; the drawn card was not stored") from error
        raise StoreError(f"the drawn card cannot be written: {os.strerror(error.errno or 0)}") from error


def read_panel_file(path: Path) -> tuple[Panel, ...]:
    """The panels in ribbon order, proven by their sizes and hash.

    Raises RenderError (panels.missing, panels.damaged) when the card must be drawn again, StoreError when the disk fails.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError as error:
        raise refusal("panels.missing") from error
    except OSError as error:
        raise StoreError(f"the drawn card cannot be read: {os.strerror(error.errno or 0)}") from error


def _header(raster: str, panels: Sequence[Panel]) -> bytes:
    rows: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    offset = 0
    for panel in panels:
        size_bytes = len(panel.data)
        rows.append({"name": panel.name, "levels": panel.levels, "side": panel.side, "offset": offset, "size_bytes": size_bytes})
        digest.update(panel.data)
        offset += size_bytes
    header = {"format": 1, "raster": raster, "panels": rows, "sha256": digest.hexdigest()}
    return json.dumps(header, separators=(",", ":")).encode() + b"\n"


def _discard(temp: Path) -> None:
    try:
        temp.unlink(missing_ok=True)
    except OSError:  # the first error is the one to report
        return


def _read(file: BinaryIO) -> tuple[Panel, ...]:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise _damaged("not a panel file")
    header = _parse(file.readline(_HEADER_CAP_BYTES))
    digest = hashlib.sha256()
    panels = tuple(_panel(file, row, digest) for row in header["panels"])
    if file.read(1):
        raise _damaged("longer than its header says")
    if digest.hexdigest() != header["sha256"]:
        raise _damaged("hash differs")
    return panels


def _parse(line: bytes) -> dict[str, Any]:
    """The header, proven to have the right keys, types and seamless offsets."""
    try:
        header = json.loads(line)
        rows = header["panels"]
        ends = [0, *(row["offset"] + row["size_bytes"] for row in rows)]
        sound = header["format"] == 1 and type(header["sha256"]) is str and 0 < len(rows) <= _PANELS_CAP
        sound = sound and all(_row_is_sound(row, start) for row, start in zip(rows, ends, strict=False))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged("header unreadable") from error
    if not sound:
        raise _damaged("header makes no sense")
    return dict(header)


def _row_is_sound(row: dict[str, Any], start: int) -> bool:
    numbers = (row["levels"], row["offset"], row["size_bytes"])
    return (
        all(type(number) is int for number in numbers)
        and type(row["name"]) is str
        and row.get("side", "front") in _SIDES  # files of before the back was printed do not say
        and 2 <= row["levels"] <= 256
        and row["offset"] == start
        and 0 <= row["size_bytes"] <= _PANEL_CAP_BYTES
    )


def _panel(file: BinaryIO, row: dict[str, Any], digest: Any) -> Panel:
    data = file.read(row["size_bytes"])
    if len(data) != row["size_bytes"]:
        raise _damaged("shorter than its header says")
    digest.update(data)
    return Panel(row["name"], row["levels"], data, side=row.get("side", "front"))


def _damaged(detail: str) -> RenderError:
    return refusal("panels.damaged", detail=detail)
