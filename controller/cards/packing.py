"""Dots of an upright card to the bytes of one panel, and back: which packing does it, and whether the sizes agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from controller.cards import overcoat, packing_evolis, packing_kge
from controller.cards.dots import Dots
from controller.cards.problems import refusal
from controller.cards.raster import Raster, RasterPanel

VARIABLE = 0  # a size_bytes: the panel is as long as its content


@dataclass(frozen=True, slots=True)
class _Packing:
    """One way of writing dots as bytes. `size_bytes`: of a panel; None when the head cannot take such a picture."""

    size_bytes: Callable[[Raster, RasterPanel], int | None]
    pack: Callable[[Dots, RasterPanel], bytes]
    unpack: Callable[[bytes, Raster, RasterPanel], Dots]


_OVERCOAT = _Packing(
    lambda _raster, _panel: VARIABLE,
    lambda dots, _panel: overcoat.pack(dots),
    lambda data, raster, _panel: overcoat.unpack(data, (raster.width_dots, raster.height_lines)),
)


def _kge(*, mirrored: bool) -> _Packing:
    return _Packing(
        packing_kge.size_bytes, partial(packing_kge.pack, mirrored=mirrored), partial(packing_kge.unpack, mirrored=mirrored)
    )


_BITS = {
    "evolis": _Packing(packing_evolis.size_bytes, packing_evolis.pack, packing_evolis.unpack),
    "kge2": _kge(mirrored=False),
    "kge": _kge(mirrored=True),
}
PACKINGS = tuple(_BITS)
_WITH_OVERCOAT_KEYS = ("kge2", "kge")


def check_raster(raster: Raster) -> None:
    """Raise RenderError when the packing is unknown or a panel's size is not exactly what its dots need."""
    for panel in raster.panels:
        expected = _packing(raster, panel).size_bytes(raster, panel)
        if expected is None:
            raise refusal("raster.head", packing=raster.packing, width=raster.height_lines, height=raster.width_dots)
        if panel.size_bytes != expected:
            raise refusal("raster.size", panel=panel.name, expected=expected, actual=panel.size_bytes)


def pack(dots: Dots, raster: Raster, panel: RasterPanel) -> bytes:
    """The panel's bytes, exactly `panel.size_bytes` unless that is VARIABLE.

    Raises RenderError for any other size and for an overcoat the printer cannot make, ValueError for too high a value.
    """
    if dots.shape != (raster.width_dots, raster.height_lines):
        raise refusal("raster.shape", panel=panel.name, width=dots.shape[1], height=dots.shape[0])
    if int(dots.max()) >= panel.levels:
        raise ValueError(f"panel {panel.name}: a dot is above level {panel.levels - 1}")
    data = _packing(raster, panel).pack(dots, panel)
    if panel.size_bytes not in (VARIABLE, len(data)):
        raise refusal("raster.size", panel=panel.name, expected=len(data), actual=panel.size_bytes)
    return data


def unpack(data: bytes, raster: Raster, panel: RasterPanel) -> Dots:
    """The upright dots of a packed panel: the inverse of `pack`. Raises RenderError when the data is no such panel."""
    if panel.size_bytes not in (VARIABLE, len(data)):
        raise refusal("raster.size", panel=panel.name, expected=panel.size_bytes, actual=len(data))
    return _packing(raster, panel).unpack(data, raster, panel)


def _packing(raster: Raster, panel: RasterPanel) -> _Packing:
    if raster.packing not in _BITS:
        raise refusal("raster.unknown_packing", packing=raster.packing)
    return _OVERCOAT if panel.name == "o" and raster.packing in _WITH_OVERCOAT_KEYS else _BITS[raster.packing]
