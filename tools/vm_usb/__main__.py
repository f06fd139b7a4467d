"""make vm-usb: hw-sim's printers on a real Linux kernel (``usbip attach``), used by lsusb, usblp, libusb and our driver.

Needs no root, installs nothing, writes only below ``build/vm-usb``; prints a table and writes ``report.json``. Exit code 0 when
every check is good, and after a line that begins with SKIPPED where it cannot be done; 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.pcscd import SANDBOX_VARIABLE
from tools.vm_usb.apt import Skipped
from tools.vm_usb.drive import PRINTERS, drive
from tools.vm_usb.image import ROOT
from tools.vm_usb.parts import gather

FOLDER = Path("build/vm-usb")
SHOWN_CHARS = 90  # of what a check found; report.json has all of it


def main(arguments: Sequence[str]) -> int:
    """Fetch the parts out here, where there is a network, then run in a sandbox, which leaves nothing behind."""
    parser = argparse.ArgumentParser(prog="make vm-usb", description="Try the simulated printers on a real Linux kernel.")
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=f"default: {' '.join(PRINTERS)}")
    chosen = parser.parse_args(arguments).profiles or list(PRINTERS)
    os.chdir(ROOT)
    try:
        parts = gather(FOLDER)
        if SANDBOX_VARIABLE not in os.environ:
            command = ["tools/sandbox", "--lanes", str(len(chosen)), "--", sys.executable, "-m", "tools.vm_usb"]
            return subprocess.run([*command, *chosen], check=False).returncode
        report = drive(parts, FOLDER, chosen)
    except Skipped as reason:
        print(f"SKIPPED: {reason}")
        return 0
    _keep(report)
    _show(report)
    return 0 if report["ok"] else 1


def _keep(report: dict[str, Any]) -> None:
    for name, text in report.pop("traces").items():
        (FOLDER / f"{name}.trace.jsonl").write_text(text, encoding="utf-8")
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _show(report: Mapping[str, Any]) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    print(f"A real Linux in QEMU (TCG, no KVM), {report['took_s']} s: {versions}")
    for row in report["checks"]:
        word, told = "good" if row["ok"] else "BAD ", row["detail"].partition("\n")[0][:SHOWN_CHARS]
        print(f"  {word}  {row['printer']:16} {row['check']:20} {row['took_ms']:6} ms  {told}")
    if not report["finished"]:
        print("  BAD   the guest did not finish; see build/vm-usb/console.log and qemu.log")
    print(f"{FOLDER}/report.json: {'good' if report['ok'] else 'BAD'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
