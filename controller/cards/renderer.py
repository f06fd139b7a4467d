"""The daemon's side of the rendering child: start it, ask it, and start a new one when it hangs, dies or talks nonsense.

Imports neither numpy nor Pillow. One request at a time. A request that is given up, for whatever reason, costs the child its life:
its late answer must never be taken for the answer to the next request.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import controller
from controller.cards import child_wire
from controller.cards.problems import refusal
from controller.cards.raster import Raster
from controller.errors import Problem, RenderError, StoreError, StoreFull

REQUEST_S = 15.0  # a card takes 0.1 s; a cold start on a Raspberry Pi from its SD card takes some seconds more
CHILD = ("-P", "-m", "controller.cards.render_child")  # -P: nothing is imported from the working directory
_REAP_S = 5.0  # a killed process that is not gone by then hangs in the kernel; it is left to init
_ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}  # threads cost address space
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")  # of the daemon's environment; secrets stay out


class Renderer:
    """Checks images and draws cards for one raster, in a guarded child process."""

    def __init__(self, raster: Raster, *, request_s: float = REQUEST_S, command: Sequence[str] = CHILD) -> None:
        """`command` is the Python command line of the child; its options are added."""
        self._raster = raster
        self._request_s = request_s
        self._command = tuple(command)
        self._turn = asyncio.Lock()
        self._child: Process | None = None

    async def start(self) -> None:
        """Start the child and do not wait until it has loaded: the first request does. Raises RenderError (render.crashed)."""
        async with self._turn:
            await self._living_child()

    async def check_images(self, photo: bytes, signature: bytes) -> None:
        """Decode both pictures in full. Raises RenderError with the place and reason of the first that cannot be used."""
        await self._ask({"do": "check_images", "photo": _base64(photo), "signature": _base64(signature)})

    async def render(self, record_path: Path, out_path: Path) -> None:
        """Draw the stored record into a panel file. Raises RenderError with the reason for a hold, StoreFull, StoreError."""
        request = {"do": "render", "record": str(record_path.absolute()), "out": str(out_path.absolute())}
        await self._ask({**request, "raster": self._raster.to_json()})

    async def close(self) -> None:
        """Kill the child and wait until it is gone. Closing twice is fine; a later request starts a new child."""
        async with self._turn:
            self._kill()
            await self._reap()

    async def _ask(self, request: Mapping[str, Any]) -> None:
        frame = child_wire.encode(request)
        child_wire.body_size_bytes(frame[: child_wire.LENGTH_BYTES])  # never send what the child would not take
        async with self._turn:
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
                if not answered:
                    self._kill()
        _raise_refusal(reply)

    async def _exchange(self, frame: bytes) -> dict[str, Any]:
        child = await self._living_child()
        assert child.stdin is not None  # both are pipes
        assert child.stdout is not None
        child.stdin.write(frame)
        await child.stdin.drain()
        size_bytes = child_wire.body_size_bytes(await child.stdout.readexactly(child_wire.LENGTH_BYTES))
        return _checked(child_wire.decode(await child.stdout.readexactly(size_bytes)))

    async def _living_child(self) -> Process:
        if self._child is not None and self._child.returncode is None and not _at_eof(self._child):
            return self._child
        self._kill()
        await self._reap()
        try:
            self._child = await self._spawn()
        except OSError as error:
            raise refusal("render.crashed") from error
        return self._child

    async def _spawn(self) -> Process:
        options = ("--parent", str(os.getpid()))
        return await asyncio.create_subprocess_exec(
            sys.executable, *self._command, *options, stdin=PIPE, stdout=PIPE, env=_environment(), start_new_session=True
        )

    def _kill(self) -> None:
        """Kill without waiting, so that it also works while this task is being cancelled."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()

    async def _reap(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(_REAP_S):
                await child.wait()
        except TimeoutError:
            return


def _environment() -> dict[str, str]:
    """What the child needs: the same code as ours, and one thread."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **_ONE_THREAD, "PYTHONPATH": str(Path(controller.__file__).parent.parent)}


def _at_eof(child: Process) -> bool:
    return child.stdout is None or child.stdout.at_eof()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, proven to have one of the known shapes. Raises ValueError."""
    if reply.get("ok") is True:
        return reply
    values = reply.get("problem", {}).values() if reply.get("kind") == "render" else [reply.get("text")]
    if reply.get("kind") not in _ERRORS or not all(isinstance(value, str) for value in values):
        raise ValueError("reply of an unknown shape")
    return reply


def _raise_refusal(reply: Mapping[str, Any]) -> None:
    if reply["ok"] is not True:
        raise _ERRORS[reply["kind"]](reply)


_ERRORS = {
    "render": lambda reply: RenderError(Problem(**reply["problem"])),
    "store": lambda reply: StoreError(reply["text"]),
    "store_full": lambda reply: StoreFull(reply["text"]),
}
