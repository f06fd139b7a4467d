"""The real PC/SC daemon with one virtual reader per lane and one on the desk (vpcd driver), for ``tools/sandbox`` only.

Facts: chip.md 6.1-6.3. Each entry has two slots (a lane's chip and SAM) and takes two TCP ports, needs its own copy of the
driver, and pcsc-lite stops at 16 readers: so at most 7 lanes and the desk. The card of a lane connects to ``vpcd_port(lane)``,
that on the desk to ``DESK_PORT``; pyscard sees ``reader_name(lane)`` and ``DESK_READER``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

VPCD = Path(__file__).resolve().parent.parent / "build" / "vpcd"  # Debian's vsmartcard-vpcd, unpacked by tools/bootstrap
PCSCD = "/usr/sbin/pcscd"
RUNTIME = Path("/run/pcscd")  # compiled into pcscd and libpcsclite
SANDBOX_VARIABLE = "PRINT_STATION_SANDBOX"
MAX_LANES = 7  # 16 readers at most, two per entry, and one entry is the desk
START_S = 10.0  # loaded build machines; normally 20 ms
STOP_S = 10.0  # pcscd lets its threads end first; normally under 1 s
POLL_S = 0.005

_ENTRY = """\
FRIENDLYNAME "hw-sim {name}"
DEVICENAME   /dev/null:{port}
LIBPATH      {driver}
CHANNELID    {port}
"""


def vpcd_port(lane: int) -> int:
    """The TCP port on which the reader of lane 1, 2, ... waits for its card."""
    return 35963 + 2 * (lane - 1)


DESK_PORT = vpcd_port(MAX_LANES + 1)
DESK_READER = "hw-sim desk 00 00"


def reader_name(lane: int) -> str:
    """The PC/SC name of the reader of lane 1, 2, ..."""
    return f"hw-sim lane {lane} 00 00"


def sam_name(lane: int) -> str:
    """The PC/SC name of the SAM's slot beside it; its card connects to the port after ``vpcd_port(lane)``."""
    return f"hw-sim lane {lane} 00 01"


class Pcscd:
    """One pcscd on /run/pcscd. Its process is found by pid file, so any process of the sandbox can stop and start it."""

    def __init__(self, lanes: int = 1, folder: Path = Path("/run/readers")) -> None:
        """``folder`` receives configuration, driver copies and log; its path has no spaces, pcscd could not read them."""
        if not 1 <= lanes <= MAX_LANES:
            raise ValueError(f"{lanes} lanes: pcscd can serve 1 to {MAX_LANES}")
        self._config = folder / "config"  # pcscd reads every file in it as configuration, so nothing else may lie there
        self._drivers = folder / "drivers"
        self._log = folder / "pcscd.log"
        self._lanes = lanes
        self._child: int | None = None  # its pid, while it is ours to wait for

    def start(self) -> None:
        """Start and wait until clients can connect. ``RuntimeError`` outside the sandbox, when it runs already or fails."""
        if SANDBOX_VARIABLE not in os.environ:
            raise RuntimeError("pcscd is started only inside tools/sandbox: outside it would take the place of the machine's own")
        if self.pid() is not None:
            raise RuntimeError(f"pcscd runs already, pid {self.pid()}")
        self._write_config()
        _remove_leftovers()
        command = [PCSCD, "--foreground", "-c", str(self._config), *_polkit_option()]
        # Not Popen: pcscd may outlive the process that starts it, and Popen complains of that.
        self._child = os.posix_spawn(PCSCD, command, os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self._log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ])  # fmt: skip
        self._wait_for_socket()

    def stop(self) -> None:
        """End it as systemd would. Nothing happens when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die at once, socket and pid file left behind. Nothing happens when it does not run."""
        self._end(signal.SIGKILL)

    def pid(self) -> int | None:
        """The process id of the running pcscd, None when there is none. Says nothing about one that is frozen."""
        try:
            pid = int((RUNTIME / "pcscd.pid").read_text().strip("\n\0"))
        except (FileNotFoundError, ValueError):
            return None
        return pid if _alive(pid) else None

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + STOP_S
        while _alive(pid):
            if time.monotonic() > deadline:
                raise RuntimeError(f"pcscd (pid {pid}) did not end within {STOP_S} s of {how.name}")
            time.sleep(POLL_S)
        self._has_ended()

    def _write_config(self) -> None:
        self._config.mkdir(parents=True, exist_ok=True)
        self._drivers.mkdir(exist_ok=True)
        driver = next(path for path in VPCD.rglob("libifdvpcd.so*") if not path.is_symlink())
        ports = {f"lane {lane}": vpcd_port(lane) for lane in range(1, self._lanes + 1)} | {"desk": DESK_PORT}
        for name, port in ports.items():
            copy = self._drivers / f"libifdvpcd-{port}.so"
            shutil.copyfile(driver, copy)
            (self._config / name.replace(" ", "-")).write_text(_ENTRY.format(name=name, port=port, driver=copy))

    def _wait_for_socket(self) -> None:
        deadline = time.monotonic() + START_S
        while not (RUNTIME / "pcscd.comm").exists():
            if self._has_ended() or time.monotonic() > deadline:
                raise RuntimeError(f"pcscd did not start: {self._log.read_text()}")
            time.sleep(POLL_S)

    def _has_ended(self) -> bool:
        """Whether the process that we started is gone; collects it."""
        if self._child is None:
            return True
        try:
            ended = os.waitpid(self._child, os.WNOHANG)[0] != 0
        except ChildProcessError:  # process 1 of a sandbox collects every orphan, and this child with them
            ended = True
        if ended:
            self._child = None
        return ended


def _remove_leftovers() -> None:
    for name in ("pcscd.comm", "pcscd.pid"):
        (RUNTIME / name).unlink(missing_ok=True)


def _polkit_option() -> list[str]:
    """Debian 13's pcscd asks polkit, which the sandbox has not; Debian 12's does not know the option."""
    usage = subprocess.run([PCSCD, "--help"], capture_output=True, text=True, check=False)
    return ["--disable-polkit"] if "--disable-polkit" in usage.stdout + usage.stderr else []


def _alive(pid: int) -> bool:
    """Whether the process exists and is no zombie waiting for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
