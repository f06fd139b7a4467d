"""Ends another process at an exact moment: what a power cut, or a crash, is to a program."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from hwsim.errors import SimError

GONE_S = 5.0  # a killed process needs milliseconds; with a core of memory to give back on a busy machine, more
_POLL_S = 0.0002
PCSCD_PID = Path("/run/pcscd/pcscd.pid")


def send_signal(pid: int, number: int) -> None:
    """Send a signal; SIGKILL is waited for, so that nothing of the process runs any more. Blocks everything here on purpose.

    Raises SimError when there is no such process, or when it does not die.
    """
    try:
        os.kill(pid, signal.Signals(number))
    except (ProcessLookupError, PermissionError) as error:
        raise SimError(f"process {pid} cannot be sent signal {number}: {error.strerror}") from error
    deadline = time.monotonic() + GONE_S
    while number == signal.SIGKILL and _runs(pid):
        if time.monotonic() > deadline:
            raise SimError(f"process {pid} still runs {GONE_S:g} s after it was killed")
        time.sleep(_POLL_S)


def signal_pcscd(number: int) -> None:
    """The same to the pcscd that runs now. Raises SimError."""
    try:
        pid = int(PCSCD_PID.read_text(encoding="ascii").strip("\n\0"))
    except (OSError, ValueError) as error:
        raise SimError("pcscd does not run") from error
    send_signal(pid, number)


def _runs(pid: int) -> bool:
    """Whether any thread is left: the first one may be a zombie while others still hold the sockets."""
    process = Path(f"/proc/{pid}")
    try:
        state = (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        threads = len(list((process / "task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" or threads > 1
