"""Process 1 of a sandbox: prepares mounts and loopback, runs pcscd and the command, ends with the command's exit code.

Started by `tools.sandbox` through unshare, which see for what the command finds. As process 1 it also collects orphans.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from tools.pcscd import PCSCD, RUNTIME, Pcscd  # noqa: E402  the path has to be set first

RUN = ROOT / "build" / "run"
GRACE_S = 30.0  # after a signal: a card in hand is finished in simulated time, then everything is killed
MS_BIND, MS_REC, MS_PRIVATE, CLONE_NEWNS = 0x1000, 0x4000, 0x40000, 0x20000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def main(lifeline: int, folder: Path, lanes: int, command: list[str]) -> int:
    """Run the command; returns its exit code."""
    working = Path.cwd()
    _private_mounts()
    _mount_run(folder)
    os.chdir(working)
    _loopback_up()
    pcscd = Pcscd(lanes)
    pcscd.start()
    try:
        return _run(command, lifeline)
    finally:
        pcscd.stop()


def _private_mounts() -> None:
    """Keep our mounts from the machine. In a plain chroot "/" is no mount point, so this goes to the real root and back."""
    here = os.open("/", os.O_PATH)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    _check(_libc.setns(namespace, CLONE_NEWNS), "setns")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    os.fchdir(here)
    os.chroot(".")
    os.close(namespace)
    os.close(here)


def _mount_run(folder: Path) -> None:
    _mount(str(folder), str(RUN), None, MS_BIND)
    _mount("tmpfs", "/run", "tmpfs", 0)
    for name, place in (("pcscd", RUNTIME), ("tmp", Path("/run/tmp")), ("no-drivers", _usb_drivers())):
        (RUN / name).mkdir()
        if place.is_relative_to("/run"):
            place.mkdir()
        if place.exists():
            _mount(str(RUN / name), str(place), None, MS_BIND)
    os.environ["TMPDIR"] = "/run/tmp"


def _usb_drivers() -> Path:
    """Where pcscd looks for drivers of USB readers: hidden, so that real readers are never touched."""
    version = subprocess.run([PCSCD, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"usbdropdir=(\S+)", version)
    return Path(found[1] if found else "/usr/lib/pcsc/drivers")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def _run(command: list[str], lifeline: int) -> int:
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal's Ctrl-C is the command's business
    try:
        process = subprocess.Popen(command)
    except OSError as error:
        print(f"sandbox: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    threading.Thread(target=_obey, args=(lifeline, process.pid), daemon=True).start()
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return 128 - process.returncode if process.returncode < 0 else process.returncode


def _obey(lifeline: int, pid: int) -> None:
    """Hand on signals that come as bytes; the pipe's end means that the caller is gone."""
    number = os.read(lifeline, 1)
    os.kill(pid, number[0] if number else signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(128 + signal.SIGKILL)  # process 1 ends: the kernel kills the rest


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    arguments = [None if text is None else text.encode() for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), None), f"mount {source} on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
