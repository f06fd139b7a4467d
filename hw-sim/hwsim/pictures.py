"""A picture of what a person would see on a finished card, made from the dots that really arrived, in a process of its own.

Y, M, C dye on white, K on top; a smaller second picture shows the varnish, so that its holes can be seen. Files are named
by blank id, never by person. The chip is written beside it as JSON.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hwsim.devices.evolis_panels import Geometry, unpack, upright
from hwsim.world import Printed

MAX_PENDING = 50  # cards waiting for their picture, some 2 MB each; beyond that pictures are skipped and counted
_DYES = {"y": 2, "m": 1, "c": 0}  # the channel of RGB that each dye takes light from
_SMALL = (508, 324)
_PR_SET_PDEATHSIG = 1

Pixels = NDArray[np.float32]


class Pictures:
    """A queue of finished cards; one child process makes the files."""

    def __init__(self, folder: Path, geometry: Geometry) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._geometry = folder, geometry
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_start_child)
        self._pending: set[Future[None]] = set()
        self.skipped = 0

    def add(self, name: str, printed: list[Printed], facts: dict[str, Any]) -> None:
        """Make the files of one card, soon."""
        if len(self._pending) >= MAX_PENDING:
            self.skipped += 1
            return
        future = self._pool.submit(save_card, self._folder, name, printed, facts, self._geometry)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)

    async def finish(self) -> None:
        """Wait for all files and end the child. Raises what went wrong in it."""
        waiting = [asyncio.wrap_future(future) for future in list(self._pending)]
        try:
            await asyncio.gather(*waiting)
        finally:
            await asyncio.to_thread(self._pool.shutdown)


def save_card(folder: Path, name: str, printed: list[Printed], facts: dict[str, Any], geometry: Geometry) -> None:
    """Write NAME.json, and for each printed side NAME.png (back: NAME.back.png) and NAME.overlay.png."""
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for side in dict.fromkeys(one.side for one in printed):
        face, varnish = compose([one for one in printed if one.side == side], geometry)
        stem = name if side == "front" else f"{name}.{side}"
        face.save(folder / f"{stem}.png", dpi=(300, 300))
        varnish.save(folder / f"{stem}.overlay.png")


def compose(printed: list[Printed], geometry: Geometry) -> tuple[Image.Image, Image.Image]:
    """The upright face, and the same small with the varnish tinted blue and bare places left as they are."""
    light = np.ones((geometry.width_dots, geometry.height_lines, 3), np.float32)
    varnish = np.zeros(light.shape[:2], np.bool_)
    for one in printed:
        if one.dots is None:
            continue
        amount = upright(unpack(one.dots, one.levels, geometry))
        if one.panel in _DYES:
            light[:, :, _DYES[one.panel]] *= 1 - amount.astype(np.float32) / (one.levels - 1)
        elif one.panel == "k":
            light[amount > 0] = 0
        else:
            varnish |= amount > 0
    tinted: Pixels = np.where(varnish[:, :, None], light * np.array((0.72, 0.84, 1.0), np.float32), light)
    return _image(light), _image(tinted).resize(_SMALL, Image.Resampling.LANCZOS)


def _image(light: Pixels) -> Image.Image:
    return Image.fromarray((light * 255).round().astype(np.uint8), "RGB")


def _start_child() -> None:
    """The child gives way to the wires, leaves signals to its parent (who waits for its pictures), and dies with it."""
    os.nice(10)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
