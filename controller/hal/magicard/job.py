"""A Magicard print job as bytes, made piece by piece: a card is 1.8 MB, and no second copy of it is made. Pure.

05h guard, 01h ``,`` keys 1Ch, then yellow, magenta, cyan and black, each ended by 1Ch, its letter (B G R K) and ``:``; 03h.
The planes' lengths are those of the keys SZB SZG SZR SZK. Facts: printers.md 4.4 and 4.6; two vendor jobs are goldens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from controller.cards.raster import Raster, check_shapes
from controller.errors import Problem, RenderError
from controller.hal.magicard import shift
from controller.hal.profiles.printer import MagicardProfile
from controller.model import Panel

BLOCK_BYTES = 65_536  # of a write: whole USB packets, so that only the job's last one is short

_LETTERS = {"y": "B", "m": "G", "c": "R", "k": "K"}  # panel -> letter of its plane, in the order they are sent
_OVERCOAT = "o"  # its panel is no plane but the keys OVR, PCT and NCT
_GUARD, _SOH, _FS, _ETX = b"\x05", b"\x01", b"\x1c", b"\x03"
_RECTANGLE = r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})"
_KEYS = re.compile(rf"OVRON,PCT{_RECTANGLE}(?:,NCT{_RECTANGLE})?(?:,NCT{_RECTANGLE})?")
_MAX_UNIX_S = 0xFFFF_FFFF  # TDT has eight digits


def check_panels(panels: Sequence[Panel], raster: Raster) -> None:
    """Prove that the panels are those of the raster, in its order, and the overcoat's are its keys. RenderError otherwise."""
    check_shapes(panels, raster)
    for panel in panels:
        if panel.name == _OVERCOAT and not _is_overcoat(panel.data, raster):
            raise RenderError(
                Problem(
                    "panels.overcoat", "panels",
                    "daerah lapisan pelindung bukan kunci yang dikenal printer; gambar ulang kartu ini",
                    "the overcoat's area is not written in keys that the printer knows; draw the card again",
                )
            )  # fmt: skip


def job_blocks(profile: MagicardProfile, panels: Sequence[Panel], unix_s: int, head_position: int) -> Iterator[bytes]:
    """The whole job for panels that `check_panels` accepts, in blocks. `unix_s`: the time the printer is told;
    `head_position`: REQ,INF field 16, for which the planes are moved on the head."""
    dots = shift.dots_for(head_position)
    head = job_head(profile.job.keys, marks(profile, panels, unix_s))
    moved = (_moved(panel, profile.raster.packing, dots) for panel in _planes(panels))
    return blocks(pieces(profile.job.guard_bytes, head, moved))


def marks(profile: MagicardProfile, panels: Sequence[Panel], unix_s: int) -> dict[str, str]:
    """What stands in the header for each mark of the profile's keys."""
    planes = list(_planes(panels))
    overcoat = next((panel.data.decode("ascii") for panel in panels if panel.name == _OVERCOAT), "OVROFF")
    raster = profile.raster
    return {
        "@time": f"TDT{min(max(unix_s, 0), _MAX_UNIX_S):08X}",
        "@planes": "IMF" + "".join(_LETTERS[panel.name] for panel in planes),
        "@window": f"XCO0,YCO0,WID{raster.height_lines},HGT{raster.width_dots}",
        "@overcoat": overcoat,
        "@ribbon": profile.fitted.command,
        "@sizes": ",".join(f"SZ{_LETTERS[panel.name]}{len(panel.data)}" for panel in planes),
    }


def job_head(keys: Sequence[str], values: Mapping[str, str]) -> bytes:
    """The header between 01h and the first plane; a key that is no mark is sent as it is written."""
    return b"," + ",".join(values.get(key, key) for key in keys).encode("ascii")


def pieces(guard_bytes: int, head: bytes, planes: Iterable[Panel]) -> Iterator[bytes]:
    """The job in its natural parts, each made only when it is due."""
    yield _GUARD * guard_bytes + _SOH + head + _FS
    for panel in planes:
        yield panel.data
        yield _FS + _LETTERS[panel.name].encode("ascii") + b":"
    yield _ETX


def blocks(parts: Iterable[bytes], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The same bytes in blocks of one size; the last may be shorter."""
    rest = bytearray()
    for part in parts:
        for start in range(0, len(part), size):
            rest += part[start : start + size]
            if len(rest) >= size:
                yield bytes(rest[:size])
                del rest[:size]
    if rest:
        yield bytes(rest)


def _planes(panels: Sequence[Panel]) -> Iterator[Panel]:
    for name in _LETTERS:
        yield from (panel for panel in panels if panel.name == name)


def _moved(panel: Panel, packing: str, dots: int) -> Panel:
    if not dots:
        return panel
    return Panel(panel.name, panel.levels, shift.move(panel.data, packing, dots))


def _is_overcoat(data: bytes, raster: Raster) -> bool:
    """Whether these are the whole card and at most two holes, all within the card."""
    match = _KEYS.fullmatch(data.decode("ascii", "replace"))
    if match is None:
        return False
    numbers = [int(group) for group in match.groups() if group is not None]
    areas = (numbers[at : at + 4] for at in range(0, len(numbers), 4))
    return all(x1 <= x2 < raster.height_lines and y1 <= y2 < raster.width_dots for x1, y1, x2, y2 in areas)
