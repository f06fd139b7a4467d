"""print-station run --config FILE"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import logging
import os
from pathlib import Path

from controller import app, logs
from controller.errors import StationError, StoreBroken
from controller.setup import read_setup

logger = logging.getLogger(__name__)

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3  # malloc.h
NEEDS_A_PERSON = 74  # EX_IOERR; systemd does not start the station again on it (RestartPreventExitStatus)
_LARGE_BYTES = 128 * 1024  # glibc's own value, until it raises it


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--config", type=Path, default=Path("/etc/print-station/station.toml"), metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon until SIGTERM; 0 after a clean stop, 1 when a part failed, NEEDS_A_PERSON when the storage is broken."""
    os.umask(0o077)  # database, spool and faces are personal data, whatever the folder's mode
    _give_memory_back()
    setup = read_setup(arguments.config)
    logs.configure()
    failures: list[BaseException] = []
    try:
        asyncio.run(app.run(setup))
    except* StationError as group:
        failures = _leaves(group)
    for error in failures:
        logger.critical("station failed", extra={"facts": {"error": type(error).__name__, "text": str(error)}})
    if any(isinstance(error, StoreBroken) for error in failures):
        return NEEDS_A_PERSON
    return 1 if failures else 0


def _give_memory_back() -> None:
    """Have large blocks returned to the system when they are freed. Left alone, glibc starts to keep them after the first panel,
    in one heap for each thread: 4 MiB more after an hour's cards. To be called before there are threads."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # other C libraries have none
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
