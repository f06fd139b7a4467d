"""A picture of what a person would see on a finished card, made from the dots that really arrived, in a process of its own.

Y, M, C dye on white, K on top, places that the varnish leaves bare a sixteenth darker (docs/rendering.md states the sums); a
smaller second picture shows the varnish, so that its holes can be seen. Files are named by blank id, never by person. The chip is
written beside it as JSON, and the decoded dots of every panel as NAME.dots.npz.
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

from hwsim.dots import picture
from hwsim.world import Printed

MAX_PENDING = 50  # cards waiting for their picture, some 2 MB each; beyond that pictures are skipped and counted
_DYES = {"y": 2, "m": 1, "c": 0}  # the channel of RGB that each dye takes light from
_SMALL = (508, 324)
_PR_SET_PDEATHSIG = 1

Pixels = NDArray[np.float32]


class Pictures:
    """A queue of finished cards; one child process makes the files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_start_child)
        self._pending: set[Future[None]] = set()
        self.skipped = 0

    def add(self, name: str, printed: list[Printed], facts: dict[str, Any]) -> None:
        """Make the files of one card, soon."""
        if len(self._pending) >= MAX_PENDING:
            self.skipped += 1
            return
        future = self._pool.submit(save_card, self._folder, name, printed, facts)
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)

    async def finish(self) -> None:
        """Wait for all files and end the child. Raises what went wrong in it."""
        waiting = [asyncio.wrap_future(future) for future in list(self._pending)]
        try:
            await asyncio.gather(*waiting)
        finally:
            await asyncio.to_thread(self._pool.shutdown)


def save_card(folder: Path, name: str, printed: list[Printed], facts: dict[str, Any]) -> None:
    """Write NAME.json, NAME.dots.npz, and for each printed side NAME.png (back: NAME.back.png) and NAME.overlay.png."""
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    np.savez_compressed(folder / f"{name}.dots.npz", **card_dots(printed))  # type: ignore[arg-type]  # its stub takes no ** of arrays
    for side in dict.fromkeys(one.side for one in printed):
        face, varnish = compose([one for one in printed if one.side == side])
        stem = name if side == "front" else f"{name}.{side}"
        face.save(folder / f"{stem}.png", dpi=(300, 300))
        varnish.save(folder / f"{stem}.overlay.png")


def card_dots(printed: list[Printed]) -> dict[str, NDArray[np.uint8]]:
    """The decoded dots of each panel that is on a card, upright: "front_y" -> rows x columns, 0 to levels - 1. Of a panel that
    was printed twice, the later one."""
    found = {f"{one.side}_{one.panel}": picture(one) for one in printed}
    return {name: dots for name, dots in found.items() if dots is not None}


def compose(printed: list[Printed]) -> tuple[Image.Image, Image.Image]:
    """The upright face of one side, and the same small with the varnish tinted blue and bare places left as they are."""
    form = printed[0].form
    light = np.ones((form.width_dots, form.height_lines, 3), np.float32)
    varnish = np.zeros(light.shape[:2], np.bool_)
    for one in printed:
        amount = picture(one)
        if amount is None:
            continue
        if one.panel in _DYES:
            light[:, :, _DYES[one.panel]] *= 1 - amount.astype(np.float32) / (one.levels - 1)
        elif one.panel == "k":
            light[amount > 0] = 0
        else:
            varnish |= amount > 0
    tinted: Pixels = np.where(varnish[:, :, None], light * np.array((0.72, 0.84, 1.0), np.float32), light)
    face = _pixels(light)
    if any(one.panel == "o" and one.dots is not None for one in printed):
        face[~varnish] -= face[~varnish] // 16
    return Image.fromarray(face, "RGB"), Image.fromarray(_pixels(tinted), "RGB").resize(_SMALL, Image.Resampling.LANCZOS)


def _pixels(light: Pixels) -> NDArray[np.uint8]:
    return (light * 255).round().astype(np.uint8)


def _start_child() -> None:
    """The child gives way to the wires, leaves signals to its parent (who waits for its pictures), and dies with it."""
    os.nice(10)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
