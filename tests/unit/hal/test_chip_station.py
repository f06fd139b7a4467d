"""The chip station over a real pcscd: whose fault it is when the key holder cannot be used."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip_station import PcscChipStation
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import FakeCard, WiredCard, contents, ektp, needs_sandbox, shipped
from tests.fakes.chip_sessions import FakeSam
from tools.pcscd import reader_name, vpcd_port

pytestmark = needs_sandbox

LIMIT_S = 10.0


@pytest.fixture(params=["ektp", "gp-scp03"])
def profile(request: pytest.FixtureRequest) -> ChipProfile:
    return shipped(request.param)


@pytest.fixture
def sam() -> FakeSam:
    return FakeSam()


@pytest.fixture
async def station(profile: ChipProfile, sam: FakeSam) -> AsyncIterator[PcscChipStation]:
    station = PcscChipStation(profile, reader_name(1), sam)
    yield station
    await station.close()


@pytest.fixture
async def card(profile: ChipProfile) -> AsyncIterator[FakeCard]:
    """A fresh card in the field."""
    slot, card = VpcdSlot("127.0.0.1", vpcd_port(1)), FakeCard(profile)
    await slot.start()
    slot.insert(WiredCard(card))
    yield card
    await slot.close()


def soon() -> Deadline:
    return Deadline.after(LIMIT_S)


TROUBLES = pytest.mark.parametrize(
    ("trouble", "told"), [("sam_absent", DeviceAbsent), ("sam_locked", DeviceRefused), ("sam_refused", DeviceRefused)]
)


@TROUBLES
async def test_a_key_holder_in_trouble_is_told_before_a_blank_is_fed(
    station: PcscChipStation, sam: FakeSam, trouble: str, told: type[DeviceError]
) -> None:
    sam.trouble = trouble
    with pytest.raises(told, match=trouble):
        await station.check()


@TROUBLES
async def test_at_the_first_look_it_says_nothing_of_the_card(
    station: PcscChipStation, sam: FakeSam, card: FakeCard, trouble: str, told: type[DeviceError]
) -> None:
    sam.trouble = trouble
    with pytest.raises(DeviceAbsent, match=trouble):
        await station.identify(soon())
    assert card.written_bytes == 0


async def test_lost_between_writing_and_proof_it_leaves_the_card_unknown(
    station: PcscChipStation, sam: FakeSam, card: FakeCard, profile: ChipProfile
) -> None:
    await station.identify(soon())
    await station.write(contents(profile, 40), soon())
    sam.trouble = "sam_locked"
    with pytest.raises(DeviceUnknown, match="sam_locked"):
        await station.finish([0x6FF1], soon())


async def test_a_profile_without_channel_asks_no_key_holder() -> None:
    station = PcscChipStation(ektp(), reader_name(1), FakeSam("sam_absent"))
    await station.check()
    await station.close()
