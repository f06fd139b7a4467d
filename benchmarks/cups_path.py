"""The CUPS path to a card printer, as far as Debian has one: PDF, pdftopdf, Ghostscript (gstoraster), Gutenprint's raster driver.

The filters and the PPD are those of Gutenprint's "Magicard Rio 2E": a job of the same family for another print head, without a
black panel. CUPS starts each filter anew for every job, and so does this. Its daemon is left out, and so is the USB backend,
which still has to turn Gutenprint's 8 bits a dot into bit planes: the path's true cost is higher. The filters are unpacked by
tools/cups-filters; Ghostscript is an apt package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("build/cups-filters").resolve()
FILTERS = ("pdftopdf", "gstoraster", "rastertogutenprint.5.3")
PRINTER = "gutenprint.5.3://magicard-rio-2e/expert"
_JOB = ("1", "bench", "card", "1", "")  # id, user, title, copies, options: a filter's arguments, cups filter(7)
_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one card."""

    cpu_ms: float
    peak_mb: float


def missing() -> str | None:
    """What has to be installed first; None when the path is complete."""
    if shutil.which("gs") is None:
        return "Ghostscript is not here: apt-get install --no-install-recommends ghostscript"
    if not (ROOT / "complete").exists():
        return "the filters of CUPS are not here: tools/cups-filters unpacks them under build/"
    return None


class CupsPath:
    """Sends PDFs down the path."""

    def __init__(self, folder: Path) -> None:
        """Have the driver write its PPD into the folder."""
        self._folder = folder
        self._environment = _environment(folder / "card.ppd")
        driver = [str(ROOT / "usr/lib/cups/driver/gutenprint.5.3"), "cat", PRINTER]
        ppd = subprocess.run(driver, env=self._environment, capture_output=True, check=True, timeout=_LIMIT_S).stdout
        (folder / "card.ppd").write_bytes(ppd)

    def send(self, pdf: Path) -> dict[str, Cost]:
        """The cost of each filter for this card. Raises RuntimeError when one fails or makes nothing."""
        costs, source = {}, pdf
        for name in FILTERS:
            target = self._folder / f"{name}.out"
            command = [str(ROOT / "usr/lib/cups/filter" / name), *_JOB]
            costs[name] = self._run(command, source, target)
            source = target
        return costs

    def _run(self, command: Sequence[str], source: Path, target: Path) -> Cost:
        with source.open("rb") as stdin, target.open("wb") as stdout:
            child = subprocess.Popen(command, env=self._environment, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0 or not target.stat().st_size:
            raise RuntimeError(f"{Path(command[0]).name} ended with {child.returncode}, {target.stat().st_size} bytes made")
        return Cost((usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024)


def _environment(ppd: Path) -> dict[str, str]:
    libraries = next(path for path in (ROOT / "usr/lib").iterdir() if path.name.endswith("-linux-gnu"))
    return {
        "PATH": os.environ["PATH"],
        "LD_LIBRARY_PATH": str(libraries),
        "STP_DATA_PATH": str(ROOT / "usr/share/gutenprint/5.3/xml"),
        "STP_MODULE_PATH": str(libraries / "gutenprint/5.3/modules"),
        "CUPS_DATADIR": str(ROOT / "usr/share/cups"),
        "PPD": str(ppd.resolve()),
        "CONTENT_TYPE": "application/pdf",
    }
