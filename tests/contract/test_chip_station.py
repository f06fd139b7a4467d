"""One contract for chip stations: the two in memory, and PC/SC through a pcscd in this process and through a real one.

In memory every profile is held to all of it. Over the real pcscd, where each card costs half a second, one profile is, and the
others to what their bytes make different: write and read, finish, and a torn write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from controller.chips.profile import ChipProfile
from controller.clock import Deadline
from controller.errors import DeviceRefused, DeviceUnknown
from controller.hal.ports import ChipStation
from controller.model import ChipFile, ChipSight
from tests.fakes.chip import OTHER_UID, UID, contents, ektp, needs_sandbox, shipped
from tests.fakes.chip_benches import MEMORY, Bench, Card, WiredBench, blank, refuse_first_write, repair, silence, tear

LIMIT_S = 10.0  # the virtual reader is polled every 0.4 s
NOT_THERE_S = 0.6  # long enough for a card that is there

PROFILES = {"plain": ektp(), "ektp": shipped("ektp"), "scp03": shipped("gp-scp03")}


WIRED = "ektp"  # all of the contract over the real pcscd
on_every_wire: set[str] = set()  # tests that every profile passes there

Test = TypeVar("Test", bound=Callable[..., Any])


def over_every_wire(test: Test) -> Test:
    """This one."""
    on_every_wire.add(test.__name__)
    return test


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which profile meets which bench."""
    wired = [name for name in PROFILES if name == WIRED or metafunc.function.__name__ in on_every_wire]
    pairs = [pytest.param(name, kind, id=f"{name}-{kind}") for name in PROFILES for kind in MEMORY]
    pairs += [pytest.param(name, "over pcscd", id=f"{name}-over pcscd", marks=needs_sandbox) for name in wired]
    metafunc.parametrize(("profile", "bench"), pairs, indirect=True)


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> ChipProfile:
    return PROFILES[request.param]


@pytest.fixture
async def bench(request: pytest.FixtureRequest, profile: ChipProfile) -> AsyncIterator[Bench]:
    if request.param in MEMORY:
        bench = MEMORY[request.param](profile)
        yield bench
        await bench.close()
        return
    wired = WiredBench(profile)
    await wired.start()
    yield wired
    await wired.close()


@pytest.fixture
async def card(profile: ChipProfile, bench: Bench) -> Card:
    """A fresh card in the field."""
    card = blank(bench, profile)
    bench.put(card)
    return card


@pytest.fixture
def station(bench: Bench) -> ChipStation:
    return bench.station


async def identify(station: ChipStation) -> ChipSight:
    return await station.identify(Deadline.after(LIMIT_S))


async def write(station: ChipStation, files: list[ChipFile]) -> None:
    await station.write(files, Deadline.after(LIMIT_S))


async def read(station: ChipStation, files: list[ChipFile]) -> list[ChipFile]:
    return await station.read([file.fid for file in files], Deadline.after(LIMIT_S))


async def test_an_empty_station_passes_its_check(station: ChipStation) -> None:
    await station.check()


async def test_a_fresh_chip_is_identified(station: ChipStation, card: Card) -> None:
    assert await identify(station) == ChipSight(UID, fresh=True)


