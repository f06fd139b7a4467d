"""Downloads Debian packages without root and without touching what apt knows: nothing is installed, no list is changed."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LIMIT_S = 900.0  # some 110 MB in all, on a slow line
_NOTHING_INSTALLED = ("-o", "Dir::State::status=/dev/null")


class Skipped(Exception):
    """It cannot be done on this machine; the text says why, in words for a person."""


class Apt:
    """apt-get with the machine's sources and its package lists; when those are missing or old, with lists in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def download_with_dependencies(self, packages: Sequence[str], to: Path, *, lacking: bool = False) -> None:
        """The packages and all they depend on, as for an empty machine; with `lacking` only what this machine has not."""
        self._empty(to)
        status = () if lacking else _NOTHING_INSTALLED
        place = f"Dir::Cache::archives={to.absolute()}"
        self._get(*status, "-o", place, "install", "--download-only", "--yes", "--no-install-recommends", *packages, where=to)

    def download(self, package: str, to: Path) -> None:
        """One package alone."""
        self._empty(to)
        self._get("download", package, where=to)

    def dependency_of(self, package: str) -> str:
        """The first package that one depends on. Raises Skipped."""
        command = ["apt-cache", *self._private(), "depends", package]
        listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found = re.search(r"Depends: ([a-z0-9][a-z0-9.+-]+)", listing)
        if found is None:
            raise Skipped(f"apt knows no package {package}")
        return found[1]

    def _empty(self, to: Path) -> None:
        shutil.rmtree(to, ignore_errors=True)
        (to / "partial").mkdir(parents=True)

    def _get(self, *arguments: str, where: Path) -> None:
        if self._run((), *arguments, where=where) is None:
            return
        (self._folder / "apt/lists/partial").mkdir(parents=True, exist_ok=True)
        (self._folder / "apt/cache/archives/partial").mkdir(parents=True, exist_ok=True)
        own = self._private()
        said = self._run(own, "update", where=where) or self._run(own, *arguments, where=where)
        if said is not None:
            raise Skipped(f"apt cannot download the packages: {said}")

    def _private(self) -> tuple[str, ...]:
        """Options for lists of our own; none while the machine's did."""
        lists, cache = self._folder / "apt/lists", self._folder / "apt/cache"
        return ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}") if lists.is_dir() else ()

    def _run(self, options: Sequence[str], *arguments: str, where: Path) -> str | None:
        """None when it went well, otherwise the last line of what apt said."""
        user = f"APT::Sandbox::User={getpass.getuser()}"
        settings = (word for value in (user, "Debug::NoLocking=1", "Acquire::Retries=3") for word in ("-o", value))
        command = ["apt-get", *options, *settings, *arguments]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=where, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"it took more than {LIMIT_S:.0f} s"
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return None if done.returncode == 0 else str(lines[-1])
