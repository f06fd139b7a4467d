"""Inside tools/sandbox: hw-sim on this machine, one QEMU guest that attaches its printers, and what the guest reports.

The guest reaches hw-sim through QEMU's user network (10.0.2.2 is our loopback). The processor is emulated (TCG), so this works
where there is no /dev/kvm. QEMU ends by itself; after `LIMIT_S` it is ended.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.hal.usb.usbip_wire import list_devices
from tools.sim_printers import FAMILIES, USBIP_PORT, busid, serial, sim_printers
from tools.vm_usb.image import build
from tools.vm_usb.parts import Parts

LIMIT_S = 900.0
MEMORY_MB = 768
PRINTERS = ("evolis-primacy", "magicard-enduro", "magicard-alto")
RUN = Path("build/run")


def drive(parts: Parts, folder: Path, printers: Sequence[str] = PRINTERS) -> dict[str, Any]:
    """One run; returns the report. Raises Skipped, SimError."""
    with sim_printers(RUN, printers):
        plan = _plan(printers)
        image = build(parts, plan, folder)
        begun = time.monotonic()
        ended = _run_guest(parts, image, folder)
        took_s = round(time.monotonic() - begun, 1)
    rows = _results(folder / "results.jsonl")
    finished = ended and any(row["check"] == "end" for row in rows)
    return {
        "ok": finished and all(row["ok"] for row in rows),
        "finished": finished,
        "took_s": took_s,
        "accelerator": "tcg",
        "versions": parts.versions,
        "initrd_bytes": image.stat().st_size,
        "printers": plan,
        "checks": [row for row in rows if row["check"] != "trace"],
        "traces": {row["printer"]: row["detail"] for row in rows if row["check"] == "trace"},
    }


def _plan(printers: Sequence[str]) -> list[dict[str, Any]]:
    offered = {entry.busid: entry for entry in list_devices(("127.0.0.1", USBIP_PORT))}
    rows = []
    for lane, profile in enumerate(printers, 1):
        entry = offered[busid(lane)]
        rows.append({"name": profile, "family": FAMILIES[profile], "busid": entry.busid, "serial": serial(lane),
                     "vendor_id": entry.vendor_id, "product_id": entry.product_id, "port": str(USBIP_PORT)})  # fmt: skip
    return rows


def _run_guest(parts: Parts, image: Path, folder: Path) -> bool:
    """Whether it ended by itself in time. Its console goes to console.log, its results to results.jsonl."""
    command = [
        *parts.qemu, "-machine", "q35,accel=tcg,usb=off", "-cpu", "max", "-smp", "1", "-m", str(MEMORY_MB), "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(parts.kernel), "-initrd", str(image),
        "-append", "console=ttyS0 quiet loglevel=4 mitigations=off panic=-1 net.ifnames=0",
        "-serial", f"file:{folder / 'console.log'}", "-serial", f"file:{folder / 'results.jsonl'}",
        "-nic", "user,model=e1000,restrict=off",
    ]  # fmt: skip
    with (folder / "qemu.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=parts.environment)
        try:
            return process.wait(LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.kill()
            process.wait()


def _results(file: Path) -> list[Mapping[str, Any]]:
    rows = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            rows.append({"printer": "", "check": "guest_output", "ok": False, "took_ms": 0, "detail": line[:400]})
    return rows