@over_every_wire
async def test_what_is_written_is_read_back(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    files = contents(profile, size=4096)
    await identify(station)
    await write(station, files)
    assert await read(station, files) == files


async def test_a_written_chip_is_the_same_and_no_longer_fresh(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await write(station, contents(profile))
    await station.release()
    assert await identify(station) == ChipSight(UID, fresh=False)


async def test_another_card_has_another_uid(station: ChipStation, bench: Bench, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await station.release()
    bench.put(blank(bench, profile, OTHER_UID))
    assert await identify(station) == ChipSight(OTHER_UID, fresh=True)


async def test_an_empty_field_is_a_silent_chip(station: ChipStation, bench: Bench) -> None:
    with pytest.raises(DeviceRefused) as refusal:
        await station.identify(Deadline.after(NOT_THERE_S))
    assert refusal.value.condition == "chip_silent"


async def test_a_dead_chip_is_a_silent_chip(station: ChipStation, bench: Bench, profile: ChipProfile) -> None:
    dead = blank(bench, profile)
    silence(dead)
    bench.put(dead)
    with pytest.raises(DeviceRefused) as refusal:
        await station.identify(Deadline.after(NOT_THERE_S))
    assert refusal.value.condition == "chip_silent"


async def test_nothing_is_written_before_a_chip_was_identified(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await write(station, contents(profile))
    assert card.written_bytes == 0


async def test_nothing_is_read_after_the_card_was_released(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await station.release()
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await read(station, contents(profile))


async def test_a_card_put_in_the_place_of_the_identified_one_is_never_written(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    other = blank(bench, profile, OTHER_UID)
    bench.put(other)
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await write(station, contents(profile))
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await write(station, contents(profile))
    assert other.written_bytes == 0


async def test_a_card_that_leaves_before_it_is_read_is_unknown(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    await write(station, contents(profile))
    bench.take_away()
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await read(station, contents(profile))


@over_every_wire
async def test_a_chip_torn_while_written_is_unknown_and_reads_as_unfinished(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    tear(card, after_bytes=500)
    await identify(station)
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await write(station, contents(profile))
    repair(card)
    bench.put(card)
    assert not (await identify(station)).fresh
    assert await read(station, contents(profile)[:1]) == contents(profile)[:1]
    assert await read(station, contents(profile)[1:2]) == [ChipFile(0x6FF2, b"")]


@over_every_wire
async def test_a_finished_chip_is_read_once_more(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    files = contents(profile)
    await identify(station)
    await write(station, files)
    for _ in range(2):  # a chip that is closed already is closed no second time
        assert await station.finish([file.fid for file in files], Deadline.after(LIMIT_S)) == files


async def test_a_card_that_leaves_before_it_is_finished_is_unknown(
    station: ChipStation, bench: Bench, card: Card, profile: ChipProfile
) -> None:
    await identify(station)
    await write(station, contents(profile))
    bench.take_away()
    with pytest.raises(DeviceUnknown, match="chip_silent"):
        await station.finish([0x6FF1], Deadline.after(LIMIT_S))


async def test_a_chip_that_refuses_a_write_can_still_be_read(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    refuse_first_write(card)
    with pytest.raises(DeviceRefused, match=r"chip_refused: (write .*to 6FF1.*|store block .*): 6581, memory failure") as refusal:
        await write(station, [ChipFile(0x6FF1, bytes(480))])
    assert refusal.value.condition == "chip_refused"
    assert await read(station, contents(profile)[:1]) == [ChipFile(0x6FF1, b"")]


async def test_files_that_do_not_fit_are_refused_before_the_first_write(station: ChipStation, card: Card) -> None:
    await identify(station)
    with pytest.raises(DeviceRefused, match="nothing written: 6FF6 gets 79 bytes and holds 78"):
        await write(station, [ChipFile(0x6FF1, b"x"), ChipFile(0x6FF6, bytes(79))])
    assert card.written_bytes == 0


async def test_releasing_and_closing_twice_is_fine(station: ChipStation, card: Card) -> None:
    await identify(station)
    for _ in range(2):
        await station.release()
    for _ in range(2):
        await station.close()


async def test_a_look_tells_the_uid_and_nothing_may_be_written_after_it(
    station: ChipStation, card: Card, profile: ChipProfile
) -> None:
    assert await station.look(Deadline.after(LIMIT_S)) == UID
    with pytest.raises(DeviceUnknown, match="reader_lost"):
        await write(station, contents(profile))
    assert (await identify(station), card.written_bytes) == (ChipSight(UID, fresh=True), 0)


async def test_a_look_at_an_empty_field_finds_a_silent_chip(station: ChipStation, bench: Bench) -> None:
    with pytest.raises(DeviceRefused, match="chip_silent"):
        await station.look(Deadline.after(NOT_THERE_S))


async def test_a_chip_is_the_one_identified_until_another_answers(station: ChipStation, card: Card, profile: ChipProfile) -> None:
    await identify(station)
    await station.confirm(Deadline.after(LIMIT_S))
    await write(station, contents(profile))
    card.uid = OTHER_UID
    with pytest.raises(DeviceRefused, match="chip_swapped: another chip answered"):
        await station.confirm(Deadline.after(LIMIT_S))
