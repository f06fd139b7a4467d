"""Runs a command in a private mount, network and process namespace with a real pcscd on virtual readers.

The caller's side: makes the run folder, starts ``unshare`` with `tools.sandbox_inside` as process 1, forwards HTTP and
signals, removes the folder. Two sandboxes, and the machine's own pcscd, never see each other. Inside, the command finds

- ``build/run`` empty and its own (really ``build/run/ID``), so fixed socket names of examples/*.toml do not collide;
- ``TMPDIR`` on a short path, removed afterwards;  ``/run`` empty but for pcscd's socket;
- loopback only, so fixed TCP ports do not collide either;
- with ``--http-out``: ``PRINT_STATION_URL``, where this machine's browser reaches ``build/run/http.sock``.

The exit code is the command's. A signal to the sandbox goes to the command, which has ``GRACE_S`` to end; whatever it left
running dies with the namespace, also when this process is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from tools.forward import forwarder
from tools.pcscd import MAX_LANES, PCSCD, SANDBOX_VARIABLE, VPCD

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "build" / "run"
# Propagation is changed by `sandbox_inside`: unshare cannot do it in a plain chroot, where "/" is no mount point.
NAMESPACES = ["--mount", "--propagation", "unchanged", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
HELP_FORBIDDEN = """\
sandbox: this machine does not let this user make namespaces: {reason}
  - in a container: start it with --privileged
  - Ubuntu: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  - Debian: sudo sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000
  - in a chroot: unprivileged users cannot do it there at all
  - or run the same command as root"""


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    options = _parse(arguments)
    problem = _missing()
    if problem is not None:
        print(f"sandbox: {problem}", file=sys.stderr)
        return 1
    try:
        namespaces = _permitted_namespaces()
    except PermissionError as error:
        print(HELP_FORBIDDEN.format(reason=error), file=sys.stderr)
        return 1
    return asyncio.run(_run(options, namespaces))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/sandbox", description="Run a command with simulated hardware's wires around it.")
    parser.add_argument("--http-out", action="store_true", help="let this machine's browser reach build/run/http.sock")
    parser.add_argument(
        "--lanes",
        type=int,
        default=1,
        choices=range(1, MAX_LANES + 1),
        metavar="N",
        help="readers, besides the one on the desk (default 1)",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser.parse_args(arguments)


def _missing() -> str | None:
    """Why it cannot work here, None when it can."""
    if ROOT.is_relative_to("/run") or ROOT.is_relative_to("/proc"):
        return f"the checkout lies in {ROOT}, which the sandbox hides: move it elsewhere"
    for needed in (Path(PCSCD), VPCD):
        if not needed.exists():
            return f"{needed} is missing: run tools/bootstrap"
    return None


def _permitted_namespaces() -> list[str]:
    """The options of unshare that work for this user. ``PermissionError`` with unshare's own words when none do."""
    as_user = [*NAMESPACES, "--user", "--map-root-user"]
    reason = ""
    for options in [NAMESPACES, as_user] if os.geteuid() == 0 else [as_user]:
        trial = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True, check=False)
        if trial.returncode == 0:
            return options
        reason = reason or trial.stderr.strip()
    raise PermissionError(reason)


async def _run(options: argparse.Namespace, namespaces: Sequence[str]) -> int:
    RUN.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=RUN))
    try:
        async with _way_out(folder) if options.http_out else nullcontext() as url:
            return await _unshare(options, namespaces, folder, _environment(folder.name, url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _way_out(folder: Path) -> AsyncIterator[str]:
    """The forwarder; its socket is named by way of a descriptor because a Unix socket's path may have 107 bytes at most."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        async with forwarder(Path(f"/proc/self/fd/{descriptor}/http.sock")) as url:
            yield url
    finally:
        os.close(descriptor)


def _environment(name: str, url: str | None) -> dict[str, str]:
    environment = {**os.environ, SANDBOX_VARIABLE: name, "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "cache" / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every daemon that is started compiles all its libraries again
    return environment if url is None else {**environment, "PRINT_STATION_URL": url}


async def _unshare(options: argparse.Namespace, namespaces: Sequence[str], folder: Path, environment: dict[str, str]) -> int:
    """Start the inside and wait. It watches the pipe: a byte is a signal to hand on, its end means that we died."""
    ours, theirs = os.pipe()[::-1]
    inside = [
        sys.executable,
        str(ROOT / "tools" / "sandbox_inside.py"),
        str(theirs),
        str(folder),
        str(options.lanes),
        *options.command,
    ]
    process = await asyncio.create_subprocess_exec("unshare", *namespaces, *inside, pass_fds=[theirs], env=environment)
    os.close(theirs)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _hand_on, ours, number)
    try:
        return _exit_code(await process.wait())
    finally:
        os.close(ours)


def _hand_on(pipe: int, number: signal.Signals) -> None:
    if number == signal.SIGINT and os.isatty(0):
        return  # the terminal has sent it to the command as well
    os.write(pipe, bytes([number]))


def _exit_code(status: int) -> int:
    return 128 - status if status < 0 else status
