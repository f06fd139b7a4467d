"""The daemon's side of the rendering child: start it, ask it, and start a new one when it hangs, dies or talks nonsense.

Imports neither numpy nor Pillow. One request at a time. A request that is given up, for whatever reason, costs the child its
life: its late answer must never be taken for the answer to the next request.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import controller
from controller.cards import child_wire
from controller.cards.problems import as_error, refusal
from controller.cards.raster import FRONT, Raster
from controller.errors import Problem, StationError, StoreError, StoreFull
from controller.records.prr import PHOTO_MAX_BYTES, SIGNATURE_MAX_BYTES

REQUEST_S = 15.0  # a card takes 0.1 s; a cold start on a Raspberry Pi from its SD card takes some seconds more
_CHILD = ("-P", "-m", "controller.cards.render_child")  # -P: nothing is imported from the working directory
_REAP_S = 5.0  # a killed process that is not gone by then hangs in the kernel; it is left to init
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # threads cost address space
# glibc: keep what a card needed for the next one. Else 1,800 pages are given back and asked for again, a third of a card's time.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(16 << 20), "MALLOC_TRIM_THRESHOLD_": str(32 << 20)}
# Of the daemon's environment the child gets no more than this: secrets stay out.
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")


class Renderer:
    """Checks images, draws cards for one raster and shows them, in a guarded child process."""

    def __init__(
        self, raster: Raster, *, layout: Path | None = None, icc: Path | None = None, request_s: float = REQUEST_S
    ) -> None:
        """`layout`: a layout file in place of the installed one; `icc`: the printer's ICC profile (see `read_icc`).

        `request_s` bounds every request, with the child's start where one is needed. Starts nothing yet.
        """
        self._raster = raster
        self._files = [
            part for name, path in (("--layout", layout), ("--icc", icc)) if path is not None for part in (name, str(path))
        ]
        self._request_s = request_s
        self._turn = asyncio.Lock()
        self._turns = 0
        self._child: Process | None = None
        self._doomed = False  # killed or about to be: not to be asked again

    @property
    def pid(self) -> int | None:
        """The child's process id, for its memory and CPU figures; None while there is none."""
        return None if self._child is None or self._doomed else self._child.pid

    async def start(self) -> None:
        """Start the child and do not wait until it has loaded: the first request does. Raises RendererFailed (render.crashed)."""
        async with self._turn:
            try:
                await self._living_child()
            except OSError as error:
                raise refusal("render.crashed") from error

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """Decode both pictures in full. Raises RenderError with the place and reason of the first that cannot be used."""
        for data, cap_bytes, place in (
            (photo, PHOTO_MAX_BYTES, "photo.data"),
            (signature, SIGNATURE_MAX_BYTES, "signature.data"),
        ):
            if len(data) > cap_bytes:
                raise refusal("image.too_large", place, limit=cap_bytes)  # the child would not take the frame
        await self._ask({"do": "check_images", "photo": _base64(photo), "signature": _base64(signature)})

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Draw the stored record into a panel file. Raises RenderError with the reason for a hold, StoreFull, StoreError."""
        request = {"do": "render", "record": str(record_path), "out": str(out_path)}
        await self._ask({**request, "raster": self._raster.to_json()})

    async def picture(self, panels_path: Path, out_path: Path, side: str = FRONT) -> None:
        """Write a PNG of one side of a card as its panel file's dots will look. Raises RenderError, StoreFull, StoreError."""
        request = {"do": "picture", "panels": str(panels_path), "out": str(out_path), "side": side}
        await self._ask({**request, "raster": self._raster.to_json()})

    async def close(self) -> None:
        """Kill the child and wait until it is gone. Closing twice is fine; a later request starts a new child."""
        async with self._turn:
            self._kill()
            await self._reap()

    async def _ask(self, request: Mapping[str, Any]) -> None:
        async with self._turn:
            self._turns += 1
            reply = await self._answer(child_wire.encode({**request, "turn": self._turns}))
        if reply["ok"] is not True:
            raise _ERRORS[reply["kind"]](reply)

    async def _answer(self, frame: bytes) -> dict[str, Any]:
        answered = False
        try:
            async with asyncio.timeout(self._request_s):
                reply = await self._exchange(frame)
            answered = True
        except TimeoutError as error:
            raise refusal("render.timeout", seconds=f"{self._request_s:g}") from error
        except (OSError, EOFError, ValueError) as error:
            raise refusal("render.crashed") from error
        finally:
            if not answered:  # also when this task is cancelled: killing does not wait
                self._kill()
        return reply

    async def _exchange(self, frame: bytes) -> dict[str, Any]:
        child = await self._living_child()
        assert child.stdin is not None  # both are pipes
        assert child.stdout is not None
        child.stdin.write(frame)
        await child.stdin.drain()
        size_bytes = child_wire.body_size_bytes(await child.stdout.readexactly(child_wire.LENGTH_BYTES))
        return child_wire.read_reply(await child.stdout.readexactly(size_bytes), self._turns)

    async def _living_child(self) -> Process:
        child = self._child
        if child is not None and not self._doomed and child.returncode is None:
            return child
        self._kill()
        await self._reap()
        self._child, self._doomed = await self._spawn(), False
        return self._child

    async def _spawn(self) -> Process:
        options = ("--parent", str(os.getpid()), *self._files)
        return await asyncio.create_subprocess_exec(
            sys.executable, *_CHILD, *options, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
        )

    def _kill(self) -> None:
        self._doomed = True
        if self._child is not None and self._child.returncode is None:
            self._child.kill()

    async def _reap(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        child.stdin.close()
        try:
            async with asyncio.timeout(_REAP_S):
                await child.communicate()  # reads what is left, so that both pipes close
        except TimeoutError:
            return


def _environment() -> dict[str, str]:
    """What the child needs: the same code as ours, and one thread."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **_ONE_THREAD, **_KEEP_MEMORY, "PYTHONPATH": str(Path(controller.__file__).parent.parent)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


_ERRORS: dict[str, Callable[[Mapping[str, Any]], StationError]] = {
    "render": lambda reply: as_error(Problem(**reply["problem"])),
    "store": lambda reply: StoreError(reply["text"]),
    "store_full": lambda reply: StoreFull(reply["text"]),
}
