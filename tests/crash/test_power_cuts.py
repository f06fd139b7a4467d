"""Power cuts under the real store and spool: what was acknowledged is there afterwards, and mistakes are noticed.

A sample with fixed seeds; `make crash` makes many times more cuts (tools/crash/power_cuts.py).
"""

from __future__ import annotations

from itertools import islice

import pytest

from tools.powercut.cuts import CONTROLS, Control, Work, cut_run, works

CUTS_A_RUN = 300
CUTS_A_CONTROL = 60


@pytest.mark.parametrize("work", list(islice(works(first_seed=1), 4)), ids=lambda work: f"seed {work.seed}")
def test_a_power_cut_loses_nothing_that_was_acknowledged(work: Work) -> None:
    tally = cut_run(work, CUTS_A_RUN)
    print(f"{tally.cuts} cuts, {60 * tally.cuts / tally.processor_s:,.0f} a minute of one processor")
    assert tally.examples == []
    assert tally.cuts == CUTS_A_RUN
    assert tally.commits > 50


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.mistake)
def test_a_mistake_in_what_is_synced_is_caught(control: Control) -> None:
    tally = cut_run(control.work, CUTS_A_CONTROL)
    assert tally.kinds[control.loss] > 0
