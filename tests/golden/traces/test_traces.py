"""Every trace in this folder: today's driver says the same against it. A trace of a real printer that is put here is a test.

Recorded with `print-station capture`; those that begin with hw-sim- are of the simulator (`tools/record_traces.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.cli import main
from controller.hal.usb.replay import read_trace
from controller.hal.usb.trace import LONG_BYTES

TRACES = sorted(Path(__file__).parent.glob("*.jsonl"))


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_todays_driver_does_as_the_recorded_one(trace: Path) -> None:
    assert main(["capture", "--replay", str(trace)]) == 0


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_a_trace_is_whole_and_holds_no_dots(trace: Path) -> None:
    whole = read_trace(trace)
    assert whole.outcome is not None
    assert whole.header["full"] is False
    assert all(step.facts.get("length", 0) <= LONG_BYTES or "hex" not in step.facts for step in whole.steps if step.do == "out")


def test_there_are_traces_of_both_families() -> None:
    profiles = {json.loads(trace.read_text(encoding="utf-8").splitlines()[0])["profile"] for trace in TRACES}
    assert {"evolis-primacy", "magicard-enduro", "magicard-alto"} <= profiles
