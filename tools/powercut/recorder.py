"""Builds the recorder and says how a process is started under it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("recorder.c")
BUILT = Path(__file__).parents[2] / "build" / "powercut" / "recorder.so"
MARK_FD = 999  # as in recorder.c
_FLAGS = ("-std=gnu11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")


def build() -> Path:
    """Compile the recorder unless it is newer than its source; returns the library. Raises CalledProcessError."""
    if not BUILT.exists() or BUILT.stat().st_mtime < SOURCE.stat().st_mtime:
        BUILT.parent.mkdir(parents=True, exist_ok=True)
        fresh = BUILT.with_name(f"recorder.{os.getpid()}.so")  # two test runs may build at once
        subprocess.run(["gcc", *_FLAGS, "-o", fresh, SOURCE], check=True)
        fresh.rename(BUILT)
    return BUILT


def environment(root: Path, trace: Path, deaf: Path | None = None) -> Mapping[str, str]:
    """The environment of a process whose changes below `root` are appended to `trace`.

    With `deaf`, an fsync of that folder is left out, as by a program that forgot it.
    """
    recording = {"LD_PRELOAD": str(build()), "POWERCUT_ROOT": str(root.resolve()), "POWERCUT_TRACE": str(trace)}
    return {**os.environ, **recording, **({} if deaf is None else {"POWERCUT_DEAF": str(deaf.resolve())})}


def mark(text: str) -> None:
    """Put a mark into the trace of this process. Raises OSError when it does not run under the recorder."""
    os.write(MARK_FD, text.encode())
