"""Runs in the guest with stock Debian packages: attaches each printer to the kernel and uses it as any program would.

plan.json is the list of printers; every check prints one line of JSON. A check that fails does not stop the others.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import usb.core

from tools.vm_usb.guest import libusb
from tools.vm_usb.guest.printer import LIMIT_S, READY, SHORT_MS, SPEAK, Printer, Wrong, need

SERVER = "10.0.2.2"  # the host's loopback, as QEMU's user network shows it
LP = Path("/dev/usb/lp0")
COMMAND_LIMIT_S = 120.0
POLL_S = 0.05

_GET_DEVICE_ID = 2 << 30 | 1024 << 16 | ord("P") << 8 | 1  # linux/usblp: LPIOC_GET_DEVICE_ID(1024)
_GET_STATUS = 0x060B  # LPGETSTATUS
_TROUBLE = re.compile(r"(usb|vhci|usblp).*(error|fail|invalid|bad|WARN|BUG|timed out)", re.IGNORECASE)


def listed(printer: Printer) -> str:
    """The server offers it."""
    said = _run("usbip", "--tcp-port", printer.port, "list", "-r", SERVER)
    need(f"{printer.busid}:" in said and f"({printer.vendor_id:04x}:{printer.product_id:04x})" in said, said)
    return f"{printer.busid} {printer.vendor_id:04x}:{printer.product_id:04x}"


def attached(printer: Printer) -> str:
    """The kernel enumerates it."""
    _run("usbip", "--tcp-port", printer.port, "attach", "-r", SERVER, "-b", printer.busid)
    node = _until(lambda: _node(printer), "the device to show up in sysfs")
    return ", ".join(_word(node / name) for name in ("speed", "manufacturer", "product", "serial"))


def lsusb(printer: Printer) -> str:
    """lsusb -v reads every descriptor."""
    said = _run("lsusb", "-v", "-d", f"{printer.vendor_id:04x}:{printer.product_id:04x}")
    complaint = re.search(r".*(can't|cannot|couldn't|could not|warning|invalid|unrecognized|\*\*).*", said, re.IGNORECASE)
    need(complaint is None, complaint[0] if complaint else "")
    wanted = ("bInterfaceClass         7", "bInterfaceProtocol      2", "Transfer Type            Bulk", "Device Status:")
    need(all(word in said for word in wanted), said[-400:])
    told = re.findall(r"^ *((?:bEndpointAddress|wMaxPacketSize|Device Status).*)", said, re.MULTILINE)
    return "; ".join(" ".join(line.split()) for line in told)


def usblp_bound(_printer: Printer) -> str:
    """usblp takes the interface."""
    _until(LP.exists, "/dev/usb/lp0")
    return str(LP)


def usblp_device_id(_printer: Printer) -> str:
    """GET_DEVICE_ID through usblp."""
    answer = bytearray(1024)
    with LP.open("r+b", buffering=0) as lp:
        fcntl.ioctl(lp, _GET_DEVICE_ID, answer)
    length = int.from_bytes(answer[:2], "big")
    text = bytes(answer[2:length]).decode("ascii")
    need("MFG:" in text and "MDL:" in text, text)
    return text


def usblp_status(_printer: Printer) -> str:
    """GET_PORT_STATUS through usblp."""
    answer = bytearray(4)
    with LP.open("r+b", buffering=0) as lp:
        fcntl.ioctl(lp, _GET_STATUS, answer)
    status = int(struct.unpack("i", answer)[0])
    need(status == READY, f"{status:02X}h, not ready")
    return f"{status:02X}h"


def usblp_conversation(printer: Printer) -> str:
    """A question written to /dev/usb/lp0 and its reply read; nothing more comes after it."""
    handle = os.open(LP, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(handle, printer.question)
        reply = b""
        while SPEAK[printer.family][1] not in reply:
            need(bool(select.select([handle], [], [], LIMIT_S)[0]), f"no reply, only {reply!r}")
            reply += os.read(handle, 4096)
        need(not select.select([handle], [], [], SHORT_MS / 1000)[0], "it says more than one reply")
    finally:
        os.close(handle)  # a read is pending in the kernel: closing takes it back
    return printer.judge(reply)


def usblp_again(_printer: Printer) -> str:
    """usblp has it back and it answers."""
    _until(LP.exists, "/dev/usb/lp0")
    return usblp_status(_printer)


def our_driver(printer: Printer) -> str:
    """print-station capture: our driver over libusb, usblp detached; its trace goes back to the host."""
    trace = Path(f"/run/{printer.name}.jsonl")
    command = ("python3", "-m", "controller", "capture", "--profile", printer.name, "--usb", "usb")
    said = _run(*command, "--serial", printer.serial, "-o", str(trace), folder="/station", limit_s=COMMAND_LIMIT_S)
    need(not LP.exists(), "usblp still has the printer")
    _tell(printer.name, "trace", True, 0, trace.read_text(encoding="utf-8"))
    return said.strip().splitlines()[-1]


def detached(printer: Printer) -> str:
    """usbip detach: the kernel lets go of it."""
    for port in re.findall(r"^Port (\d+):", _run("usbip", "port"), re.MULTILINE):
        _run("usbip", "detach", "-p", port)
    _until(lambda: _node(printer) is None, "the device to go")
    return "gone"


CHECKS: tuple[Callable[[Printer], str], ...] = (
    listed, attached, lsusb, usblp_bound, usblp_device_id, usblp_status, usblp_conversation,
    libusb.libusb_strings, libusb.libusb_requests, libusb.libusb_conversation, libusb.libusb_panel, libusb.libusb_reset,
    usblp_again, our_driver, detached,
)  # fmt: skip


def _node(printer: Printer) -> Path | None:
    wanted = f"{printer.vendor_id:04x}", f"{printer.product_id:04x}"
    for file in Path("/sys/bus/usb/devices").glob("*/idVendor"):
        if (_word(file), _word(file.with_name("idProduct"))) == wanted:
            return file.parent
    return None


def _word(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else "-"


def _until(look: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + LIMIT_S
    while not (found := look()):
        need(time.monotonic() < end, f"waited {LIMIT_S:.0f} s for {what}")
        time.sleep(POLL_S)
    return found


def _run(*command: str, folder: str = "/", limit_s: float = LIMIT_S) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        timeout=limit_s,
        check=False,
    )
    said = done.stdout + done.stderr
    need(done.returncode == 0, f"{' '.join(command[:4])}: exit code {done.returncode}: {said.strip()[-1500:]}")
    return said


def _tell(printer: str, check: str, good: bool, took_ms: int, detail: str) -> None:
    print(json.dumps({"printer": printer, "check": check, "ok": good, "took_ms": took_ms, "detail": detail}), flush=True)


def _try(printer: Printer, check: Callable[[Printer], str]) -> None:
    begun = time.monotonic()
    try:
        good, detail = True, check(printer)
    except (Wrong, OSError, usb.core.USBError, subprocess.TimeoutExpired, ValueError) as error:
        good, detail = False, f"{type(error).__name__}: {error}"
    _tell(printer.name, check.__name__, good, round((time.monotonic() - begun) * 1000), detail)


def _kernel_words() -> None:
    """What the kernel said of USB that sounds like trouble."""
    words = [line for line in _run("dmesg").splitlines() if _TROUBLE.search(line)]
    _tell("", "kernel_log", not words, 0, "\n".join(words) or "no complaint")


if __name__ == "__main__":
    _tell("", "guest", True, round(time.monotonic() * 1000), _word(Path("/proc/version")))
    for row in json.loads(Path("plan.json").read_text(encoding="utf-8")):
        for each in CHECKS:
            _try(Printer(**row), each)
    _kernel_words()
    _tell("", "end", True, round(time.monotonic() * 1000), "")
