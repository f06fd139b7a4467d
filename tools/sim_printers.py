"""hw-sim with one lane for each of some printer profiles, for tools that want printers on USB/IP and no station.

Works inside `tools/sandbox` only, with ``--lanes`` for as many printers: hw-sim needs a reader for each lane.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hwsim.control import ask
from hwsim.errors import SimError
from tools.pcscd import DESK_PORT, vpcd_port

USBIP_PORT = 3240
ADDRESS = f"usbip://127.0.0.1:{USBIP_PORT}"
FAMILIES = {"evolis-primacy": "evolis", "evolis-zenius": "evolis", "magicard-enduro": "magicard", "magicard-alto": "magicard"}
START_LIMIT_S = 60.0
POLL_S = 0.1

_HEAD = """\
seed = 1
usbip = "127.0.0.1:{usbip}"
control = "{folder}/hw-sim.sock"
display = "{folder}/display"
[desk_reader]
vpcd = "127.0.0.1:{desk}"
profile = "ektp"
[front_panel]
lane = "1"
pins = {{ go = 17, hold = 27, green = 22, amber = 23, red = 24 }}
"""
_LANE = """\
[[lanes]]
name = "{lane}"
printer = {{ profile = "{profile}", serial = "{serial}", busid = "{busid}" }}
chip = {{ profile = "ektp", vpcd = "127.0.0.1:{vpcd}" }}
gpio = "127.0.0.1:{gpio}"
hopper = {{ capacity = 100, blanks = 10, low_at = 5 }}
bin = {{ capacity = 100 }}
pins = {{ feed_beam = 5, exit_beam = 6, reject_beam = 13, hopper_low = 19, hopper_empty = 26, bin_full = 12 }}
"""


def busid(lane: int) -> str:
    """Where the printer of lane 1, 2, ... is plugged in."""
    return f"1-{lane}"


def serial(lane: int) -> str:
    """The serial number of the printer of lane 1, 2, ..."""
    return f"SIM-T-{lane:04}"


@contextmanager
def sim_printers(folder: Path, profiles: Sequence[str]) -> Iterator[None]:
    """Run hw-sim meanwhile; lane 1 has the first profile's printer. `folder` gets its files. Raises SimError."""
    config = folder / "hw-sim.toml"
    config.write_text(_config(folder, profiles), encoding="utf-8")
    command = [sys.executable, "-m", "hwsim.cli", "run", "--config", str(config)]
    with (folder / "hw-sim.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(process, folder)
        yield
    finally:
        process.terminate()
        process.wait()


def _config(folder: Path, profiles: Sequence[str]) -> str:
    lanes = (
        _LANE.format(lane=lane, profile=profile, serial=serial(lane), busid=busid(lane), vpcd=vpcd_port(lane), gpio=8887 + lane)
        for lane, profile in enumerate(profiles, 1)
    )
    return _HEAD.format(usbip=USBIP_PORT, folder=folder, desk=DESK_PORT) + "".join(lanes)


def _wait_for(process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while not _answers(folder):
        if process.poll() is not None or time.monotonic() > end:
            said = (folder / "hw-sim.log").read_text(encoding="utf-8")
            raise SimError(f"hw-sim does not start: {said[-2000:]}")
        time.sleep(POLL_S)


def _answers(folder: Path) -> bool:
    try:
        ask(folder / "hw-sim.sock", {"command": "world", "brief": True})
    except SimError:
        return False
    return True
