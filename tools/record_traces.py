"""tools/sandbox --lanes 3 -- build/venv/bin/python -m tools.record_traces   Records tests/golden/traces anew from hw-sim.

For a wanted change of what a driver says. Traces of real printers in that folder stay as they are: they cannot be recorded here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from controller.cli import main
from tools.sim_printers import ADDRESS, serial, sim_printers

FOLDER = Path("tests/golden/traces")
PROFILES = ("evolis-primacy", "magicard-enduro", "magicard-alto")
ACTS = ("identify", "care", "print-test-card")


def record() -> int:
    """Record every act of every profile; returns how many failed."""
    failed = 0
    with sim_printers(Path("build/run"), PROFILES):
        for lane, profile in enumerate(PROFILES, 1):
            for act in ACTS:
                out = FOLDER / f"hw-sim-{profile}-{act}.jsonl"
                out.unlink(missing_ok=True)
                command = ["capture", "--profile", profile, "--usb", ADDRESS, "--serial", serial(lane)]
                failed += main([*command, "--act", act, "-o", str(out)])
    return failed


if __name__ == "__main__":
    sys.exit(1 if record() else 0)
