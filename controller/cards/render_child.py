"""The child process that decodes strangers' pictures and draws cards: `python -m controller.cards.render_child`.

Reads requests on stdin and answers on stdout as `child_wire` says, one at a time, until stdin ends. Its memory, file size and
core dump are limited, it dies with the daemon, and stderr never holds anything of a record: an error nobody expected is
reported as its type and line only, and ends the process.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from controller.cards import child_wire
from controller.cards.colour import DyeModel, ProfiledColour
from controller.cards.face import Face
from controller.cards.icc import read_icc
from controller.cards.images import harden_decoders
from controller.cards.layout_file import installed_layout, read_layout
from controller.cards.panel_file import read_panel_file, write_panel_file
from controller.cards.picture import write_picture
from controller.cards.problems import problem, refusal
from controller.cards.raster import Raster
from controller.errors import ConfigError, Problem, RecordRefused, RenderError, StoreError, StoreFull
from controller.records.intake import load_stored
from controller.records.prr import Record

MEMORY_MB = 512  # address space; a face takes some 250 MB of it, most of it never touched
_FILE_CAP_BYTES = 32 << 20  # a card side at 600 dpi takes 8 MB
_RECORD_CAP_BYTES = 1 << 20  # a stored record is at most 360 kB
_USUAL_DPI = 300
_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Run until stdin ends."""
    arguments = _arguments()
    sys.excepthook = _report_without_content
    die_with_parent(arguments.parent)
    limit_resources(arguments.memory_mb << 20)
    harden_decoders()
    serve(sys.stdin.buffer, sys.stdout.buffer, _Desk(arguments.layout, arguments.icc))


class _Desk:
    """Answers requests; keeps the loaded face between them."""

    def __init__(self, layout: Path | None, icc: Path | None) -> None:
        self._commands: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "check_images": self._check_images,
            "render": self._render,
            "picture": self._picture,
        }
        self._face: Face | None = None
        self._fault: Problem | None = None  # why no face can be drawn on this machine
        try:
            self._face = Face(installed_layout() if layout is None else read_layout(layout), _dyes(icc))
            self._face.warm(_USUAL_DPI)
        except RenderError as error:
            self._fault = error.problem
        except ConfigError as error:
            self._fault = problem("layout.broken", "layout", detail=str(error))

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked and say how it went."""
        try:
            self._commands[request["do"]](request)
        except RenderError as error:
            return _no(error.problem)
        except MemoryError:
            return _no(problem("render.memory", ""))
        except StoreFull as error:
            return {"ok": False, "kind": "store_full", "text": str(error)}
        except StoreError as error:
            return {"ok": False, "kind": "store", "text": str(error)}
        return {"ok": True}

    def _check_images(self, request: Mapping[str, Any]) -> None:
        self._ready_face().check_images(base64.b64decode(request["photo"]), base64.b64decode(request["signature"]))

    def _render(self, request: Mapping[str, Any]) -> None:
        raster = Raster.from_json(request["raster"])
        panels = self._ready_face().render(_read_record(Path(request["record"])), raster)
        write_panel_file(Path(request["out"]), raster.name, panels)

    def _picture(self, request: Mapping[str, Any]) -> None:
        raster = Raster.from_json(request["raster"])
        write_picture(Path(request["out"]), read_panel_file(Path(request["panels"])), raster, request["side"])

    def _ready_face(self) -> Face:
        if self._fault is not None:
            raise RenderError(self._fault)
        assert self._face is not None  # it is missing only together with a fault
        return self._face


def serve(requests: BinaryIO, replies: BinaryIO, desk: _Desk) -> None:
    """Answer every request until the stream ends. A garbled request ends the process: the peer can only be broken."""
    while prefix := requests.read(child_wire.LENGTH_BYTES):
        size_bytes = child_wire.body_size_bytes(prefix)
        body = requests.read(size_bytes)
        if len(body) != size_bytes:
            return
        request = child_wire.decode(body)
        replies.write(child_wire.encode({**desk.answer(request), "turn": request["turn"]}))
        replies.flush()


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the parent dies; exit at once when it is dead already."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent_pid:
        sys.exit("render child: the daemon is gone")


def limit_resources(memory_bytes: int) -> None:
    """Cap memory and file size, leave no core dump (it would hold a face and a name), and make files private."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_CAP_BYTES, _FILE_CAP_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)


def _dyes(icc: Path | None) -> DyeModel | None:
    if icc is None:
        return None
    try:
        return ProfiledColour(read_icc(icc))
    except ConfigError as error:  # it was sound when the station started
        raise refusal("icc.unusable", detail=error.problems[0].en) from error


def _read_record(path: Path) -> Record:
    try:
        with path.open("rb") as file:
            return load_stored(file.read(_RECORD_CAP_BYTES))
    except OSError as error:
        raise refusal("render.record", detail=os.strerror(error.errno or 0)) from error
    except RecordRefused as error:
        raise RenderError(error.problems[0]) from error


def _no(why: Problem) -> dict[str, Any]:
    return {"ok": False, "kind": "render", "problem": {"code": why.code, "place": why.place, "id": why.id, "en": why.en}}


def _report_without_content(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    frames = traceback.extract_tb(trace)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    sys.stderr.write(f"render child: {kind.__name__} at {where}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="render-child", description="Internal: started by print-station.")
    parser.add_argument("--parent", type=int, required=True, help="process id of the daemon")
    parser.add_argument("--layout", type=Path, help="layout file (default: the installed one)")
    parser.add_argument("--icc", type=Path, help="the printer's ICC profile")
    parser.add_argument("--memory-mb", type=int, default=MEMORY_MB, help="limit of the address space")
    return parser.parse_args()


if __name__ == "__main__":
    main()
