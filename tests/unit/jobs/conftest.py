"""A lane at work, for the tests of the lane worker."""

from __future__ import annotations

import pytest

from controller.jobs import (
    lane_doubts,
    lane_rescue,
    stages,
)
from controller.jobs.spool import Spool
from controller.jobs.store import Store
from tests.fakes.lane import FakeLane
from tests.fakes.working_lane import Artist, Site


@pytest.fixture
async def site(store: Store, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(stages, "BEAM_WAIT_S", 0.01)  # constants, not behaviour: no test should wait 3 s for a beam,
    monkeypatch.setattr(lane_doubts, "BACK_OFF_S", (0.01, 1.0, 2.0))  # nor a second for each cause to go away
    monkeypatch.setattr(lane_rescue, "RESCUE_BACK_OFF_S", (0.01, 0.02, 0.05))
    return Site(store, spool, FakeLane(), Artist())
