"""A CUPS of its own, for the kill test only: Debian's cupsd with all its folders below one, a Unix socket and one raw queue.

`tools/bootstrap` unpacks it below build/cups and never installs it: installed, it would start a print service on the machine.
It touches no folder, port or service of the machine, and ends with the process that started it. Runs as root, as any user and,
where root is only a name in a user namespace (`tools/sandbox` of an ordinary user), as a user of a further namespace.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tools.crash.ipp import PRINTER, IppClient, IppError

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / "build" / "cups"
BACKEND = Path(__file__).with_name("cups_backend.py")
START_S = 20.0  # normally 20 ms
STOP_S = 30.0  # it writes every job first (reliability.md 3.4: 4.1 s for 10,000)
POLL_S = 0.01
LOG_CHARACTERS = 2000
SOCKET_PATH_LIMIT_BYTES = 107
PRINT_S = 0.1  # as in reliability.md 3.4
SOME_USER = 1000  # of the further namespace; any number but 0

Settings = Mapping[str, str]
DEBIAN: Settings = {}
SAFEST: Settings = {"DirtyCleanInterval": "0", "SyncOnClose": "Yes"}

# cups-files.conf, below `folder`. What is not named here stays as Debian compiled it.
_FILES_CONF = """\
AccessLog {folder}/access
ErrorLog {folder}/log/error
PageLog {folder}/page
CacheDir {folder}/cache
DataDir {data}
DocumentRoot {folder}/etc
RequestRoot {folder}/spool
ServerBin {folder}/bin
ServerKeychain {folder}/etc
ServerRoot {folder}/etc
StateDir {folder}/state
TempDir {folder}/spool/tmp
Printcap
"""
_FOLDERS = ("bin/backend", "cache", "etc/ppd", "log", "spool/tmp", "state")
_FILE_SETTINGS = {"SyncOnClose"}  # these stand in cups-files.conf, the others in cupsd.conf
_INWARDS: Settings = {"Browsing": "No", "WebInterface": "No"}  # else Debian's cupsd.conf is used as it is


class CupsError(Exception):
    """cupsd did not start, answer or end; the text holds the end of its log."""


class PrivateCupsd:
    """One cupsd and what it printed. A context manager: whatever happens, it is ended."""

    def __init__(self, folder: Path, settings: Settings = DEBIAN, print_s: float = PRINT_S) -> None:
        """``folder`` is empty or absent and has a short path without spaces. A print takes ``print_s``."""
        self.socket = folder / "sock"
        if " " in str(folder) or len(os.fsencode(self.socket)) > SOCKET_PATH_LIMIT_BYTES:
            raise CupsError(f"{folder}: the path must be short and without spaces")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        _write(folder, settings, print_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def start(self) -> None:
        """Start it and wait until it answers; after `kill` on what that left on disk. Ask `missing` first."""
        etc = self._folder / "etc"
        daemon = [str(UNPACKED / "usr/sbin/cupsd"), "-f", "-c", str(etc / "cupsd.conf"), "-s", str(etc / "cups-files.conf")]
        command = [*_identity(), "setpriv", "--pdeathsig", "KILL", *daemon]
        with (self._folder / "log" / "output").open("ab") as output:
            self._process = subprocess.Popen(command, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        (self._folder / "pid").write_text(f"{self._process.pid}")
        self._until_it_answers()

    def kill(self) -> None:
        """kill -9; its backend dies in the same moment, as when the machine does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def prints(self) -> list[str]:
        """The title of every print so far, in order."""
        path = self._folder / "prints"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def printing(self) -> str:
        """The title of the print that was begun last."""
        path = self._folder / "printing"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def log(self) -> str:
        """The end of cupsd's own words."""
        return "".join(path.read_text(errors="replace") for path in sorted((self._folder / "log").iterdir()))[-LOG_CHARACTERS:]

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        with IppClient(self.socket) as client:
            while True:
                try:
                    client.unfinished()
                except IppError as error:
                    exit_code = None if self._process is None else self._process.poll()
                    if exit_code is not None or time.monotonic() > deadline:
                        raise CupsError(f"cupsd did not start (exit code {exit_code}): {self.log()}") from error
                    time.sleep(POLL_S)
                else:
                    return

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            raise CupsError("cupsd was never started")
        self._process.send_signal(how)  # does nothing when it has ended
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise CupsError(f"cupsd did not end within {STOP_S} s of {how.name}: {self.log()}") from error


def missing() -> str | None:
    """Why cupsd cannot run here, None when it can."""
    if not (UNPACKED / "usr/sbin/cupsd").exists():
        return f"{UNPACKED.relative_to(ROOT)}/usr/sbin/cupsd is missing: run tools/bootstrap"
    trial = subprocess.run([*_identity(), "setpriv", "--pdeathsig", "KILL", "true"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        return f"this user may not make the namespace that cupsd needs: {trial.stderr.strip()}"
    libraries = subprocess.run(
        ["ldd", UNPACKED / "usr/sbin/cupsd"], env=_environment(), capture_output=True, text=True, check=False
    )
    absent = re.findall(r"(\S+) => not found", libraries.stdout)
    return f"libraries of cupsd are missing: {' '.join(absent)}" if absent else None


def version() -> str:
    """The Debian version that was unpacked."""
    return (UNPACKED / "version").read_text().strip()


def _write(folder: Path, settings: Settings, print_s: float) -> None:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    data = UNPACKED / "usr/share/cups"
    of_files = {name: value for name, value in settings.items() if name in _FILE_SETTINGS}
    of_daemon = {name: value for name, value in settings.items() if name not in _FILE_SETTINGS}
    (folder / "etc/cups-files.conf").write_text(_FILES_CONF.format(folder=folder, data=data) + _lines(of_files))
    debian = (data / "cupsd.conf.default").read_text()
    (folder / "etc/cupsd.conf").write_text(_daemon_conf(debian, {"Listen": str(folder / "sock"), **_INWARDS, **of_daemon}))
    (folder / "etc/printers.conf").write_text(f"<Printer {PRINTER}>\nDeviceURI fake:/\nState Idle\nAccepting Yes\n</Printer>\n")
    (folder / "bin/daemon").symlink_to(UNPACKED / "usr/lib/cups/daemon")
    backend = folder / "bin/backend/fake"
    words = [sys.executable, "-IS", str(BACKEND), str(folder), str(print_s)]
    backend.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    backend.chmod(0o700)  # for its owner only: a cupsd of root then runs it as root, not as lp


def _daemon_conf(debian: str, settings: Settings) -> str:
    """Debian's file with some lines in the place of its own."""
    kept = [line for line in debian.splitlines() if line.partition(" ")[0] not in settings]
    return "\n".join(kept) + "\n" + _lines(settings)


def _lines(settings: Settings) -> str:
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _identity() -> list[str]:
    """What to put before a command so that cupsd can run: root without a user lp is no use to it, any other user is."""
    uid = os.geteuid()
    if uid != 0 or _is_mapped(pwd.getpwnam("lp").pw_uid):
        return []
    return ["unshare", "--user", f"--map-user={SOME_USER}", f"--map-group={SOME_USER}"]


def _is_mapped(uid: int) -> bool:
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def _environment() -> dict[str, str]:
    folders = [*UNPACKED.glob("usr/lib/*-linux-gnu*"), *UNPACKED.glob("lib/*-linux-gnu*")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))}
