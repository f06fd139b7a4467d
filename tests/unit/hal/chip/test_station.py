"""The chip station over a real pcscd: whose fault it is when the key holder cannot be used."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.errors import DeviceAbsent, DeviceError, DeviceRefused, DeviceUnknown
from controller.hal.chip.station import PcscChipStation, PhaseWatch
from controller.hal.ports import ChipCost, ChipPhase
from hwsim.wires.vpcd import VpcdSlot
from tests.fakes.chip import FakeCard, contents, ektp, needs_sandbox, shipped
from tests.fakes.chip_sessions import FakeSam
from tests.fakes.chip_station import WiredCard
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
def card(profile: ChipProfile) -> FakeCard:
    return FakeCard(profile)


@pytest.fixture
async def wired(card: FakeCard) -> AsyncIterator[WiredCard]:
    """The card in the field, fresh."""
    slot, wired = VpcdSlot("127.0.0.1", vpcd_port(1)), WiredCard(card)
    await slot.start()
    slot.insert(wired)
    yield wired
    await slot.close()


class Heard:
    """What a station tells of its phases, and what crossed the wire meanwhile."""

    def __init__(self) -> None:
        self.phases: list[tuple[ChipPhase, ChipCost, str | None]] = []
        self.wire: list[tuple[bytes, bytes]] = []

    def phase(self, phase: ChipPhase, cost: ChipCost, failure: str | None) -> None:
        self.phases.append((phase, cost, failure))

    def exchange(self, command: bytes, answer: bytes) -> None:
        self.wire.append((command, answer))

    @property
    def failures(self) -> list[tuple[ChipPhase, str | None]]:
        return [(phase, failure) for phase, _, failure in self.phases]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def measured(profile: ChipProfile, sam: FakeSam, heard: Heard) -> AsyncIterator[PcscChipStation]:
    station = PcscChipStation(profile, reader_name(1), sam, trace=heard.exchange, watch=PhaseWatch(heard.phase))
    yield station
    await station.close()


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
@pytest.mark.usefixtures("wired")
async def test_at_the_first_look_it_says_nothing_of_the_card(
    station: PcscChipStation, sam: FakeSam, card: FakeCard, trouble: str, told: type[DeviceError]
) -> None:
    sam.trouble = trouble
    with pytest.raises(DeviceAbsent, match=trouble):
        await station.identify(soon())
    assert card.written_bytes == 0


@pytest.mark.usefixtures("wired")
async def test_lost_between_writing_and_proof_it_leaves_the_card_unknown(
    station: PcscChipStation, sam: FakeSam, profile: ChipProfile
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


@pytest.mark.usefixtures("wired")
async def test_every_phase_tells_what_crossed_the_wire_in_it(
    measured: PcscChipStation, heard: Heard, profile: ChipProfile
) -> None:
    await measured.identify(soon())
    heard.wire.clear()  # the card of an earlier test may have been met first
    await measured.write(contents(profile, 40), soon())
    await measured.read([0x6FF1], soon())
    await measured.finish([0x6FF1], soon())
    assert heard.failures == [(phase, None) for phase in ChipPhase]
    costs = [cost for _, cost, _ in heard.phases[1:]]
    assert min(cost.commands for cost in costs) > 0
    assert sum(cost.commands for cost in costs) == len(heard.wire)
    assert sum(cost.sent_bytes for cost in costs) == sum(len(command) for command, _ in heard.wire)
    assert sum(cost.received_bytes for cost in costs) == sum(len(answer) for _, answer in heard.wire)
    assert all(0 < cost.chip_s < cost.whole_s for cost in costs)


async def test_a_phase_that_hangs_is_told_with_the_command_that_never_came_back(
    measured: PcscChipStation, heard: Heard, wired: WiredCard
) -> None:
    await measured.identify(soon())
    wired.hang()
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await measured.read([0x6FF1], Deadline.after(0.2))
    phase, cost, failure = heard.phases[-1]
    assert (phase, cost.commands, cost.received_bytes, failure) == (ChipPhase.READ, 1, 0, "chip_silent")
    assert cost.chip_s > 0


async def test_a_look_at_an_empty_reader_fails_without_a_command(measured: PcscChipStation, heard: Heard) -> None:
    with pytest.raises(DeviceRefused, match="chip_silent"):
        await measured.identify(Deadline.after(0.05))
    ((phase, cost, failure),) = heard.phases
    assert (phase, cost.commands, cost.whole_s, failure) == (ChipPhase.IDENTIFY, 0, 0, "chip_silent")


@pytest.mark.usefixtures("wired")
async def test_what_is_refused_before_anything_is_sent_has_failed_too(
    measured: PcscChipStation, heard: Heard, profile: ChipProfile
) -> None:
    await measured.identify(soon())
    with pytest.raises(DeviceRefused, match="nothing written"):
        await measured.write([*contents(profile, 40), *contents(profile, 40)], soon())
    assert heard.failures == [(ChipPhase.IDENTIFY, None), (ChipPhase.WRITE, "chip_refused")]
    assert heard.phases[-1][1].commands == 0
