"""Firmware profiles that differ from the shipped ones, for the station only: hw-sim reads its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from tools.rig import ROOT

PRIMACY, SHIPPED = "evolis-primacy", "evolis-primacy-shipped"


def variant(folder: Path, differs: str) -> dict[str, str]:
    """Copy the profiles into `folder` with a Primacy that extends the shipped one by this TOML text (with its [confidence]).

    Returns the edits that let the station read them.
    """
    profiles = folder / "profiles"
    shutil.copytree(ROOT / "firmware_profiles", profiles)
    printers = profiles / "printers"
    (printers / f"{PRIMACY}.toml").rename(printers / f"{SHIPPED}.toml")
    (printers / f"{PRIMACY}.toml").write_text(f'format = 2\nextends = "{SHIPPED}"\n{differs}', encoding="utf-8")
    return {"max_remakes = 1": f'profiles_dir = "{profiles}"\nmax_remakes = 1'}
