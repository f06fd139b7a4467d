"""Firmware profiles that differ from the shipped ones, for the station only: hw-sim reads its own."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.rig import ROOT

PRIMACY = Path("printers") / "evolis-primacy.toml"


def variant(folder: Path, changes: Mapping[str, str]) -> dict[str, str]:
    """Copy the profiles into `folder` with text changed in the Primacy's; returns the edits that let the station read them."""
    profiles = folder / "profiles"
    shutil.copytree(ROOT / "firmware_profiles", profiles)
    text = (profiles / PRIMACY).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (profiles / PRIMACY).write_text(text, encoding="utf-8")
    return {"max_remakes = 1": f'profiles_dir = "{profiles}"\nmax_remakes = 1'}
