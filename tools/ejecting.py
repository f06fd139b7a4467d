"""The Primacy once more, as a machine that clears its card path when its power comes back: for stations that have both kinds."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tools.rig import ROOT

EJECTS = "evolis-primacy-ejects"
_VARIANT = """\
format = 2
extends = "evolis-primacy"

[power_on]
card_inside = "ejects"

[confidence]
"power_on.card_inside" = { level = "E", source = "the other of two guesses, for tests" }
"""


def profiles(folder: Path) -> Path:
    """Make a copy of the shipped profiles with the ejecting one beside them; returns its folder, for `Rig(profiles=...)`."""
    copy = folder / "profiles"
    shutil.copytree(ROOT / "firmware_profiles", copy)
    (copy / "printers" / f"{EJECTS}.toml").write_text(_VARIANT, encoding="utf-8")
    return copy


def edits(lanes: Sequence[str]) -> dict[str, str]:
    """What makes the printers of these lanes such machines, for daemon and hw-sim; a lane's printer is told by its serial."""
    return {
        f'profile = "evolis-primacy", {field}"SIM-E-{int(lane):04}"': f'profile = "{EJECTS}", {field}"SIM-E-{int(lane):04}"'
        for lane in lanes
        for field in ("serial = ", 'usb = "usbip://127.0.0.1:3240", serial = ')
    }
