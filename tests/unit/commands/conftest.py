"""A chip station in memory with a fresh card in its field, for the tests of `print-station chip`."""

from __future__ import annotations

import pytest

from controller.chips.profile import ChipProfile
from tests.fakes.chip import FakeCard, shipped
from tests.fakes.chip_station import FakeChipStation


@pytest.fixture(params=["ektp", "gp-scp03"])
def profile(request: pytest.FixtureRequest) -> ChipProfile:
    return shipped(request.param)


@pytest.fixture
def station(profile: ChipProfile) -> FakeChipStation:
    station = FakeChipStation(profile)
    station.card = FakeCard(profile)
    return station
